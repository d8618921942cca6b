import type { IncomingMessage } from "#domain/message";
import type { MessageAnswer, PressAnswer } from "#ports/bot";
import type { Screen } from "../fakes/fake-platform.ts";

/** What the bot's process asks of the world outside; every call is a message between processes. */
export interface OutsideCalls {
  create: Screen["create"];
  edit: Screen["edit"];
  remove: Screen["remove"];
  findByIntent: Screen["findByIntent"];
  /** A lease of a conversation has begun. */
  began(conversationKey: string, epoch: string): Promise<void>;
  /** A turn is asked of the model; answers how many were asked for this text before. */
  turn(text: string, turn: number): Promise<number>;
  resumed(text: string): Promise<void>;
  /** Resolves once a conversation shows this many characters of a reply: the model's pace. */
  shown(conversationKey: string, characters: number): Promise<void>;
  /** A tool does what cannot be undone. */
  effect(name: string): Promise<void>;
}

/** What the world outside asks of the bot's process. */
export interface BotCalls {
  message(message: IncomingMessage): Promise<MessageAnswer>;
  amend(change: { message: IncomingMessage; changeId: string; delete: boolean }): Promise<string>;
  decide(requestId: string, decision: "approve" | "decline"): Promise<PressAnswer>;
  /** How many messages and runs the store still has to see to their end. */
  unsettled(): Promise<number>;
  /** Ends politely, as at SIGTERM. */
  stop(graceMs: number): Promise<void>;
}

type Calls = { [name: string]: (...args: never[]) => Promise<unknown> };
type Wire =
  | { readonly type: "call"; readonly id: number; readonly name: string; readonly args: unknown[] }
  | {
      readonly type: "result";
      readonly id: number;
      readonly value?: unknown;
      readonly error?: string;
    };

/** One end of a line between two processes. */
export interface Line {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
}

/** Calls over the line what the other end answers. A call whose other end died never returns. */
export function callOver<Others extends object>(line: Line, own: object): Others {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let lastId = 0;
  line.onMessage((message) => {
    const wire = message as Wire;
    if (wire.type === "result") {
      const call = waiting.get(wire.id);
      waiting.delete(wire.id);
      if (wire.error === undefined) call?.resolve(wire.value);
      else call?.reject(new Error(wire.error));
      return;
    }
    const work = (own as Calls)[wire.name];
    const args = wire.args as never[];
    Promise.resolve()
      .then(() => work?.(...args))
      .then(
        (value) => line.send({ type: "result", id: wire.id, value } satisfies Wire),
        (error) => line.send({ type: "result", id: wire.id, error: String(error) } satisfies Wire),
      );
  });
  return new Proxy({} as Others, {
    get:
      (_target, name) =>
      (...args: unknown[]) =>
        new Promise((resolve, reject) => {
          lastId += 1;
          waiting.set(lastId, { resolve, reject });
          line.send({ type: "call", id: lastId, name: String(name), args } satisfies Wire);
        }),
  });
}
