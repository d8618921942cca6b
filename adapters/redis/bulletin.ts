import type { InboxItem } from "#ports/run-queue";
import { openClient, type RedisDatabase } from "./database.ts";

/**
 * What processes tell each other at once; whatever must not be missed is in the store, too. Most changes
 * are told by the step that makes them (`lua/inbox.lua`).
 */
export type Notice =
  | { readonly type: "changed"; readonly conversationKey: string }
  | { readonly type: "stop"; readonly conversationKey: string }
  | { readonly type: "amended"; readonly conversationKey: string; readonly item: InboxItem };

/** What a script tells the processes: the channel, and the words. */
export type News = readonly [channel: string, text: string];

/** What every process of the bot listens to. */
export function channelOf({ channels }: RedisDatabase): string {
  return `${channels}told`;
}

function changesOf({ channels }: RedisDatabase): string {
  return `${channels}changed`;
}

/** Tells the other processes of the same bot, and hears of them. */
export class Bulletin {
  readonly #database: RedisDatabase;
  readonly #self: string;
  readonly #subscriber: ReturnType<typeof openClient>;
  #hear: (notice: Notice) => void = () => undefined;
  #follows = false;

  /** `self` tells this process from the others. */
  constructor(database: RedisDatabase, self: string) {
    this.#database = database;
    this.#self = self;
    this.#subscriber = openClient(database.url, "patient");
    // The database's own connection reports what is wrong.
    this.#subscriber.on("error", () => undefined);
  }

  /** Hears what others must do: stops and amendments. */
  async listen(hear: (notice: Notice) => void): Promise<void> {
    this.#hear = hear;
    await this.#subscriber.connect();
    await this.#subscribe(channelOf(this.#database));
  }

  /** From now on hears of changes, too: many, which are nobody's business but that of who shows them. */
  follow(): void {
    if (this.#follows) return;
    this.#follows = true;
    // Redis' client subscribes by itself once it can.
    this.#subscribe(changesOf(this.#database)).catch(() => undefined);
  }

  /** Never fails: nobody may be there to hear it. */
  tell(notice: Notice): void {
    this.#database.send(["PUBLISH", ...this.#newsOf(notice)]).catch(() => undefined);
  }

  /** That a line changed, for the step that changes it to tell. */
  changed(conversationKey: string): News {
    return this.#newsOf({ type: "changed", conversationKey });
  }

  #newsOf(notice: Notice): News {
    const channels = notice.type === "changed" ? changesOf : channelOf;
    return [channels(this.#database), JSON.stringify({ from: this.#self, notice })];
  }

  #subscribe(channel: string): Promise<void> {
    return this.#subscriber.subscribe(channel, (text) => {
      const { from, notice } = JSON.parse(text);
      if (from !== this.#self) this.#hear(notice);
    });
  }

  close(): void {
    if (this.#subscriber.isOpen) this.#subscriber.destroy();
  }
}
