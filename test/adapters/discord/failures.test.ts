import { ChannelType } from "discord.js";
import { describe, expect, test } from "vitest";
import { BotError } from "#domain/errors";
import { LeaseLost } from "#ports/run-queue";
import { failureOf } from "../../../adapters/discord/failures.ts";
import { JournalMemory, MemoryJournal } from "../../fakes/memory-journal.ts";
import { type Fault, ManualClock } from "../../wire/discord/discord-server.ts";
import { callOf, calls, done, routes, stage, viewOf } from "./reply-stage.ts";

const text = "An answer that is long enough to be shown.";

async function problemOf(finished: Promise<void>): Promise<string> {
  const error = await finished.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof BotError)) throw new Error(`no BotError: ${String(error)}`);
  expect(error.code).toBe("reply-impossible");
  return error.detail ?? "";
}

test.each(["ENOTFOUND", "ECONNRESET", "ERR_SSL_WRONG_VERSION_NUMBER", "CERT_HAS_EXPIRED"])(
  "a connection that fails with %s is an outage",
  (code) => {
    const failure = Object.assign(new Error("it failed"), { code });
    expect(failureOf(failure)).toEqual({ type: "unclear", cause: "connection" });
    expect(failureOf(new Error("a mistake of ours"))).toBeUndefined();
  },
);

describe("a create whose answer is lost", () => {
  test.each<[string, Fault]>([
    ["a reset", { type: "reset", accepted: true }],
    ["a polite hang-up", { type: "hang-up", accepted: true }],
    ["a 502", { type: "http-error", status: 502, accepted: true }],
    ["a reset before it was carried out", { type: "reset", accepted: false }],
    ["a page of HTML", { type: "foreign", contentType: "text/html", body: "<p>Sorry" }],
    ["an empty object", { type: "foreign", contentType: "application/json", body: "{}" }],
    ["nothing at all", { type: "foreign", contentType: "application/json", body: "" }],
  ])("by %s is one message", async (_case, fault) => {
    const { discord, open } = await stage();
    const { reply, target, seen } = open();
    discord.faults.next(callOf("create"), fault, 2);
    await reply.finish(viewOf(target, { text, ...done }));
    expect(seen().map((one) => one.text)).toEqual([text]);
    expect(discord.requests(routes.create)).toHaveLength(3);
  });

  test("by a crash is found by its nonce, by its place after that is forgotten", async () => {
    for (const laterMs of [10_000, 180_000]) {
      const clock = new ManualClock();
      const { discord, ada, openOn, general, platform, bot } = await stage({ server: { clock } });
      const message = ada.mentions(general, "hello");
      const memory = new JournalMemory();
      const journal = new MemoryJournal("run", memory);
      journal.onAfter = () => new Promise(() => undefined); // killed before it was written down
      const first = openOn(general, message, journal);
      first.reply.show(viewOf(first.target, { text }));
      await expect.poll(() => first.seen().length, { timeout: 10_000 }).toBe(1);
      const [shown] = first.seen();
      clock.advance(laterMs);
      // Discord does not say nonces of messages it has forgotten them for.
      const kept = discord.world.message(message.id, shown?.id ?? "");
      if (laterMs > 120_000) Object.assign(kept, { nonce: undefined });
      await platform.stop();
      await platform.start(bot);

      const second = platform.openReply(first.target, new MemoryJournal("run", memory));
      await second.finish(viewOf(first.target, { text: `${text} More.`, ...done }));
      expect(first.seen().map(({ id, text }) => [id, text])).toEqual([
        [shown?.id, `${text} More.`],
      ]);
    }
  });

  test("is told apart from what else the bot says in the same channel", async () => {
    const { discord, ada, general, openOn, platform } = await stage();
    discord.denyBot(general, "CreatePublicThreads");
    const [mine, others] = [ada.mentions(general, "one"), ada.mentions(general, "two")];
    const memory = new JournalMemory();
    const journal = new MemoryJournal("run-a", memory);
    journal.onAfter = () => new Promise(() => undefined);
    const first = openOn(general, mine, journal);
    const other = openOn(general, others);
    await other.reply.finish(viewOf(other.target, { text: "Another answer.", ...done }));
    first.reply.show(viewOf(first.target, { text }));
    await expect.poll(() => discord.replies(general).length, { timeout: 10_000 }).toBe(2);
    const third = openOn(general, others);
    await third.reply.finish(viewOf(third.target, { text: "And another.", ...done }));
    for (const { id } of discord.replies(general)) {
      Object.assign(discord.world.message(general.id, id), { nonce: undefined });
    }
    const again = platform.openReply(first.target, new MemoryJournal("run-a", memory));
    await again.finish(viewOf(first.target, { text: `${text} More.`, ...done }));
    expect(discord.replies(general).map((one) => one.text)).toEqual([
      "Another answer.",
      `${text} More.`,
      "And another.",
    ]);
  });
});

