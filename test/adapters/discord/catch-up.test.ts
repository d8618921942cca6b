import { GatewayOpcodes } from "discord-api-types/v10";
import { describe, expect, onTestFinished, test } from "vitest";
import type { LedgerChange } from "#ports/ledger";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import type { DiscordServer } from "../../wire/discord/discord-server.ts";
import { discordForTest } from "../../wire/discord/tiny-bot.ts";
import { createDiscord } from "./discord-harness.ts";

/** A store that can be out of reach. */
class MortalLedger extends MemoryLedger {
  isDead = false;

  override async apply(change: LedgerChange): Promise<boolean> {
    if (this.isDead) throw new Error("the store is gone");
    return super.apply(change);
  }
}

/** A program that can end and begin again; the bot remembers what it has accepted, as its store would. */
async function scene() {
  const discord = await discordForTest();
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const ledger = new MortalLedger();
  const bot = new FakeBot();
  const clock = { aheadMs: 0 };
  const begin = async () => {
    const platform = createDiscord(discord, { ledger, now: () => Date.now() + clock.aheadMs });
    await platform.start(bot);
    onTestFinished(() => platform.stop());
    return platform;
  };
  const heard = () => bot.messages.map(({ text }) => text);
  return { discord, ada, general, ledger, bot, clock, begin, heard };
}

const reads = (discord: DiscordServer) => discord.requests("GET /channels/:channel/messages");

describe("what was said while the program was down", () => {
  test("is answered once: mentions, replies and direct messages", async () => {
    const { discord, ada, general, begin, heard } = await scene();
    const idle = discord.addChannel("idle");
    const first = await begin();
    ada.mentions(general, "before");
    ada.directMessage("directly before");
    await expect.poll(heard).toHaveLength(2);
    const answer = discord.world.addMessage({
      channelId: general.id,
      authorId: discord.botId,
      content: "An answer.",
    });
    await first.stop();

    ada.mentions(general, "missed mention");
    ada.replies(answer, general, "missed reply");
    ada.posts(general, "to nobody");
    ada.directMessage("missed directly");
    const before = reads(discord).length;
    await begin();

    const all = ["before", "directly before", "missed mention", "missed reply", "missed directly"];
    await expect.poll(() => heard().toSorted()).toEqual(all.toSorted());
    ada.mentions(general, "after");
    await expect.poll(heard).toContain("after");
    expect(heard()).toHaveLength(6);
    const asked = reads(discord)
      .slice(before)
      .map(({ path }) => path);
    expect(asked.some((path) => path.includes(idle.id))).toBe(false);
  });

  test("keeps its order before what is said meanwhile", async () => {
    const { discord, ada, general, begin, heard } = await scene();
    const first = await begin();
    ada.mentions(general, "before");
    await expect.poll(heard).toHaveLength(1);
    await first.stop();

    ada.mentions(general, "one");
    ada.mentions(general, "two");
    discord.faults.next(
      { method: "GET", route: "/channels/:channel/messages" },
      { type: "rate-limit", retryAfterSeconds: 0.3, scope: "user" },
    );
    await begin();
    ada.mentions(general, "three");

    await expect.poll(heard).toEqual(["before", "one", "two", "three"]);
  });

  test("is found in threads, and after a kill that let nothing be written", async () => {
    const { ada, general, ledger, begin, heard } = await scene();
    const first = await begin();
    ada.mentions(general, "before");
    await expect.poll(heard).toHaveLength(1);
    const thread = ada.startsThread(general, "ours");
    ledger.isDead = true;
    await first.stop();
    ledger.isDead = false;

    ada.mentions(thread, "missed");
    await begin();

    await expect.poll(heard).toEqual(["before", "missed"]);
  });

  test("is not looked for at the very first start", async () => {
    const { discord, ada, general, begin, heard } = await scene();
    ada.mentions(general, "long ago");

    await begin();
    ada.mentions(general, "now");

    await expect.poll(heard).toEqual(["now"]);
    // The one read is what was said before the mention.
    expect(reads(discord)).toHaveLength(1);
  });

  test("is read within the last hundred messages of a channel", async () => {
    const { ada, general, begin, heard } = await scene();
    const first = await begin();
    ada.mentions(general, "before");
    await expect.poll(heard).toHaveLength(1);
    await first.stop();

    ada.mentions(general, "too far back");
    for (let count = 0; count < 99; count += 1) ada.posts(general, `talk ${count}`);
    ada.mentions(general, "newest");
    await begin();

    await expect.poll(heard).toEqual(["before", "newest"]);
  });

  test("is looked for in many channels without a single 429", async () => {
    const { discord, ada, begin, heard } = await scene();
    const rooms = Array.from({ length: 40 }, (_, index) => discord.addChannel(`room-${index}`));
    const first = await begin();
    await first.stop();

    for (const room of rooms) ada.mentions(room, "missed");
    await begin();

    await expect.poll(heard, { timeout: 30_000 }).toHaveLength(40);
    expect(discord.requests().filter(({ status }) => status === 429)).toEqual([]);
  }, 40_000);

  test("a text command is not carried out again", async () => {
    const { ada, general, bot, clock, begin, heard } = await scene();
    bot.onMessage = async () => ({ status: "command", answer: { ok: true, text: "Done." } });
    const first = await begin();
    ada.mentions(general, "/new");
    await expect.poll(heard).toEqual(["/new"]);
    // However long nothing else was said.
    clock.aheadMs = 10 * 60_000;
    await first.stop();

    ada.mentions(general, "/model");
    const second = await begin();
    await expect.poll(heard).toEqual(["/new", "/model"]);
    clock.aheadMs = 20 * 60_000;
    await second.stop();

    await begin();
    ada.mentions(general, "/status");

    await expect.poll(heard).toEqual(["/new", "/model", "/status"]);
  });
});

