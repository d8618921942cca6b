import { expect, test, vi } from "vitest";
import type { Json } from "#domain/json";
import type { QueueState } from "#ports/run-queue";
import { WaitingMarks } from "../../src/runs/waiting-marks.ts";
import { MemoryLedger } from "../fakes/memory-ledger.ts";
import { MemoryProcesses } from "../fakes/memory-processes.ts";
import { silentLog } from "../fakes/silent-log.ts";

const mark = { owner: "chat", eventId: "e2", conversationKey: "talk", shown: { message: "m2" } };

/** A store that several processes share, and a line in which a message waits. */
class World {
  readonly ledger = new MemoryLedger();
  readonly all = new MemoryProcesses();
  readonly taken: Json[] = [];
  readonly #listeners = new Set<(conversationKey: string) => void>();
  nowMs = 1_000_000;
  waiting: readonly string[] = ["e2"];

  /** The marks of one more process. */
  join(): WaitingMarks {
    return new WaitingMarks({
      ledger: this.ledger,
      processes: this.all.join(),
      queue: {
        inspect: async (): Promise<QueueState> => ({
          waiting: this.waiting.map((eventId) => ({
            eventId,
            conversationKey: "talk",
            personKey: "ada",
            acceptedAtMs: 0,
          })),
          running: 1,
          parked: 0,
          oldestMs: 0,
        }),
        onChange: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      log: silentLog,
      now: () => this.nowMs,
    });
  }

  take = async (shown: Json): Promise<void> => {
    this.taken.push(shown);
  };

  /** Its turn has come, which all processes hear that listen. */
  turn(): void {
    this.waiting = [];
    for (const listener of this.#listeners) listener("talk");
  }

  kept = async () => [
    ...(await this.ledger.names("waiting-mark/", { limit: 10 })),
    ...(await this.ledger.ranked("waiting-marks/chat", { limit: 10 })),
  ];
}

test("a mark stays while its message waits, and goes when its turn has come", async () => {
  const world = new World();
  const marks = world.join();
  marks.listen("chat", world.take);
  await marks.keep(mark);
  world.nowMs += 600_000;
  await marks.sweep("chat");
  expect(world.taken).toEqual([]);
  world.turn();
  await vi.waitFor(async () => expect(await world.kept()).toEqual([]));
  expect(world.taken).toEqual([{ message: "m2" }]);
});

test("a mark whose turn came while it was made goes at once", async () => {
  const world = new World();
  const marks = world.join();
  marks.listen("chat", world.take);
  world.turn();
  await marks.keep(mark);
  expect(world.taken).toEqual([{ message: "m2" }]);
});

test("a mark of a process that is no more is taken away by one of the others", async () => {
  const world = new World();
  await world.join().keep(mark);
  world.turn();
  const others = [world.join(), world.join()];
  for (const other of others) other.listen("chat", world.take);
  await Promise.all(others.map((other) => other.sweep("chat")));
  expect(world.taken).toEqual([]);
  world.nowMs += 10_000;
  await Promise.all(others.map((other) => other.sweep("chat")));
  expect(world.taken).toEqual([{ message: "m2" }]);
  expect(await world.kept()).toEqual([]);
});

test("a mark that others have found goes as soon as its turn has come", async () => {
  const world = new World();
  await world.join().keep(mark);
  const other = world.join();
  other.listen("chat", world.take);
  world.nowMs += 10_000;
  await other.sweep("chat");
  world.turn();
  await vi.waitFor(() => expect(world.taken).toEqual([{ message: "m2" }]));
});

test("a process that cannot take it away leaves it to others", async () => {
  const world = new World();
  const worker = world.join();
  await worker.keep(mark);
  world.turn();
  world.nowMs += 10_000;
  await worker.sweep("chat");
  expect(await world.kept()).toHaveLength(2);
  const gateway = world.join();
  gateway.listen("chat", world.take);
  await vi.waitFor(async () => expect(await world.kept()).toEqual([]));
  expect(world.taken).toEqual([{ message: "m2" }]);
});

test("a store that cannot be reached fails nothing, and the mark goes later", async () => {
  const world = new World();
  const marks = world.join();
  marks.listen("chat", world.take);
  await marks.keep(mark);
  world.ledger.isDown = true;
  world.nowMs += 10_000;
  await marks.sweep("chat");
  world.ledger.isDown = false;
  world.waiting = [];
  await marks.sweep("chat");
  expect(world.taken).toEqual([{ message: "m2" }]);
});
