import type { Client } from "discord.js";
import type { Bot } from "#ports/bot";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import { isIn, type ShardSet } from "./shard-sets.ts";

const known = "discord/guilds";
const mostGuilds = 100_000;

/** What becomes of a server's conversations when the bot is removed from it. */
export type OnLeave = "forget" | "keep";

interface GuildParts {
  /** Whose servers these are. */
  readonly set: ShardSet;
  readonly ledger: Ledger;
  readonly onLeave: OnLeave;
  readonly bot: () => Bot;
  readonly log: Log;
  readonly now: () => number;
}

/** Remembers the servers the bot is in, so that leaving one is noticed also while it was down. */
export class Guilds {
  readonly #parts: GuildParts;

  constructor(parts: GuildParts) {
    this.#parts = parts;
  }

  /** Compares what was known with what is: who was removed meanwhile has left. Never throws. */
  async compare(client: Client<true>): Promise<void> {
    await this.#safely("all", async () => {
      const before = (await this.#known()).filter((id) => isIn(id, this.#parts.set));
      const present = new Set(client.guilds.cache.keys());
      for (const id of present) {
        if (!before.includes(id)) await this.#remember(id);
      }
      for (const id of before) if (!present.has(id)) await this.left(id);
    });
  }

  /** The servers the bot is in: those of the client, and those that others hear. */
  async all(client: Client): Promise<readonly string[]> {
    const { set } = this.#parts;
    const others = set.sets === 1 ? [] : await this.#known();
    return [...client.guilds.cache.keys(), ...others.filter((id) => !isIn(id, set))];
  }

  async joined(guildId: string): Promise<void> {
    await this.#safely(guildId, () => this.#remember(guildId));
  }

  /** The bot was removed: by policy what was said there goes, too. Repeated until it has worked. */
  async left(guildId: string): Promise<void> {
    const { bot, ledger, log, now, onLeave } = this.#parts;
    await this.#safely(guildId, async () => {
      if (onLeave === "forget") {
        const eventId = `discord:left:${guildId}:${now()}`;
        await bot().leave({ eventId, keyPrefix: `discord:${guildId}:` });
      }
      await ledger.apply({ ranks: [{ ranking: known, member: guildId, score: null }] });
      log.info({ platform: "discord", guild: guildId, policy: onLeave }, "server left");
    });
  }

  async #known(): Promise<readonly string[]> {
    const ranked = await this.#parts.ledger.ranked(known, { limit: mostGuilds });
    return ranked.map(({ member }) => member);
  }

  async #remember(guildId: string): Promise<void> {
    const rank = { ranking: known, member: guildId, score: this.#parts.now() };
    await this.#parts.ledger.apply({ ranks: [rank] });
  }

  /** One server's failure stays there. */
  async #safely(guild: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.error({ platform: "discord", guild, error }, "server not looked after");
    }
  }
}
