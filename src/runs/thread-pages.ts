import type { Json } from "#domain/json";
import type { IncomingMessage } from "#domain/message";
import type { TranscriptEntry, TranscriptPage } from "#domain/thread";
import type { Ledger } from "#ports/ledger";
import type { RecordStore } from "#ports/record-store";
import { names } from "./names.ts";

/** How a thread's list names one of its pages. */
export interface PageRef {
  /** Record of the page. */
  readonly page: string;
  /** Record of the run that wrote it. */
  readonly run: string;
  readonly runId: string;
  readonly atMs: number;
}

/** Where the pages of a thread stand, and those that people see no more: only for whoever forgets them. */
export function pageLists(threadId: string): readonly string[] {
  return [names.pages(threadId), names.replacedPages(threadId)];
}

/** A page with what it answered, so that it can be answered again. */
export interface StoredPage extends TranscriptPage {
  readonly input: readonly IncomingMessage[];
}

export interface PositionedPage {
  readonly position: number;
  readonly ref: PageRef;
  readonly page: StoredPage;
}

/** Which thread to read, and from what. */
export interface ThreadSource {
  readonly ledger: Ledger;
  readonly records: RecordStore;
  readonly threadId: string;
}

/** Pages read per step: bounds memory while a long thread is walked. */
const stepSize = 50;

/** A thread's pages, newest first, as far back as the caller reads; only those after a position. */
export async function* pagesBackwards(
  thread: ThreadSource,
  after?: number,
): AsyncGenerator<PositionedPage> {
  let before: number | undefined;
  for (;;) {
    const items = await thread.ledger.items(names.pages(thread.threadId), {
      limit: stepSize,
      newestFirst: true,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    });
    const refs = items.map((item) => ({ position: item.position, ref: toPageRef(item.value) }));
    const pages = await thread.records.readMany(refs.map(({ ref }) => ref.page));
    for (const [index, { position, ref }] of refs.entries()) {
      const page = toPage(pages[index]);
      if (page) yield { position, ref, page };
    }
    const last = items.at(-1);
    if (!last || items.length < stepSize) return;
    before = last.position;
  }
}

/** The page a run wrote, if its thread still has it. */
export async function findPage(
  thread: ThreadSource,
  runId: string,
): Promise<PositionedPage | undefined> {
  for await (const page of pagesBackwards(thread)) if (page.ref.runId === runId) return page;
  return undefined;
}

/** Removes a message's text and files from a page; the answer stays. */
export function withoutMessage(page: StoredPage, eventId: string): StoredPage {
  return changeMessage(page, eventId, {
    message: { text: "", attachments: [], quoted: [] },
    entry: { text: "(This message was deleted by its author.)", fileIds: [] },
  });
}

/** Puts an edited message's new text in place of the old one. */
export function withEditedMessage(
  page: StoredPage,
  eventId: string,
  change: Pick<IncomingMessage, "text" | "attachments">,
): StoredPage {
  return changeMessage(page, eventId, { message: change, entry: { text: change.text } });
}

function changeMessage(
  page: StoredPage,
  eventId: string,
  change: {
    readonly message: Partial<IncomingMessage>;
    readonly entry: { readonly text: string; readonly fileIds?: readonly string[] };
  },
): StoredPage {
  const changeEntry = (entry: TranscriptEntry): TranscriptEntry =>
    entry.type === "user" && entry.id === eventId ? { ...entry, ...change.entry } : entry;
  return {
    ...page,
    input: page.input.map((message) =>
      message.eventId === eventId ? { ...message, ...change.message } : message,
    ),
    entries: page.entries.map(changeEntry),
  };
}

function toPageRef(value: Json): PageRef {
  return value as unknown as PageRef;
}

function toPage(value: Json | undefined): StoredPage | undefined {
  return value === undefined ? undefined : (value as unknown as StoredPage);
}
