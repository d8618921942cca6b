import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { LiveEvent, UploadAnswer, Words } from "../../adapters/web/wire.ts";
import { hasRedis } from "../adapters/redis/server.ts";
import { EventReader } from "../adapters/web/web-harness.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import type { BobbinProcess } from "../fakes/bobbin-process.ts";

const patience = { timeout: 60_000, interval: 50 } as const;

/** The live feed of a window at a gateway. */
async function feedOf(gateway: BobbinProcess): Promise<EventReader> {
  const { body } = await gateway.get("console/api/events?as=Ada");
  if (!body) throw new Error("there is no feed");
  return new EventReader(body);
}

async function nextThat(
  feed: EventReader,
  isMeant: (event: LiveEvent) => boolean,
): Promise<LiveEvent> {
  for (;;) {
    const event = await feed.next();
    if (!event) throw new Error("the feed has ended");
    if (isMeant(event)) return event;
  }
}

async function post(gateway: BobbinProcess, path: string, body: string, type: string) {
  const response = await fetch(new URL(`console/api/${path}`, gateway.url), {
    method: "POST",
    headers: { origin: new URL(gateway.url).origin, "content-type": type },
    body,
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response.json();
}

describe.skipIf(!hasRedis)("the console of several processes", () => {
  test("shows at every gateway, while they grow, the answers that workers draw", async () => {
    await using fleet = await BobbinFleet.open();
    const [first, second] = await Promise.all([
      fleet.start("gateway"),
      fleet.start("gateway"),
      fleet.start("worker"),
    ]);
    const feeds = await Promise.all([first, second].map(feedOf));
    await first.say("slow 3");
    for (const feed of feeds) {
      await nextThat(
        feed,
        (event) => event.type === "message" && event.message.reply !== undefined,
      );
      await nextThat(feed, ({ type }) => type === "delta");
      await nextThat(
        feed,
        (event) => event.type === "delta" && event.patch?.set.status === "completed",
      );
    }
    for (const gateway of [first, second]) {
      await expect.poll(async () => (await gateway.answers()).length, patience).toBe(1);
    }

    // A file that came in at one gateway is read by the worker.
    const table = "name,amount\nlace,40\nyarn,2\n";
    const sent = await post(second, "files?as=Ada&name=sales.csv", table, "text/csv");
    const { file } = sent as UploadAnswer;
    const asked = { channel: "@ada", root: null, text: "sum of amount", fileIds: [file.id] };
    const message = JSON.stringify({ nonce: "the-sum-of-it", ...asked });
    await post(second, "messages?as=Ada", message, "application/json");
    await expect.poll(async () => (await first.answers()).at(-1)?.text, patience).toContain("42");

    // A lost connection to Redis may have lost words: the windows load anew.
    await fleet.redis.kill();
    await fleet.redis.run();
    for (const feed of feeds) await nextThat(feed, ({ type }) => type === "reset");
    await expect.poll(async () => (await second.get("readyz")).status, patience).toBe(200);
    await second.say("calculate 6 * 8");
    await expect.poll(async () => (await first.answers()).at(-1)?.text, patience).toContain("48");
  }, 150_000);

  test("what is asked of a person is answered at any gateway, and another worker goes on with it", async () => {
    await using fleet = await BobbinFleet.open();
    const [first, second, worker] = await Promise.all([
      fleet.start("gateway"),
      fleet.start("gateway"),
      fleet.start("worker"),
    ]);
    const fields = [{ id: "dish", label: "What do you want?", choices: ["Soup", "Salad"] }];
    await first.say(`call ask_form ${JSON.stringify({ title: "Lunch", fields })}`);
    const open = async () => {
      const requests = (await second.messages()).flatMap(({ reply }) => reply?.requests ?? []);
      return requests.map(({ id }) => id);
    };
    await expect.poll(open, patience).toHaveLength(1);
    const [requestId = ""] = await open();
    await worker.end("SIGKILL");
    await fleet.start("worker");
    const decide = async (gateway: BobbinProcess, dish: string) => {
      const decision = { type: "answer", answers: { dish } };
      const body = JSON.stringify({ requestId, decision });
      return (await post(gateway, "decide?as=Ada", body, "application/json")) as Words;
    };
    expect(await decide(second, "Salad")).toMatchObject({ ok: true });
    await expect
      .poll(async () => (await first.answers()).at(-1)?.text, patience)
      .toContain("Salad");
    expect(await decide(first, "Soup")).toMatchObject({ ok: false });
    expect(await first.answers()).toHaveLength(1);
  }, 150_000);

  test("a process with a folder of its own is refused, with what to do", async () => {
    await using fleet = await BobbinFleet.open();
    await fleet.start("gateway");
    const stray = await fleet.start("worker", {
      until: "begun",
      env: { DATA_DIR: join(fleet.folder, "elsewhere") },
    });
    expect(await stray.exit()).toBe(1);
    expect(stray.stderr).toContain("is not the folder in which the other processes");
  }, 60_000);
});