describe("where no thread can be opened the answer stands in the channel, under the question", () => {
  test("without the right to, and it is not asked for again", async () => {
    const { discord, ada, general, openOn } = await stage();
    discord.denyBot(general, "CreatePublicThreads");
    for (const question of ["one", "two"]) {
      const message = ada.mentions(general, question);
      const { reply, target } = openOn(general, message);
      await reply.finish(viewOf(target, { text, ...done }));
      expect(discord.replies(general).at(-1)).toMatchObject({ text, repliesTo: message.id });
    }
    expect(discord.requests(routes.thread)).toHaveLength(1);
  });

  test("with too many threads open", async () => {
    const { discord, open } = await stage({ server: { policy: { maxActiveThreads: 0 } } });
    const { reply, target, message, seen } = open();
    await reply.finish(viewOf(target, { text, ...done }));
    expect(seen()).toMatchObject([{ text, repliesTo: message.id }]);
    expect(discord.requests(routes.thread)[0]?.code).toBe(160006);
  });

  test("when one may be opened, but not written in", async () => {
    const { discord, open } = await stage();
    const { reply, target, channel, message } = open();
    discord.denyBot(channel, "SendMessagesInThreads");
    await reply.finish(viewOf(target, { text, ...done }));
    expect(discord.replies(channel)).toMatchObject([{ text, repliesTo: message.id }]);
  });

  test("when the question is gone", async () => {
    const { discord, ada, open } = await stage();
    const { reply, target, channel, message } = open();
    ada.deletes(message);
    await reply.finish(viewOf(target, { text, ...done }));
    expect(discord.replies(channel)).toMatchObject([{ text, repliesTo: undefined }]);
  });

  test("and the history may not be read either: without the reference", async () => {
    const { discord, open } = await stage();
    const { reply, target, channel } = open();
    discord.denyBot(channel, "CreatePublicThreads", "ReadMessageHistory");
    await reply.finish(viewOf(target, { text, ...done }));
    expect(discord.replies(channel)).toMatchObject([{ text, repliesTo: undefined }]);
  });
});

test("a thread that is there already is used (160004)", async () => {
  const { discord, open } = await stage();
  const { reply, target, seen } = open();
  discord.faults.next(callOf("thread"), { type: "reset", accepted: true });
  await reply.finish(viewOf(target, { text, ...done }));
  expect(discord.requests(routes.thread).map(({ code }) => code)).toEqual([undefined, 160004]);
  expect(seen()).toMatchObject([{ text, repliesTo: undefined }]);
});

test("a title that AutoMod blocks costs the title only", async () => {
  const { discord, open } = await stage();
  const { reply, target, seen, message } = open();
  discord.faults.next(callOf("thread"), { type: "refusal", name: "titleBlockedByAutoMod" });
  await reply.finish(viewOf(target, { text, ...done }));
  expect(discord.threadOn(message)?.name).toBe("Answer");
  expect(seen()).toMatchObject([{ text }]);
});

describe("in a thread that was", () => {
  async function inThread() {
    const staged = await stage();
    const { discord, ada, general, openOn } = staged;
    const thread = ada.startsThread(general, "talk", { withBot: true });
    const opened = openOn(thread, ada.mentions(thread, "hello"));
    opened.reply.show(viewOf(opened.target, { text }));
    await expect.poll(() => discord.replies(thread).length, { timeout: 10_000 }).toBe(1);
    return { ...staged, ...opened, thread };
  }

  test("archived the answer goes on: it is opened again (50083)", async () => {
    const { discord, ada, reply, target, thread } = await inThread();
    ada.archives(thread);
    await reply.finish(viewOf(target, { text: `${text} More.`, ...done }));
    expect(discord.replies(thread).map((one) => one.text)).toEqual([`${text} More.`]);
    expect(thread.thread?.isArchived).toBe(false);
  });

  test("locked the person is told directly (160005)", async () => {
    const { discord, ada, reply, target, thread } = await inThread();
    ada.archives(thread, { andLocks: true });
    const problem = await problemOf(
      reply.finish(viewOf(target, { text: `${text} More.`, ...done })),
    );
    expect(problem).toBe("This thread is locked.");
    expect(discord.replies(ada.directChannel()).map((one) => one.text)).toEqual([
      `I could not answer you in <#${thread.id}>. This thread is locked. This is what I would have said:`,
      `${text} More.`,
    ]);
  });

  test("deleted the answer is given up in words (10003)", async () => {
    const { discord, ada, reply, target, thread } = await inThread();
    discord.world.channels.delete(thread.id);
    const problem = await problemOf(
      reply.finish(viewOf(target, { text: `${text} More.`, ...done })),
    );
    expect(problem).toBe("The channel is gone.");
    expect(discord.replies(ada.directChannel())).toEqual([]);
  });
});

