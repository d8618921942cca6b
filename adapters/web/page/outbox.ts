import type { PostAnswer } from "../wire.ts";
import { attempt, type PageContext } from "./context.ts";

/** Who waits longer than this is shown that it is still being sent. */
const slowMs = 400;

/** What a person sent, as long as the server has not taken it. */
export interface Unsent {
  /** The same at every try, so that it is one message. */
  readonly nonce: string;
  readonly channel: string;
  readonly root: string | null;
  readonly text: string;
  readonly fileIds: readonly string[];
  /** The message whose text it replaces; absent: it is a message of its own. */
  readonly changes?: string;
}

/** The composer something was sent from, or the one that stands in the same place now. */
export interface Sender {
  /** What takes longer than a moment. */
  showUnsent(unsent: readonly Unsent[]): void;
  arrived(unsent: Unsent, answer: PostAnswer): void;
  /** It was refused, or nobody answered. False: this composer is closed, the words go to the draft. */
  giveBack(unsent: Unsent): boolean;
}

/**
 * Sends what people write, in the order of each place, and keeps it until the server has it: over a
 * reload, and while another place is open. What cannot be sent goes back to where it was written.
 */
export class Outbox {
  readonly #page: PageContext;
  readonly #senders = new Map<string, Sender>();
  readonly #lines = new Map<string, Promise<void>>();
  readonly #slow = new Set<string>();
  #unsent: readonly Unsent[];

  constructor(page: PageContext) {
    this.#page = page;
    this.#unsent = JSON.parse(sessionStorage.getItem(this.#storageKey()) ?? "[]");
    for (const unsent of this.#unsent) this.#queue(unsent);
  }

  /** From now on this composer is told what becomes of what is sent from its place. */
  attach(channel: string, root: string | null, sender: Sender): void {
    this.#senders.set(placeKey({ channel, root }), sender);
    this.#tell({ channel, root });
  }

  send(unsent: Unsent): void {
    this.#keep([...this.#unsent, unsent]);
    this.#queue(unsent);
  }

  #queue(unsent: Unsent): void {
    const key = placeKey(unsent);
    const before = this.#lines.get(key) ?? Promise.resolve();
    this.#lines.set(
      key,
      before.then(() => this.#deliver(unsent)),
    );
  }

  /** Never rejects. */
  async #deliver(unsent: Unsent): Promise<void> {
    const { api, store } = this.#page;
    const { nonce, channel, root, text, fileIds, changes } = unsent;
    const timer = setTimeout(() => {
      this.#slow.add(nonce);
      this.#tell(unsent);
    }, slowMs);
    const answer = await attempt(this.#page, () =>
      changes === undefined
        ? api.post({ nonce, channel, root, text, fileIds })
        : api.edit(changes, text, nonce),
    );
    clearTimeout(timer);
    this.#slow.delete(nonce);
    this.#keep(this.#unsent.filter((one) => one !== unsent));
    this.#tell(unsent);
    const sender = this.#senders.get(placeKey(unsent));
    if (!answer) {
      if (!sender?.giveBack(unsent)) keepDraft(unsent, joined(text, draftOf(unsent)));
      return;
    }
    if (answer.message) store.take(answer.message);
    if (answer.words) {
      store.whisper(channel, root, text.startsWith("/") ? text : "", answer.words);
    }
    sender?.arrived(unsent, answer);
  }

  #tell(place: Place): void {
    const key = placeKey(place);
    const here = this.#unsent.filter((one) => placeKey(one) === key);
    // What stands behind a slow one waits, too.
    const isSlow = here.some(({ nonce }) => this.#slow.has(nonce));
    this.#senders.get(key)?.showUnsent(isSlow ? here : []);
  }

  #keep(unsent: readonly Unsent[]): void {
    this.#unsent = unsent;
    sessionStorage.setItem(this.#storageKey(), JSON.stringify(unsent));
  }

  /** Nobody's words are sent under another name. */
  #storageKey(): string {
    return `unsent ${this.#page.store.state.person.key}`;
  }
}

type Place = Pick<Unsent, "channel" | "root">;

/** What is written in a place and not sent; a reload keeps it. */
export function draftOf(place: Place): string {
  return sessionStorage.getItem(draftKey(place)) ?? "";
}

/** Keeps what is written in a place; nothing: forgets it. */
export function keepDraft(place: Place, text: string): void {
  if (text === "") sessionStorage.removeItem(draftKey(place));
  else sessionStorage.setItem(draftKey(place), text);
}

/** Words that came back, before those written since. */
export function joined(returned: string, written: string): string {
  return written === "" ? returned : `${returned}\n${written}`;
}

function draftKey(place: Place): string {
  return `draft ${placeKey(place)}`;
}

function placeKey({ channel, root }: Place): string {
  return `${channel} ${root ?? ""}`;
}
