import { randomUUID } from "node:crypto";
import { type Client, RESTEvents, Routes, type TextChannel } from "discord.js";
import { describe, expect, test } from "vitest";
import { type Fault, ManualClock } from "./discord-server.ts";
import { codeOf, connectBot, discordForTest } from "./tiny-bot.ts";

async function scene(options: Parameters<typeof connectBot>[2] = {}) {
  const clock = new ManualClock();
  const discord = await discordForTest({ clock });
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const client = await connectBot(discord, () => undefined, options);
  const channel = await textChannel(client, general.id);
  return { clock, discord, ada, general, client, channel };
}

async function textChannel(client: Client, id: string): Promise<TextChannel> {
  return (await client.channels.fetch(id)) as TextChannel;
}

/** Does not wait for a limit; says that it was met. */
const rejecting = { rest: { rejectOnRateLimit: () => true } };

describe("limits", () => {
  test("five creates and, separately, five edits pass in five seconds in each channel", async () => {
    const { clock, discord, general, client } = await scene();
    const other = discord.addChannel("other");
    const post = (id: string) =>
      fetch(`${discord.apiUrl}/v10${Routes.channelMessages(id)}`, {
        method: "POST",
        headers: {
          authorization: `Bot ${discord.token}`,
          "content-type": "application/json",
          "user-agent": "DiscordBot (wire)",
        },
        body: JSON.stringify({ content: "a", allowed_mentions: { parse: [] } }),
      });
    const statuses = async (id: string, times: number) => {
      const answers = await Promise.all(Array.from({ length: times }, () => post(id)));
      return answers.map(({ status }) => status).toSorted();
    };

    expect(await statuses(general.id, 6)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(await statuses(other.id, 1)).toEqual([200]);
    const channel = await textChannel(client, general.id);
    const [message] = (await channel.messages.fetch({ limit: 1 })).values();
    await message?.edit({ content: "b", allowedMentions: { parse: [] } });
    clock.advance(4999);
    const late = await post(general.id);
    expect(late.status).toBe(429);
    expect(Number(late.headers.get("x-ratelimit-reset-after"))).toBeCloseTo(0.001);
    expect(late.headers.get("x-ratelimit-scope")).toBe("user");
    expect(await late.json()).toMatchObject({ retry_after: 0.001, global: false });
    clock.advance(1);
    expect((await post(general.id)).status).toBe(200);
  });

  test("the real client reads the headers and meets no 429", async () => {
    const { discord, channel } = await scene(rejecting);

    const codes: unknown[] = [];
    for (let index = 0; index < 6; index += 1) {
      codes.push(await codeOf(channel.send({ content: `${index}` })));
    }

    expect(codes.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
    expect(codes[5]).toMatch(/RateLimitError/);
    expect(discord.invalidRequests).toBe(0);
  });

  test("all requests together are limited to fifty a second", async () => {
    const { discord, client } = await scene();
    discord.limiter.globalPerSecond = 3;
    const limited: boolean[] = [];
    client.rest.on(RESTEvents.Response, (_request, response) => {
      if (response.status === 429) limited.push(response.headers.has("x-ratelimit-global"));
    });
    client.rest.options.rejectOnRateLimit = () => true;

    const people = Array.from({ length: 6 }, () => client.rest.get(Routes.user(discord.owner.id)));
    const codes = await Promise.all(people.map(codeOf));

    expect(codes.filter((code) => code === 0).length).toBeLessThan(4);
    expect(limited).toContain(true);
  });

  test("a 429 is waited for and the message is there once", async () => {
    const { discord, general, channel } = await scene();
    discord.faults.next(
      { method: "POST", route: "/channels/:channel/messages" },
      { type: "rate-limit", retryAfterSeconds: 0.05, scope: "shared" },
    );

    await channel.send({ content: "patient" });

    expect(discord.replies(general).map(({ text }) => text)).toEqual(["patient"]);
    expect(
      discord.requests("POST /channels/:channel/messages").map(({ status }) => status),
    ).toEqual([429, 200]);
  });
});

describe("a create whose answer is lost", () => {
  const create = { method: "POST", route: "/channels/:channel/messages" } as const;

  test.each<[string, Fault]>([
    ["a reset", { type: "reset", accepted: true }],
    ["a 502", { type: "http-error", status: 502, accepted: true }],
  ])("after %s is one message with a nonce and two without", async (_case, fault) => {
    const { discord, general, channel } = await scene({ rest: { retries: 1 } });
    discord.faults.next(create, fault);
    await channel.send({ content: "once", nonce: randomUUID().slice(0, 25), enforceNonce: true });
    discord.faults.next(create, fault);
    await channel.send({ content: "twice" });

    expect(discord.replies(general).map(({ text }) => text)).toEqual(["once", "twice", "twice"]);
  });

  test("after a polite hang-up is not repeated by the client, and is there", async () => {
    const { discord, general, channel } = await scene({ rest: { retries: 3 } });
    discord.faults.next(create, { type: "hang-up", accepted: true });

    expect(await codeOf(channel.send({ content: "once" }))).toMatch(/other side closed/);

    expect(discord.replies(general).map(({ text }) => text)).toEqual(["once"]);
    expect(discord.requests("POST /channels/:channel/messages")).toHaveLength(1);
  });

  test("is found by its nonce for two minutes and no longer", async () => {
    const { clock, discord, general, channel } = await scene();
    const send = () => channel.send({ content: "a", nonce: "run1", enforceNonce: true });

    const first = await send();
    clock.advance(119_000);
    expect((await send()).id).toBe(first.id);
    clock.advance(2000);
    expect((await send()).id).not.toBe(first.id);
    expect(discord.replies(general)).toHaveLength(2);
  });
});

describe("what is refused", () => {
  test("texts, components and nonces beyond their limits, with the path of the field", async () => {
    const { discord, general, channel } = await scene();

    expect(await codeOf(channel.send({ content: "x".repeat(2001) }))).toBe(50035);
    expect(await codeOf(channel.send({ content: " " }))).toBe(50006);
    expect(await codeOf(channel.send({ content: "a", nonce: "n".repeat(26) }))).toBe(50035);
    const button = { type: 2, style: 1, label: "x".repeat(81), custom_id: "a" } as const;
    await expect(
      channel.send({ content: "a", components: [{ type: 1, components: [button] }] }),
    ).rejects.toThrow("components[0].components[0].label[BASE_TYPE_MAX_LENGTH]");
    expect(discord.seen(general)).toEqual([]);
  });

  test.each([
    ["ViewChannel", 50001],
    ["SendMessages", 50013],
  ] as const)("writing without %s", async (name, code) => {
    const { discord, general, channel } = await scene();

    discord.denyBot(general, name);

    expect(await codeOf(channel.send({ content: "a" }))).toBe(code);
    expect(discord.invalidRequests).toBe(1);
  });

  test("threads: twice on one message, too many, archived, locked", async () => {
    const { clock, discord, ada, general, client, channel } = await scene();
    const question = ada.posts(general, "hello");
    const message = await channel.messages.fetch(question.id);
    const thread = await message.startThread({ name: "a" });
    // The client itself knows that there is a thread; the server is asked directly.
    const again = () =>
      client.rest.post(Routes.threads(general.id, question.id), { body: { name: "a" } });
    expect(await codeOf(again())).toBe(160004);

    const answer = await thread.send({ content: "a" });
    const place = discord.threadOn(question);
    if (!place) throw new Error("no thread");
    ada.archives(place);
    expect(await codeOf(answer.edit({ content: "b" }))).toBe(50083);
    await thread.send({ content: "opens it" });
    expect(place.thread?.isArchived).toBe(false);
    ada.archives(place, { andLocks: true });
    expect(await codeOf(thread.send({ content: "c" }))).toBe(160005);

    discord.policy.maxActiveThreads = 0;
    const second = await channel.messages.fetch(ada.posts(general, "again").id);
    expect(await codeOf(second.startThread({ name: "b" }))).toBe(160006);

    discord.policy.oldMessageEdits = 0;
    const old = await channel.send({ content: "old" });
    clock.advance(3_600_001);
    discord.faults.clear();
    client.rest.options.rejectOnRateLimit = () => true;
    expect(await codeOf(old.edit({ content: "older" }))).toMatch(/RateLimit|30046/);
  });

  test("direct messages to who takes none", async () => {
    const { ada, client } = await scene();
    ada.closesDirectMessages();

    const user = await client.users.fetch(ada.id);

    expect(await codeOf(user.send({ content: "a" }))).toBe(50007);
  });
});

test("nobody is pinged unless allowed_mentions says so, and everybody when it is missing", async () => {
  const { discord, ada, general, channel } = await scene({ allowedMentions: {} });
  const text = `<@${ada.id}> @everyone`;
  discord.addRole("loud", ["MentionEveryone"], { for: [discord.botId] });

  await channel.send({ content: text, allowedMentions: { parse: [] } });
  const loud = await channel.send({ content: text, allowedMentions: { parse: ["users"] } });
  await loud.edit({ content: `${text}!`, allowedMentions: { parse: [] } });

  expect(discord.replies(general).map(({ notified }) => notified)).toEqual([[], [ada.id]]);
});