test("a message that a moderator deleted is shown again, once (10008)", async () => {
  const { discord, open } = await stage();
  const { reply, target, message, seen } = open();
  reply.show(viewOf(target, { text }));
  await expect.poll(() => seen().length, { timeout: 10_000 }).toBe(1);
  const deleted = () => {
    const [shown] = seen();
    if (shown) discord.owner.deletes(discord.world.message(message.id, shown.id));
  };
  deleted();
  await reply.finish(viewOf(target, { text: `${text} More.`, ...done }));
  expect(seen().map((one) => one.text)).toEqual([`${text} More.`]);
});

test("a message that is too old to be edited gives way to a new one (30046)", async () => {
  const clock = new ManualClock();
  const { discord, open } = await stage({ server: { clock, policy: { oldMessageEdits: 0 } } });
  const { reply, target, seen } = open();
  reply.show(viewOf(target, { text }));
  await expect.poll(() => seen().length, { timeout: 10_000 }).toBe(1);
  const [old] = seen();
  clock.advance(3_600_001);
  await reply.finish(viewOf(target, { text: `${text} More.`, ...done }));
  expect(seen().map((one) => one.text)).toEqual([`${text} More.`]);
  expect(seen()[0]?.id).not.toBe(old?.id);
  expect(discord.requests(routes.edit).map(({ code }) => code)).toEqual([30046]);
});

test("what Discord finds too long is split smaller, once (50035)", async () => {
  const { discord, open } = await stage();
  const { reply, target, seen } = open();
  discord.faults.next(callOf("create"), { type: "refusal", name: "invalidForm" });
  const long = "Some words of it. ".repeat(90);
  await reply.finish(viewOf(target, { text: long, ...done }));
  expect(seen().length).toBeGreaterThan(1);
  expect(
    seen()
      .map((one) => one.text)
      .join(" ")
      .match(/words/g),
  ).toHaveLength(90);
  discord.faults.always(callOf("create"), { type: "refusal", name: "invalidForm" });
  const hopeless = open();
  expect(
    await problemOf(hopeless.reply.finish(viewOf(hopeless.target, { text, ...done }))),
  ).toContain("50035");
  const tried = discord
    .requests(routes.create)
    .filter(({ params }) => params.channel === hopeless.message.id);
  expect(tried).toHaveLength(2);
});

test.each([
  [
    "SendMessages",
    "I may not write here: I need Send Messages, Send Messages in Threads and Read Message History.",
  ],
  ["ViewChannel", "I cannot see this channel: I need the right View Channel."],
] as const)(
  "without %s the person is answered directly, and the channel left alone (50013, 50001)",
  async (right, words) => {
    const { discord, ada, general, openOn } = await stage();
    discord.denyBot(general, right, "CreatePublicThreads");
    for (const answer of [text, "Words of a very long answer. ".repeat(300)]) {
      const { reply, target } = openOn(general, ada.mentions(general, "hello"));
      expect(await problemOf(reply.finish(viewOf(target, { text: answer, ...done })))).toBe(words);
    }
    const lead = `I could not answer you in <#${general.id}>. ${words} This is what I would have said:`;
    const told = discord.replies(ada.directChannel());
    expect(told.map((one) => one.text.slice(0, lead.length))).toEqual([
      lead,
      text,
      lead,
      expect.stringMatching(/^Words of a very long answer\./),
      "",
    ]);
    expect(told.at(-1)?.files).toMatchObject([{ name: "answer.md" }]);
    expect(discord.invalidRequests).toBe(2);
  },
);

test("who takes no direct messages gets none, and the reason is given in words (50007)", async () => {
  const { discord, ada, openDirectly } = await stage();
  const { reply, target } = openDirectly();
  ada.closesDirectMessages();
  expect(await problemOf(reply.finish(viewOf(target, { text, ...done })))).toContain(
    "You take no direct messages from me",
  );
  expect(discord.replies(ada.directChannel())).toEqual([]);
});