describe("a connection", () => {
  test("that cannot be resumed leaves a gap that is read", async () => {
    const { discord, ada, general, begin, heard } = await scene();
    await begin();
    ada.mentions(general, "before");
    ada.directMessage("directly before");
    await expect.poll(heard).toHaveLength(2);

    discord.gateway.settings.isDown = true;
    discord.gateway.cut();
    await expect.poll(() => discord.gateway.connected).toBe(0);
    discord.gateway.forgetSessions();
    ada.mentions(general, "missed");
    ada.directMessage("directly missed");
    discord.gateway.settings.isDown = false;

    const all = ["before", "directly before", "missed", "directly missed"];
    await expect.poll(() => heard().toSorted(), { timeout: 20_000 }).toEqual(all.toSorted());
    expect(discord.gateway.frames(GatewayOpcodes.Identify)).toHaveLength(2);
  });

  test("that is resumed has none", async () => {
    const { discord, ada, general, begin, heard } = await scene();
    const platform = await begin();
    ada.mentions(general, "before");
    await expect.poll(heard).toEqual(["before"]);
    const before = reads(discord).length;

    discord.gateway.cut();
    ada.directMessage("meanwhile");

    await expect.poll(heard, { timeout: 20_000 }).toEqual(["before", "meanwhile"]);
    await expect.poll(() => platform.isConnected()).toBe(true);
    expect(reads(discord)).toHaveLength(before);
    expect(discord.gateway.frames(GatewayOpcodes.Resume)).toHaveLength(1);
  });

  test("loses nothing while a server is out of order", async () => {
    const { discord, ada, general, begin, heard } = await scene();
    await begin();
    ada.mentions(general, "before");
    await expect.poll(heard).toEqual(["before"]);

    discord.setOutage(discord.guild, true);
    ada.mentions(general, "missed");
    ada.directMessage("elsewhere");
    await expect.poll(heard).toEqual(["before", "elsewhere"]);
    discord.setOutage(discord.guild, false);

    await expect.poll(heard).toEqual(["before", "elsewhere", "missed"]);
  });
});
