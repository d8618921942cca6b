import type { Ledger } from "#ports/ledger";
import type { Platform } from "#ports/platform";
import type { HandOverChannel } from "../../src/runs/hand-over.ts";

/** Who walks through an assistant; Boss manages the channel. */
export type Walker = "Ada" | "Grace" | "Boss";

/** What the bot has answered in a thread since the last word of a person. */
export interface Shown {
  readonly text: string;
  /** Words of everything that can be pressed. */
  readonly controls: readonly string[];
  readonly files: readonly { readonly name: string; readonly altText: string | undefined }[];
  /** False while it is written, or waits for somebody. */
  readonly isDone: boolean;
}

/** One chat thread, as people at their clients use it. */
export interface Talk {
  says(who: Walker, text: string, file?: { name: string; text: string }): Promise<void>;
  shown(): Promise<Shown>;
  /** Opens the form that is asked and answers its fields in order; tells what they read then, if anything. */
  answers(who: Walker, values: readonly string[]): Promise<() => string | undefined>;
  /** Presses a button of the newest answer; gives the words only they read, if any come at once. */
  presses(who: Walker, control: string): Promise<void>;
  /** What only they were told here, so far. */
  whispersTo(who: Walker): Promise<string>;
}

/** A chat platform with people in a channel, walked through as they would. */
export interface Stage {
  readonly name: string;
  /** The platform as a process of the bot makes it. */
  create(ledger: Ledger): Platform;
  /** Boss's key, for the bot's list of admins. */
  readonly boss: string;
  /** Where people are called to. */
  readonly staff: HandOverChannel;
  /** What stands in the staff's channel: words with the names and contents of files. */
  staffReads(): Promise<string>;
  talk(): Talk;
  end(): Promise<void>;
}

/** A message as both wire servers show it. */
interface SeenMessage {
  readonly text: string;
  readonly controls: readonly string[];
  readonly files: readonly {
    readonly name: string;
    readonly altText: string | undefined;
    readonly bytes: Uint8Array;
  }[];
}

/** The messages of an answer, together. */
export function shownIn(seen: readonly SeenMessage[]): Shown {
  const controls = seen.flatMap((one) => one.controls);
  return {
    text: seen.map(({ text }) => text).join("\n"),
    controls,
    files: seen.flatMap(({ files }) => files),
    isDone: controls.includes("Good answer"),
  };
}

/** The newest message that has a control. */
export function messageWith<M extends SeenMessage>(seen: readonly M[], control: string): M {
  const found = seen.findLast(({ controls }) => controls.includes(control));
  if (!found) throw new Error(`there is no ${control}`);
  return found;
}

/** Words of messages with what their files hold. */
export function textsWithFiles(
  messages: readonly {
    readonly text: string;
    readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  }[],
): string {
  return messages
    .flatMap(({ text, files }) => [
      text,
      ...files.map(({ name, bytes }) => `[${name}]\n${new TextDecoder().decode(bytes)}`),
    ])
    .join("\n");
}
