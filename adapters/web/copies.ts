import { grown } from "./page/growth.ts";
import type { ChatMessage, LiveEvent } from "./wire.ts";

/** Of replies whose end was never told, because their process died. */
const mostCopies = 1_000;

/** Replies that other processes write, as far as they told. */
export class Copies {
  readonly #messages = new Map<string, ChatMessage>();

  find(id: string): ChatMessage | undefined {
    return this.#messages.get(id);
  }

  /** False: it tells nothing that was not known. */
  take(event: LiveEvent): boolean {
    switch (event.type) {
      case "message": {
        const known = this.#messages.get(event.message.id);
        if (known && known.version >= event.message.version) return false;
        if (event.message.reply) this.#put(event.message);
        return true;
      }
      case "delta": {
        const known = this.#messages.get(event.id);
        const next = known && grown(known, event);
        // What does not follow is whole again with the next word of it, a second later at most.
        if (next) this.#put(next);
        else this.#messages.delete(event.id);
        return true;
      }
      case "remove":
        this.#messages.delete(event.id);
        return true;
      default:
        return true;
    }
  }

  release(id: string): void {
    this.#messages.delete(id);
  }

  clear(): void {
    this.#messages.clear();
  }

  #put(message: ChatMessage): void {
    this.#messages.set(message.id, message);
    const oldest = this.#messages.keys().next();
    if (this.#messages.size > mostCopies && !oldest.done) this.#messages.delete(oldest.value);
  }
}