test("what AutoMod blocks is not sent again, and the person is told directly (200000)", async () => {
  const { discord, ada, open } = await stage({
    server: { policy: { blockedWords: ["forbidden"] } },
  });
  const { reply, target, seen } = open();
  reply.show(viewOf(target, { text: "This is a forbidden word in an answer." }));
  await expect.poll(() => discord.requests(routes.create).length, { timeout: 10_000 }).toBe(1);
  reply.show(viewOf(target, { text: "This is a forbidden word in an answer. More." }));
  expect(
    await problemOf(reply.finish(viewOf(target, { text: "This is a forbidden word.", ...done }))),
  ).toBe("The AutoMod of this server blocked the answer.");
  expect(seen()).toEqual([]);
  expect(discord.replies(ada.directChannel())).toHaveLength(1);
  expect(discord.requests(routes.create)).toHaveLength(2);
});

test.each([
  ["the channel's write limit (20028)", "channelWriteLimit"],
  ["the server's write limit (20029)", "serverWriteLimit"],
  ["slowmode (20016)", "slowmode"],
] as const)("%s is waited for", async (_limit, name) => {
  const { discord, open } = await stage();
  const { reply, target, seen } = open();
  discord.faults.next(callOf("create"), { type: "refusal", name });
  await reply.finish(viewOf(target, { text, ...done }));
  expect(seen().map((one) => one.text)).toEqual([text]);
  const [refused, sent] = discord.requests(routes.create);
  expect((sent?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual(900);
});

test("a full thread refuses no answer: nobody is added to it (30033)", async () => {
  const { discord, open } = await stage();
  const { reply, target, seen } = open();
  await reply.finish(viewOf(target, { text, ...done }));
  expect(seen().map((one) => one.text)).toEqual([text]);
  const routesUsed = discord.requests().map(({ route }) => route);
  expect(routesUsed.filter((route) => route.includes("thread-members"))).toEqual([]);
});

test("after a global 429 nothing is sent before its time", async () => {
  const { discord, open } = await stage();
  const [one, other] = [open(), open()];
  discord.faults.next(callOf("thread"), {
    type: "rate-limit",
    retryAfterSeconds: 2,
    scope: "global",
  });
  const before = discord.requests().length;
  await Promise.all(
    [one, other].map(({ reply, target }) => reply.finish(viewOf(target, { text, ...done }))),
  );
  const [limited, ...rest] = discord.requests().slice(before);
  expect(limited?.status).toBe(429);
  // What was on its way by then arrives in the first of the two seconds, however busy the machine is.
  const waited = rest.map(({ atMs }) => atMs - (limited?.atMs ?? 0)).filter((ms) => ms > 1_000);
  expect(Math.min(...waited)).toBeGreaterThanOrEqual(1_950);
  expect([one.seen().length, other.seen().length]).toEqual([1, 1]);
});

test("a token that has died is named", async () => {
  const { discord, open } = await stage();
  const { reply, target } = open();
  discord.token = "another.one";
  await expect(reply.finish(viewOf(target, { text, ...done }))).rejects.toMatchObject({
    code: "platform-unavailable",
    detail: "My access to Discord has ended.",
  });
});

test("in a channel that holds no threads the answer stands under the question", async () => {
  const { discord, ada, openOn } = await stage();
  const voice = discord.addChannel("voice", { type: ChannelType.GuildVoice });
  const message = ada.mentions(voice, "hello");
  const { reply, target } = openOn(voice, message);
  await reply.finish(viewOf(target, { text, ...done }));
  expect(discord.replies(voice)).toMatchObject([{ text, repliesTo: message.id }]);
  expect(calls(discord, "thread")).toEqual([]);
});

test("what waited for its turn is not sent once another process has taken over", async () => {
  const { discord, open } = await stage();
  const journal = new MemoryJournal("run-1");
  const { reply, target, seen } = open(journal);
  reply.show(viewOf(target, { text }));
  await reply.settle();
  const before = discord.requests(routes.edit).length;
  discord.faults.next(callOf("edit"), {
    type: "rate-limit",
    retryAfterSeconds: 1,
    scope: "user",
  });
  const finished = reply.finish(viewOf(target, { text: `${text} Too late.`, ...done }));
  await expect
    .poll(() => discord.requests(routes.edit), { timeout: 10_000 })
    .toHaveLength(before + 1);
  journal.lose();
  await expect(finished).rejects.toBeInstanceOf(LeaseLost);
  expect(discord.requests(routes.edit)).toHaveLength(before + 1);
  expect(seen().map((one) => one.text)).toEqual([text]);
});
