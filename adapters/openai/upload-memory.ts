import type { ModelTurn } from "#ports/model-backend";
import { isEmptyRemote, type RemoteFiles } from "./files.ts";

/** How many conversations are remembered; what is forgotten is only uploaded again. */
const maxConversations = 1000;

/**
 * What was uploaded for conversations whose turn did not come to a good end, so that asking it again
 * does not upload the same files again. The state of a completed turn is newer and wins.
 */
export class UploadMemory {
  readonly #byConversation = new Map<
    string,
    { readonly remote: RemoteFiles; readonly atMs: number }
  >();

  /** What is there for a turn: from memory when that is newer than the turn's state. */
  newest(turn: ModelTurn, kept: RemoteFiles): RemoteFiles {
    const known = this.#byConversation.get(turn.conversationKey);
    if (known === undefined || known.atMs <= (turn.state?.createdAtMs ?? 0)) return kept;
    return known.remote;
  }

  remember(turn: ModelTurn, remote: RemoteFiles, atMs: number): void {
    if (isEmptyRemote(remote)) return;
    this.#byConversation.delete(turn.conversationKey);
    this.#byConversation.set(turn.conversationKey, { remote, atMs });
    const [oldest] = this.#byConversation.keys();
    if (this.#byConversation.size > maxConversations && oldest !== undefined) {
      this.#byConversation.delete(oldest);
    }
  }

  /** Forgets every conversation that uses any of these. */
  forget(gone: RemoteFiles): void {
    const ids = new Set(Object.values(gone.uploads).map((file) => file.id));
    for (const [key, { remote }] of this.#byConversation) {
      const isShared =
        Object.values(remote.uploads).some((file) => ids.has(file.id)) ||
        (remote.vectorStore !== null && remote.vectorStore.id === gone.vectorStore?.id);
      if (isShared) this.#byConversation.delete(key);
    }
  }
}
