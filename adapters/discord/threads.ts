import type { Ledger } from "#ports/ledger";

/** What is remembered of chat threads. Durable. */
export class Threads {
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** From now on the bot takes part in a thread it has not opened itself: a forum post that asks it. */
  async join(threadId: string): Promise<void> {
    await this.#write(`${prefix}joined/${threadId}`, true);
  }

  async isJoined(threadId: string): Promise<boolean> {
    return (await this.#ledger.read(`${prefix}joined/${threadId}`)) !== undefined;
  }

  /** A message answered in the channel itself belongs to the conversation that this one began. */
  async rememberRoot(messageId: string, root: string): Promise<void> {
    await this.#write(`${prefix}root/${messageId}`, root);
  }

  async rootOf(messageId: string): Promise<string | undefined> {
    const register = await this.#ledger.read(`${prefix}root/${messageId}`);
    return typeof register?.value === "string" ? register.value : undefined;
  }

  /** True only the first time for each key: what is said once. */
  async isFirst(key: string): Promise<boolean> {
    const change = { name: `${prefix}once/${key}`, value: true, ifVersion: 0 };
    return this.#ledger.apply({ registers: [change] });
  }

  async #write(name: string, value: string | true): Promise<void> {
    await this.#ledger.apply({ registers: [{ name, value }] });
  }
}

const prefix = "discord/";
