import { shortened } from "#domain/shortened";
import type { Ledger } from "#ports/ledger";
import type { Log } from "#ports/log";
import type { Courtesies } from "./courtesies.ts";
import { eventIdOf, type SlackTarget } from "./inbound.ts";

/** Longer titles are cut off in Slack's list of conversations. */
const mostTitle = 60;
/** This many calls a minute are left to what people wait for. */
const keptBack = 10;

/** Names conversations after their first message, once: a name somebody gave is theirs. */
export class Titles {
  readonly #courtesies: Courtesies;
  readonly #ledger: Ledger;
  readonly #log: Log;

  constructor(parts: {
    readonly courtesies: Courtesies;
    readonly ledger: Ledger;
    readonly log: Log;
  }) {
    this.#courtesies = parts.courtesies;
    this.#ledger = parts.ledger;
    this.#log = parts.log;
  }

  /** Gives a conversation its title, once it has a session. Never throws. */
  async give({ team, channel, threadTs, title }: SlackTarget): Promise<void> {
    if (title === undefined) return;
    const method = "agents.sessions.rename";
    if (this.#courtesies.available(method) < keptBack) return;
    try {
      if (!(await this.taken(eventIdOf(team, channel, threadTs)))) return;
    } catch (error) {
      this.#log.warn({ platform: "slack", err: error }, "title not looked up");
      return;
    }
    await this.#courtesies.try(method, { channel_id: channel, thread_ts: threadTs, title });
  }

  /** It has a title now. False: it had one already. */
  taken(threadKey: string): Promise<boolean> {
    const name = `slack/title/${threadKey}`;
    return this.#ledger.apply({ registers: [{ name, value: true, ifVersion: 0 }] });
  }
}

/** A conversation's title from its first message; undefined when that says nothing. */
export function titleOf(text: string): string | undefined {
  const words = text.replace(/[:\s]+/g, " ").trim();
  return words === "" ? undefined : shortened(words, mostTitle);
}
