import { BotError } from "#domain/errors";
import type { Ledger } from "#ports/ledger";
import type { Workspace } from "./inbound.ts";
import type { SecretBox } from "./secret-box.ts";

const prefix = "slack/installation/";
const pageSize = 500;

/** The app in one workspace, with what it may act with there. */
export interface Installation {
  readonly workspace: Workspace;
  readonly teamName: string;
  readonly token: string;
  /** With these the token lives twelve hours, and is renewed. */
  readonly rotation?: { readonly refreshToken: string; readonly expiresAtMs: number };
}

/** Where the app is installed. Durable, and sealed: who reads the data file has no token. */
export class Installations {
  readonly #ledger: Ledger;
  readonly #box: SecretBox;

  constructor(ledger: Ledger, box: SecretBox) {
    this.#ledger = ledger;
    this.#box = box;
  }

  /** Throws a BotError when they were sealed with another key. */
  async all(): Promise<readonly Installation[]> {
    const found: Installation[] = [];
    let after: string | undefined;
    for (;;) {
      const page = { limit: pageSize, ...(after === undefined ? {} : { after }) };
      const names = await this.#ledger.names(prefix, page);
      for (const name of names) {
        const register = await this.#ledger.read(name);
        if (register) found.push(this.#opened(name, String(register.value)));
      }
      after = names.at(-1);
      if (names.length < pageSize) return found;
    }
  }

  /** Throws as {@link all} does. */
  async find(teamId: string): Promise<Installation | undefined> {
    const name = `${prefix}${teamId}`;
    const register = await this.#ledger.read(name);
    return register && this.#opened(name, String(register.value));
  }

  async put(installation: Installation): Promise<void> {
    const name = `${prefix}${installation.workspace.teamId}`;
    const value = this.#box.seal(name, JSON.stringify(installation));
    await this.#ledger.apply({ registers: [{ name, value }] });
  }

  async remove(teamId: string): Promise<void> {
    await this.#ledger.apply({ registers: [{ name: `${prefix}${teamId}`, value: null }] });
  }

  #opened(name: string, sealed: string): Installation {
    try {
      return JSON.parse(this.#box.open(name, sealed));
    } catch (error) {
      const team = name.slice(prefix.length);
      throw new BotError("not-allowed", {
        detail: `What is kept of the Slack workspace ${team} cannot be read with SLACK_INSTALLATIONS_KEY: set the key it was kept with.`,
        cause: error,
      });
    }
  }
}
