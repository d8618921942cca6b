import type { ReplyView } from "#domain/reply-view";
import type { ReplyJournal, ShownSegment } from "#ports/platform";
import type { SlackApi } from "./api.ts";
import { failureOf } from "./failures.ts";
import { SharedBefore, type Uploads } from "./files.ts";
import type { SlackTarget } from "./inbound.ts";
import { complaintIndex, firstFileIndex, type Messages } from "./messages.ts";
import { section } from "./sections.ts";

interface ReadyFile {
  readonly segment: ShownSegment;
  readonly title: string;
  readonly isFromBefore: boolean;
}

/** The files of a finished reply: all in one message, after the text. */
export class ReplyFiles {
  readonly #parts: {
    readonly api: SlackApi;
    readonly target: SlackTarget;
    readonly journal: ReplyJournal;
    readonly messages: Messages;
    readonly now: () => number;
  };

  constructor(parts: {
    readonly api: SlackApi;
    readonly target: SlackTarget;
    readonly journal: ReplyJournal;
    readonly messages: Messages;
    readonly now: () => number;
  }) {
    this.#parts = parts;
  }

  /** Delivers them; what cannot be delivered is said. */
  async put(view: ReplyView, uploads: Uploads): Promise<void> {
    const { api, journal, messages, now } = this.#parts;
    const { revision } = view;
    const problems: string[] = [];
    const ready: ReadyFile[] = [];
    for (const [place, file] of view.files.entries()) {
      const index = firstFileIndex + place;
      const known = messages.segment(index);
      if (known?.closed) continue;
      if (known) {
        ready.push({ segment: known, title: file.name, isFromBefore: true });
        continue;
      }
      const content = { type: "file", fileId: file.id } as const;
      const intentId = journal.intentId(index, revision);
      await journal.before({ index, content, revision, intentId, atMs: now() });
      try {
        const id = await uploads.upload(api, file);
        const segment: ShownSegment = { index, id, content, revision, closed: false };
        // Its id is kept before it is shared, so that it is shared once.
        await messages.keep(segment);
        ready.push({ segment, title: file.name, isFromBefore: false });
      } catch (error) {
        await journal.drop(index);
        problems.push(uploads.explain(error, file));
      }
    }
    problems.push(...(await this.#share(ready, uploads)));
    if (problems.length === 0) return;
    const blocks = [section(`:warning: ${problems.join("\n")}`)];
    const at = { index: complaintIndex, from: view.text.length, to: view.text.length };
    await messages.put(at, { text: "", blocks, closed: true, revision });
  }

  async #share(ready: readonly ReadyFile[], uploads: Uploads): Promise<readonly string[]> {
    const { api, messages, target } = this.#parts;
    if (ready.length === 0) return [];
    try {
      const files = ready.map(({ segment, title }) => ({ id: segment.id, title }));
      const isFromBefore = ready.some((one) => one.isFromBefore);
      await uploads.share(api, { files, target, isFromBefore });
    } catch (error) {
      if (!(error instanceof SharedBefore)) {
        if (!failureOf(error)) throw error;
        return ready.map(({ title }) => uploads.explain(error, { name: title }));
      }
    }
    for (const { segment } of ready) await messages.keep({ ...segment, closed: true });
    return [];
  }
}
