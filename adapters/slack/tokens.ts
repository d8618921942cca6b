import { setTimeout as wait } from "node:timers/promises";
import { BotError } from "#domain/errors";
import type { Log } from "#ports/log";
import { refusalOf } from "./failures.ts";
import type { Installation } from "./installations.ts";

/** A token is renewed when less than this is left of its twelve hours. */
const renewBeforeMs = 2 * 60 * 60_000;
/** Between Slack's answer to another process and its being kept. */
const othersKeepMs = 500;

/** Where the token of one workspace comes from. */
export interface TokenSource {
  /** True: what Slack refuses it may take again, and who needs it waits. Default: false. */
  readonly mayComeBack?: boolean;
  /** The one to use now. Throws a BotError with the reason when the access has ended. */
  current(): Promise<string>;
  /** Slack did not take it. True: there is another by now, so the call is worth repeating. */
  refused(token: string, code: string): Promise<boolean>;
}

/** A token as it is, whatever Slack says of it. */
export function fixedToken(token: string): TokenSource {
  return { current: async () => token, refused: async () => false };
}

/** What an app without access to a workspace has. */
export const noToken: TokenSource = {
  current: async () => {
    throw accessEnded();
  },
  refused: async () => false,
};

interface InstalledTokenParts {
  /** What is kept of the installation now: other processes install and renew as well. */
  readonly find: () => Promise<Installation | undefined>;
  /** Exchanges a refresh token, which is good for once. Throws the client's error. */
  readonly renew: (refreshToken: string) => Promise<Pick<Installation, "token" | "rotation">>;
  readonly keep: (installation: Installation) => Promise<void>;
  /** Told when Slack refuses the token for good, with Slack's code. */
  readonly ended: (code: string) => void;
  readonly log: Log;
  readonly now: () => number;
}

/**
 * The token of an installation: looked up, renewed in time by one call at a time, until Slack refuses
 * it for good and no other is kept.
 */
export class InstalledTokens implements TokenSource {
  readonly #teamId: string;
  readonly #parts: InstalledTokenParts;
  #installation: Installation | undefined;
  #renewing: Promise<void> | undefined;
  /** The token that is good for nothing any more. */
  #ended: string | undefined;

  constructor(teamId: string, parts: InstalledTokenParts) {
    this.#teamId = teamId;
    this.#parts = parts;
  }

  /** False once Slack has refused it for good, or the app was removed, and nobody installed it again. */
  async isGood(): Promise<boolean> {
    return (this.#installation ?? (await this.#look())) !== undefined;
  }

  async current(): Promise<string> {
    const installation = this.#installation ?? (await this.#look());
    if (!installation) throw accessEnded();
    const leftMs = this.#leftMs(installation);
    if (leftMs < renewBeforeMs) await this.#renew(leftMs <= 0);
    return this.#installation?.token ?? installation.token;
  }

  async refused(token: string, code: string): Promise<boolean> {
    if (this.#installation && token !== this.#installation.token) return true;
    const kept = await this.#look();
    if (kept && kept.token !== token) return true;
    if (code === "token_expired" && kept?.rotation) {
      await this.#renew(true);
      return true;
    }
    this.#end(token, code);
    return false;
  }

  /** The app was removed from the workspace. */
  end(): void {
    this.#ended = this.#installation?.token;
    this.#installation = undefined;
  }

  /** What is kept now, unless it has ended. */
  async #look(): Promise<Installation | undefined> {
    const kept = await this.#parts.find();
    this.#installation = kept?.token === this.#ended ? undefined : kept;
    return this.#installation;
  }

  #leftMs({ rotation }: Installation): number {
    return rotation ? rotation.expiresAtMs - this.#parts.now() : Number.POSITIVE_INFINITY;
  }

  /** Throws only when the token at hand is good for nothing. */
  async #renew(isNeeded: boolean): Promise<void> {
    this.#renewing ??= this.#exchange(this.#installation?.token).finally(() => {
      this.#renewing = undefined;
    });
    try {
      await this.#renewing;
    } catch (error) {
      const code = refusalOf(error);
      const fields = { platform: "slack", workspace: this.#teamId, problem: code ?? "unclear" };
      this.#parts.log.error(fields, "Slack token not renewed");
      if (!isNeeded) return;
      const token = this.#installation?.token;
      if (code === "invalid_refresh_token" && token !== undefined) this.#end(token, code);
      throw this.#installation ? error : accessEnded();
    }
  }

  async #exchange(old: string | undefined): Promise<void> {
    const { keep, log, renew } = this.#parts;
    const kept = await this.#look();
    // Another process has done it already.
    if (!kept?.rotation || kept.token !== old) return;
    try {
      const renewed = await renew(kept.rotation.refreshToken);
      this.#installation = { ...kept, ...renewed };
      await keep(this.#installation);
      log.info({ platform: "slack", workspace: this.#teamId }, "Slack token renewed");
    } catch (error) {
      // Two at once: the other one has what this one was refused, and keeps it in a moment.
      if (refusalOf(error) !== "invalid_refresh_token") throw error;
      await wait(othersKeepMs);
      const others = await this.#look();
      if (!others || others.token === kept.token) throw error;
    }
  }

  #end(token: string, code: string): void {
    this.#ended = token;
    this.#installation = undefined;
    this.#parts.ended(code);
  }
}

function accessEnded(): BotError {
  return new BotError("reply-impossible", { detail: "My access to this workspace has ended." });
}
