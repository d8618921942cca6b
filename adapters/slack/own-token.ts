import { BotError } from "#domain/errors";
import type { Alarm } from "./alarm.ts";
import type { TokenSource } from "./tokens.ts";

/** How often Slack is asked whether it takes a token again that it has refused, in milliseconds. */
const askAgainAfterMs = 30_000;

interface OwnTokenParts {
  readonly token: string;
  /** Told once when Slack refuses it, with Slack's code, and once when it takes it again. */
  readonly onChange: (refused: string | undefined) => void;
  /** Resolves when Slack takes it. */
  readonly check: () => Promise<unknown>;
  readonly after: Alarm;
}

/**
 * The one token that is set. Nothing is called with it once Slack has refused it, until Slack takes it
 * again: it may have been wrong.
 */
export class OwnToken implements TokenSource {
  readonly mayComeBack = true;
  readonly #parts: OwnTokenParts;
  #refused: string | undefined;
  #callOff: () => void = () => undefined;

  constructor(parts: OwnTokenParts) {
    this.#parts = parts;
  }

  /** Slack's code; undefined while it takes the token. */
  get refusedWith(): string | undefined {
    return this.#refused;
  }

  async current(): Promise<string> {
    if (this.#refused === undefined) return this.#parts.token;
    const detail = "My access to this workspace has ended.";
    throw new BotError("platform-unavailable", { detail });
  }

  async refused(_token: string, code: string): Promise<boolean> {
    if (this.#refused !== undefined) return false;
    this.#refused = code;
    this.#parts.onChange(code);
    this.#askLater();
    return false;
  }

  /** Slack is asked no more. */
  end(): void {
    this.#callOff();
  }

  #askLater(): void {
    this.#callOff = this.#parts.after(askAgainAfterMs, () => {
      this.#parts.check().then(
        () => {
          this.#refused = undefined;
          this.#parts.onChange(undefined);
        },
        () => this.#askLater(),
      );
    });
  }
}
