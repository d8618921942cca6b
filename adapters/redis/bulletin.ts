import type { InboxItem } from "#ports/run-queue";
import { openClient, type RedisDatabase } from "./database.ts";

/** What processes tell each other at once; whatever must not be missed is in the store, too. */
export type Notice =
  | { readonly type: "changed"; readonly conversationKey: string }
  | { readonly type: "stop"; readonly conversationKey: string }
  | { readonly type: "amended"; readonly conversationKey: string; readonly item: InboxItem };

/** What every process of the bot listens to. */
export function channelOf({ prefix }: RedisDatabase): string {
  return `${prefix}told`;
}

/** Tells the other processes of the same bot, and hears of them. */
export class Bulletin {
  readonly #database: RedisDatabase;
  readonly #channel: string;
  readonly #self: string;
  readonly #subscriber: ReturnType<typeof openClient>;

  /** `self` tells this process from the others. */
  constructor(database: RedisDatabase, self: string) {
    this.#database = database;
    this.#channel = channelOf(database);
    this.#self = self;
    this.#subscriber = openClient(database.url, "patient");
    // The database's own connection reports what is wrong.
    this.#subscriber.on("error", () => undefined);
  }

  async listen(hear: (notice: Notice) => void): Promise<void> {
    await this.#subscriber.connect();
    await this.#subscriber.subscribe(this.#channel, (text) => {
      const { from, notice } = JSON.parse(text);
      if (from !== this.#self) hear(notice);
    });
  }

  /** Never fails: nobody may be there to hear it. */
  tell(notice: Notice): void {
    const text = JSON.stringify({ from: this.#self, notice });
    this.#database.send(["PUBLISH", this.#channel, text]).catch(() => undefined);
  }

  close(): void {
    if (this.#subscriber.isOpen) this.#subscriber.destroy();
  }
}
