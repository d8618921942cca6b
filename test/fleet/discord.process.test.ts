import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import { type DiscordMessage, startDiscordServer } from "../wire/discord/discord-server.ts";

const patience = { timeout: 60_000, interval: 50 } as const;

describe.skipIf(!hasRedis)("two gateways of one Discord bot", () => {
  async function world() {
    const discord = await startDiscordServer();
    onTestFinished(() => discord.stop());
    const fleet = await BobbinFleet.open({
      CONSOLE: "off",
      DISCORD_TOKEN: discord.token,
      DISCORD_API_URL: discord.apiUrl,
    });
    onTestFinished(() => fleet[Symbol.asyncDispose]());
    const holder = await fleet.start("all");
    const standby = await fleet.start("all");
    const ada = discord.addPerson("ada");
    const general = discord.addChannel("general");
    const answers = (question: DiscordMessage) => {
      const thread = discord.threadOn(question);
      return thread ? discord.replies(thread).map(({ text }) => text) : [];
    };
    const answered = (question: DiscordMessage, what: string) =>
      expect.poll(() => answers(question).join(""), patience).toContain(what);
    const first = ada.mentions(general, "calculate 6 * 7");
    await answered(first, "42");
    return { discord, fleet, holder, standby, ada, general, answers, answered, first };
  }

  test("one is connected, the other stands by and takes over, with what was missed", async () => {
    const { discord, holder, standby, ada, general, answers, answered, first } = await world();
    expect(discord.gateway.connected).toBe(1);
    expect((await standby.get("readyz")).status).toBe(200);
    await holder.end("SIGKILL");
    const missed = ada.mentions(general, "calculate 6 * 8");
    await answered(missed, "48");
    const after = ada.mentions(general, "calculate 6 * 9");
    await answered(after, "54");
    for (const question of [first, missed, after]) expect(answers(question)).toHaveLength(1);
    expect(discord.complaints).toEqual([]);
  }, 150_000);

  test("one that slept past its time answers nothing that the other has answered", async () => {
    const { discord, holder, ada, general, answers, answered, first } = await world();
    holder.signal("SIGSTOP");
    const said = ada.mentions(general, "calculate 6 * 8");
    await answered(said, "48");
    const status = ada.slash(general, "assistant status");
    await expect.poll(() => status.answer?.text, patience).toContain("answers here");
    expect(discord.gateway.connected).toBe(2);
    holder.signal("SIGCONT");
    await expect.poll(() => discord.gateway.connected, patience).toBe(1);
    const last = ada.mentions(general, "calculate 6 * 9");
    await answered(last, "54");
    for (const question of [first, said, last]) expect(answers(question)).toHaveLength(1);
    expect(discord.complaints).toEqual([]);
  }, 150_000);
});
