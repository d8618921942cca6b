import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { createSqliteLedger } from "../../../adapters/sqlite/ledger.ts";
import { Scratch } from "./scratch.ts";

const kills = 100;
const conversations = 5;

const scratch = new Scratch();
afterEach(() => scratch.remove());

/** A platform that sends what was not acknowledged again, and a process that is killed. */
class Sender {
  readonly sent: { readonly eventId: string; readonly conversationKey: string }[] = [];
  readonly acknowledged = new Set<string>();
  readonly #path: string;
  #process: ChildProcessByStdio<Writable, Readable, null> | undefined;
  /** How many messages are not done; undefined until the process has answered. */
  open: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  begin(): void {
    const script = fileURLToPath(new URL("./answering-process.ts", import.meta.url));
    this.#process = spawn(process.execPath, [script, this.#path], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    // A process that is killed does not read any more.
    this.#process.stdin.on("error", () => undefined);
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const said = JSON.parse(line);
      if (said.accepted) this.acknowledged.add(said.accepted);
      else this.open = said.open;
    });
    for (const message of this.sent) {
      if (!this.acknowledged.has(message.eventId)) this.#say(message);
    }
  }

  send(): void {
    const index = this.sent.length;
    const message = { eventId: `e${index}`, conversationKey: `talk${index % conversations}` };
    this.sent.push(message);
    this.#say(message);
  }

  inspect(): void {
    this.#say({ inspect: true });
  }

  async kill(): Promise<void> {
    if (!this.#process) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }

  #say(line: object): void {
    this.#process?.stdin.write(`${JSON.stringify(line)}\n`);
  }
}

test(`${kills} kills at random instants lose nothing, double nothing, and keep the order`, async () => {
  const path = scratch.path();
  const sender = new Sender(path);
  for (let kill = 0; kill < kills; kill += 1) {
    sender.begin();
    const before = sender.acknowledged.size;
    const few = Math.floor(Math.random() * 40);
    for (let index = 0; index <= few; index += 1) sender.send();
    await vi.waitFor(
      () => expect(sender.acknowledged.size).toBeGreaterThan(before + Math.random() * few),
      { timeout: 20_000, interval: 1 },
    );
    await sender.kill();
  }
  sender.begin();
  await vi.waitFor(
    () => {
      sender.inspect();
      expect(sender.acknowledged.size).toBe(sender.sent.length);
      expect(sender.open).toBe(0);
    },
    { timeout: 60_000, interval: 50 },
  );
  await sender.kill();

  const ledger = createSqliteLedger(scratch.open(path));
  for (let index = 0; index < conversations; index += 1) {
    const conversationKey = `talk${index}`;
    const answered = await ledger.items(conversationKey, { limit: 1e6 });
    expect(answered.map(({ value }) => value)).toEqual(
      sender.sent
        .filter((message) => message.conversationKey === conversationKey)
        .map(({ eventId }) => eventId),
    );
  }
});
