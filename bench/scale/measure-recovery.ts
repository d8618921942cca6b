import { setTimeout as wait } from "node:timers/promises";
import { RedisServer } from "../../test/adapters/redis/server.ts";
import { BotChild } from "../../test/crash/bot-child.ts";
import { OutsideWorld } from "../../test/crash/outside-world.ts";
import { nowMs, percentile } from "../statistics.ts";

/** As the program has it by default. */
const lease = { lockMs: 5_000, checkMs: 2_000 } as const;
const processes = 3;
const conversations = 12;
const patienceMs = 60_000;

/** How one process is known to the world outside. */
interface Member {
  readonly name: string;
  readonly child: BotChild;
}

/** Processes of a bot whose replies stay half-way until they are let go. */
class HeldReplies {
  readonly #world = new OutsideWorld();
  readonly #folder: string;
  readonly #url: string;
  /** Which process asked the model last for the answer to a text, and when. */
  readonly #asked = new Map<string, { readonly by: string; readonly atMs: number }>();
  #gate = Promise.withResolvers<void>();
  #members: readonly Member[] = [];
  #started = 0;

  constructor(folder: string, url: string) {
    this.#folder = folder;
    this.#url = url;
  }

  async fill(): Promise<void> {
    while (this.#members.length < processes) {
      this.#started += 1;
      const name = `bot${this.#started}`;
      const calls = this.#world.callsOf(name);
      const outside = {
        ...calls,
        turn: (text: string, turn: number) => {
          this.#asked.set(text, { by: name, atMs: nowMs() });
          return calls.turn(text, turn);
        },
        shown: async (_key: string, characters: number) => {
          if (characters > 0) await this.#gate.promise;
        },
      };
      const redis = { url: this.#url, ...lease };
      const child = await BotChild.start({ folder: this.#folder, outside, redis });
      this.#members = [...this.#members, { name, child }];
    }
  }

  /** Has a reply begun in so many conversations, and says to which texts. */
  async begin(round: number): Promise<readonly string[]> {
    this.#gate = Promise.withResolvers();
    const texts = Array.from({ length: conversations }, (_, index) => `long ${round}x${index}-`);
    for (const [index, text] of texts.entries()) {
      const { child } = this.#members[index % processes] as Member;
      await child.bot.message(this.#world.message(text, text));
    }
    await until(() => texts.every((text) => this.#asked.has(text)));
    return texts;
  }

  /** Kills the process with the most of them; resolves to how long each of its own took to go on. */
  async kill(texts: readonly string[]): Promise<readonly number[]> {
    const ofEach = Map.groupBy(texts, (text) => this.#asked.get(text)?.by);
    const [victim] = this.#members.toSorted(
      (a, b) => (ofEach.get(b.name)?.length ?? 0) - (ofEach.get(a.name)?.length ?? 0),
    );
    if (!victim) throw new Error("there is nobody to kill");
    const { name } = victim;
    const killedAtMs = nowMs();
    await victim.child.kill();
    this.#members = this.#members.filter((member) => member !== victim);
    const own = ofEach.get(name) ?? [];
    await until(() => own.every((text) => this.#asked.get(text)?.by !== name));
    return own.map((text) => (this.#asked.get(text)?.atMs ?? Number.NaN) - killedAtMs);
  }

  /** Lets every reply come to its end. */
  async letGo(): Promise<void> {
    this.#gate.resolve();
    await until(async () => (await this.#members[0]?.child.bot.unsettled()) === 0);
  }

  async end(): Promise<void> {
    for (const { child } of this.#members) await child.kill();
  }
}

/** How soon the conversations of a process go on elsewhere that is killed in mid-reply; a report in Markdown. */
export async function measureRecovery(folder: string, kills: number): Promise<string> {
  const server = await RedisServer.start();
  const replies = new HeldReplies(folder, server.url);
  const tookMs: number[] = [];
  for (let round = 1; round <= kills; round += 1) {
    await replies.fill();
    const texts = await replies.begin(round);
    // Any time since the lease was renewed last.
    await wait(Math.random() * lease.lockMs);
    tookMs.push(...(await replies.kill(texts)));
    await replies.letGo();
  }
  await replies.end();
  await server.remove();
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  return [
    `| kills of one of ${processes} processes in mid-reply | conversations | going on elsewhere within, p50 | p95 | the last |`,
    "| ---: | ---: | ---: | ---: | ---: |",
    `| ${kills} | ${tookMs.length} | ${seconds(percentile(tookMs, 0.5))} | ${seconds(percentile(tookMs, 0.95))} | ${seconds(Math.max(...tookMs))} |`,
    "",
  ].join("\n");
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = nowMs() + patienceMs;
  while (!(await isSo())) {
    if (nowMs() > deadlineMs) throw new Error("what was waited for has not come");
    await wait(5);
  }
}
