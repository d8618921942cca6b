import { describe, expect, test } from "vitest";
import { emptyView, type ReplyView, type StepView } from "#domain/reply-view";
import type { ReplyTarget } from "#ports/platform";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import { RememberingLog } from "../../fakes/remembering-log.ts";
import { weightedBytes } from "../../wire/slack/message-stream.ts";
import { ManualClock } from "../../wire/slack/slack-server.ts";
import { type SlackOptions, startSlack, targetFor } from "./slack-harness.ts";

/** One row of Slack's errors each: what Slack says, and what a person sees all the same. */
async function started(options: SlackOptions & { readonly clock?: ManualClock } = {}) {
  const { clock } = options;
  const world = await startSlack({
    ...options,
    ...(clock
      ? {
          server: { clock },
          now: () => clock.now(),
          after: (ms: number, work: () => void) => clock.after(ms, work),
        }
      : {}),
  });
  const { slack, platform, ada } = world;
  let rooms = 0;
  const open = () => {
    rooms += 1;
    const channel = slack.addChannel(`room-${rooms}`, { members: [ada] });
    const message = ada.posts(channel, "hello");
    const target = targetFor(slack, { channel, message, person: ada });
    const reply = platform.openReply(target, new MemoryJournal(target.runId));
    const seen = () => slack.replies(channel, message.ts);
    const said = () =>
      seen()
        .map((one) => one.text.replace("\n[Good answer] [Bad answer]", ""))
        .join("");
    return { channel, message, target, reply, seen, said };
  };
  return { ...world, open };
}

function viewOf({ runId }: ReplyTarget, change: Partial<ReplyView>): ReplyView {
  return { ...emptyView(runId), ...change };
}

function step(id: string, title: string, status: StepView["status"]): StepView {
  return { id, type: "function", title, status, input: "", output: "" };
}

const done = { status: "completed", actions: ["feedback"] } as const;
const beginning = "A beginning that is long enough to be streamed at once. ";

async function streaming(options: SlackOptions = {}) {
  const world = await started(options);
  const room = world.open();
  room.reply.show(viewOf(room.target, { text: beginning }));
  await expect.poll(() => world.slack.liveStreams.length).toBe(1);
  return { ...world, ...room };
}

describe("message_not_in_streaming_state:", () => {
  test("the old message is repaired and the unsent text goes on in another", async () => {
    const { slack, target, reply, seen, said } = await streaming();
    const [first] = slack.liveStreams;
    slack.expireStreams();
    const text = `${beginning}What was not sent yet is not lost. The end.`;
    await reply.finish(viewOf(target, { text, ...done }));
    expect(said()).toBe(text);
    expect(slack.calls("chat.update").map(({ args }) => args.ts)).toContain(first?.ts);
    expect(seen().at(-1)?.controls).toEqual(["Good answer", "Bad answer"]);
    expect(slack.liveStreams).toEqual([]);
  });
});

describe("stopped_by_user:", () => {
  test("the run is stopped, though nobody delivered the event, and what was said is kept", async () => {
    const { slack, bot, ada, channel, message, target, reply, seen } = await streaming();
    slack.configure({ events: new Set() });
    ada.pressesStop(channel, message.ts);
    const grown = `${beginning}And more words that come a little later. And again. `;
    reply.show(viewOf(target, { text: grown }));
    await expect
      .poll(() => bot.presses.map(({ runId, press }) => [runId, press.type]), { timeout: 5_000 })
      .toEqual([[target.runId, "stop"]]);
    const notices = [{ kind: "info", text: "Stopped." }] as const;
    await reply.finish(
      viewOf(target, { text: grown, status: "cancelled", notices, actions: ["continue"] }),
    );
    expect(seen()).toHaveLength(1);
    expect(seen()[0]?.text).toContain("And again.");
    expect(seen()[0]?.text).toContain("Stopped.");
    expect(seen()[0]?.controls).toEqual(["Continue"]);
    expect(bot.presses).toHaveLength(1);
    expect(bot.presses[0]?.by).toEqual(target.asker);
  });
});

describe("streaming_state_conflict:", () => {
  test("the stream is stopped first, then updated", async () => {
    const { slack, open } = await started({ streaming: "update" });
    const { reply, target, seen, said } = open();
    reply.show(viewOf(target, { text: beginning }));
    await expect.poll(() => seen().length).toBe(1);
    slack.faults.next("chat.update", { type: "refusal", error: "streaming_state_conflict" });
    await reply.finish(viewOf(target, { text: `${beginning}End.`, ...done }));
    expect(said()).toContain("End.");
    const methods = slack.calls().map(({ method }) => method);
    expect(methods.slice(-3)).toEqual(["chat.update", "chat.stopStream", "chat.update"]);
  });
});

describe.each(["msg_too_long", "msg_blocks_too_long"])("%s:", (error) => {
  test("while it grows the message is rewritten, and every word is there once", async () => {
    const { slack, target, reply, said } = await streaming();
    slack.faults.next("chat.appendStream", { type: "refusal", error });
    const more = `${beginning}More words come now, and then some. `;
    reply.show(viewOf(target, { text: more }));
    await expect
      .poll(() => slack.calls("chat.update").length, { timeout: 5_000 })
      .toBeGreaterThan(0);
    await reply.finish(viewOf(target, { text: `${more}End.`, ...done }));
    for (const word of ["beginning", "More words", "End."]) {
      expect(said().split(word)).toHaveLength(2);
    }
    expect(slack.liveStreams).toEqual([]);
  });

  test("at the end the blocks are given up before the answer, which is there once", async () => {
    const { slack, target, reply, seen } = await streaming();
    slack.faults.next("chat.stopStream", { type: "refusal", error });
    const isWithButtons = (args: object) => JSON.stringify(args).includes("Good answer");
    slack.faults.always("chat.update", { type: "refusal", error }, isWithButtons);
    await reply.finish(viewOf(target, { text: `${beginning}End.`, ...done }));
    expect(seen().map(({ text, controls }) => [text.startsWith(beginning), controls])).toEqual([
      [true, []],
      [false, ["Good answer", "Bad answer"]],
    ]);
    expect(seen()[0]?.text).toBe(`${beginning}End.`);
  });
});

describe.each(["missing_recipient_team_id", "missing_recipient_user_id", "invalid_thread_ts"])(
  "%s at a stream:",
  (error) => {
    test("this answer is posted, and the next one in the channel is streamed again", async () => {
      const { slack, platform, ada, open } = await started();
      const { channel, reply, target, seen } = open();
      slack.faults.next("chat.startStream", { type: "refusal", error });
      reply.show(viewOf(target, { text: beginning }));
      await expect.poll(() => seen().length).toBe(1);
      await reply.finish(viewOf(target, { text: `${beginning}End.`, ...done }));
      expect(seen()[0]?.text).toContain("End.");
      const message = ada.posts(channel, "again");
      const next = targetFor(slack, { channel, message, person: ada });
      const again = platform.openReply(next, new MemoryJournal(next.runId));
      again.show(viewOf(next, { text: beginning }));
      await expect.poll(() => slack.liveStreams.length).toBe(1);
      await again.finish(viewOf(next, { text: beginning, ...done }));
    });
  },
);

test("channel_type_not_supported: that channel is updated from now on, others are streamed", async () => {
  const { slack, platform, ada, open } = await started();
  const { channel, reply, target, seen } = open();
  channel.refusesStreams = true;
  reply.show(viewOf(target, { text: beginning }));
  await expect.poll(() => seen().length).toBe(1);
  await reply.finish(viewOf(target, { text: beginning, ...done }));
  const message = ada.posts(channel, "again");
  const next = targetFor(slack, { channel, message, person: ada });
  const again = platform.openReply(next, new MemoryJournal(next.runId));
  again.show(viewOf(next, { text: beginning }));
  await expect.poll(() => slack.replies(channel, message.ts).length).toBe(1);
  expect(slack.calls("chat.startStream")).toHaveLength(1);
  await again.finish(viewOf(next, { text: beginning, ...done }));
  const other = open();
  other.reply.show(viewOf(other.target, { text: beginning }));
  await expect.poll(() => slack.liveStreams.length).toBe(1);
  await other.reply.finish(viewOf(other.target, { text: beginning, ...done }));
});

test.each(["unknown_method", "feature_not_enabled", "method_deprecated"])(
  "%s at a stream: the whole workspace is updated from now on",
  async (error) => {
    const { slack, open } = await started();
    slack.faults.always("chat.startStream", { type: "refusal", error });
    for (const { reply, target, seen } of [open(), open()]) {
      reply.show(viewOf(target, { text: beginning }));
      await expect.poll(() => seen().length).toBe(1);
      await reply.finish(viewOf(target, { text: `${beginning}End.`, ...done }));
      expect(seen()[0]?.text).toContain("End.");
    }
    expect(slack.calls("chat.startStream")).toHaveLength(1);
  },
);

test.each([
  "invalid_thread_ts",
  "thread_not_found",
  "cannot_reply_to_message",
  "not_in_channel",
  "channel_not_found",
  "is_archived",
  "restricted_action",
  "restricted_action_read_only_channel",
  "restricted_action_thread_only_channel",
])("%s at a post: it is not tried again, and who asked hears directly why", async (error) => {
  const { slack, ada, open } = await started();
  const { channel, reply, target } = open();
  const isThere = ({ channel: at }: { readonly channel?: unknown }) => at === channel.id;
  slack.faults.always("*", { type: "refusal", error }, isThere);
  await expect(reply.finish(viewOf(target, { text: "Four.", ...done }))).rejects.toMatchObject({
    code: "reply-impossible",
  });
  const posts = slack.calls("chat.postMessage").filter(({ args }) => isThere(args));
  expect(posts).toHaveLength(1);
  const [direct] = slack.replies(ada.directChannel());
  expect(direct?.text).toContain("I could not answer you in");
  expect(direct?.text).toContain("Four.");
});

test.each(["invalid_blocks", "invalid_attachments", "only_one_table_allowed"])(
  "%s: the answer is shown as plain Markdown, whole, and the log tells which payload it was",
  async (error) => {
    const log = new RememberingLog();
    const { slack, open } = await started({ log });
    const { reply, target, seen } = open();
    const hasBlocks = (args: { readonly blocks?: unknown }) => args.blocks !== undefined;
    slack.faults.always("chat.postMessage", { type: "refusal", error }, hasBlocks);
    const text = `${"A line of the answer.\n\n".repeat(200)}The end.`;
    await reply.finish(viewOf(target, { text, ...done }));
    expect(seen().map((one) => one.text)).toEqual([text]);
    expect(log.lines).toContainEqual(
      expect.objectContaining({ problem: error, payload: expect.stringMatching(/^[0-9a-f]{64}$/) }),
    );
    for (const line of log.lines) expect(JSON.stringify(line)).not.toContain("A line");
  },
);

test("markdown_text_conflict, no_text: no call mixes the ways to say something, and none is empty", async () => {
  const { slack, open } = await started();
  const { reply, target } = open();
  slack.faults.next("chat.postMessage", { type: "refusal", error: "invalid_blocks" }, { times: 2 });
  await reply.finish(viewOf(target, { text: "An answer.", ...done }));
  const growing = open();
  growing.reply.show(viewOf(growing.target, { text: beginning }));
  await expect.poll(() => slack.liveStreams.length).toBe(1);
  await growing.reply.finish(viewOf(growing.target, { text: `${beginning}End.`, ...done }));
  for (const { method, args } of slack.calls()) {
    if (!method.startsWith("chat.")) continue;
    const isMarkdown = args.markdown_text !== undefined;
    expect(isMarkdown && (args.text ?? args.blocks ?? args.chunks) !== undefined).toBe(false);
    if (method === "chat.postMessage") expect(args.text ?? args.markdown_text).toBeTruthy();
  }
});

describe("ratelimited:", () => {
  test("in one channel does not delay the answers in another", async () => {
    const { slack, open } = await started({ streaming: "update" });
    const [slow, quick] = [open(), open()];
    for (const { reply, target } of [slow, quick]) reply.show(viewOf(target, { text: beginning }));
    await expect.poll(() => slow.seen().length + quick.seen().length).toBe(2);
    slack.faults.next(
      "chat.update",
      { type: "rate-limit", retryAfterSeconds: 3 },
      { matches: ({ channel }) => channel === slow.channel.id },
    );
    const order: string[] = [];
    const finish = async (name: string, { reply, target }: typeof slow) => {
      await reply.finish(viewOf(target, { text: `${beginning}End.`, ...done }));
      order.push(name);
    };
    const first = finish("slow", slow);
    await expect.poll(() => slack.faults.spent).toBe(1);
    await finish("quick", quick);
    expect(order).toEqual(["quick"]);
    await first;
    expect(order).toEqual(["quick", "slow"]);
    expect(slow.said()).toContain("End.");
    const tries = slack
      .calls("chat.update")
      .filter(({ args }) => args.channel === slow.channel.id)
      .map(({ atMs }) => atMs);
    expect(Number(tries[1]) - Number(tries[0])).toBeGreaterThanOrEqual(2_900);
  }, 30_000);

  test("in two channels is taken for the whole workspace", async () => {
    const { slack, open } = await started({ streaming: "update" });
    const rooms = [open(), open(), open()];
    for (const { reply, target } of rooms) reply.show(viewOf(target, { text: beginning }));
    await expect.poll(() => rooms.flatMap(({ seen }) => seen()).length).toBe(3);
    const [one, two] = rooms.map(({ channel }) => channel.id);
    slack.faults.next(
      "chat.update",
      { type: "rate-limit", retryAfterSeconds: 4 },
      { times: 2, matches: ({ channel }) => channel === one || channel === two },
    );
    const last = rooms[2];
    if (!last) throw new Error("no room");
    const firstTwo = rooms
      .slice(0, 2)
      .map(({ reply, target }) => reply.finish(viewOf(target, { text: "End.", ...done })));
    await expect.poll(() => slack.faults.spent, { timeout: 5_000 }).toBe(2);
    const told = slack.calls("chat.update").filter(({ status }) => status === 429);
    await last.reply.finish(viewOf(last.target, { text: "End.", ...done }));
    await Promise.all(firstTwo);
    const after = slack.calls("chat.update").filter(({ status }) => status !== 429);
    const gap = Math.min(...after.map(({ atMs }) => atMs)) - Number(told[0]?.atMs);
    expect(gap).toBeGreaterThanOrEqual(3_900);
  }, 30_000);

  test("said in the body, too, is waited for", async () => {
    const { slack, open } = await started();
    const { reply, target, seen } = open();
    slack.faults.next("chat.postMessage", { type: "refusal", error: "ratelimited" });
    await reply.finish(viewOf(target, { text: "Here.", ...done }));
    expect(seen()).toHaveLength(1);
  }, 30_000);
});

test.each(["not_agent_app", "feature_disabled", "missing_scope", "not_allowed_token_type"])(
  "%s: what is optional is asked for once, said once in the log, and then done without",
  async (error) => {
    const log = new RememberingLog();
    const { slack, open } = await started({ log });
    slack.faults.always("agents.sessions.setStatus", { type: "refusal", error });
    for (const { reply, target, channel, message } of [open(), open()]) {
      reply.show(viewOf(target, {}));
      await expect.poll(() => slack.status(channel, message.ts)?.text).toContain("working");
      await reply.finish(viewOf(target, { text: "Here.", ...done }));
    }
    expect(slack.calls("agents.sessions.setStatus")).toHaveLength(1);
    expect(log.lines.filter(({ problem }) => problem === error)).toHaveLength(1);
  },
);

test.each(["account_inactive", "token_revoked", "invalid_auth", "token_expired"])(
  "%s: the answer fails at once, in words, and is not tried elsewhere",
  async (error) => {
    const { slack, open } = await started();
    const { reply, target } = open();
    slack.faults.always("*", { type: "refusal", error });
    const before = slack.calls().length;
    await expect(reply.finish(viewOf(target, { text: "Here.", ...done }))).rejects.toMatchObject({
      detail: "My access to this workspace has ended.",
    });
    const after = slack.calls().slice(before);
    const chat = after.map(({ method }) => method).filter((method) => method.startsWith("chat."));
    expect(chat).toEqual(["chat.postMessage"]);
  },
);

describe.each(["socket", "http"] as const)("over %s", (transport) => {
  test.each(["expired_trigger_id", "exchanged_trigger_id"])(
    "%s: who pressed is asked to try again, and nothing is done",
    async (error) => {
      const { slack, bot, ada, general } = await started({ transport });
      slack.faults.next("views.open", { type: "refusal", error });
      await ada.types("/assistant settings", general);
      await expect
        .poll(() => ada.sees(general).at(-1)?.text)
        .toBe("That took too long to reach me. Please try again.");
      expect(ada.modal).toBeUndefined();
      expect(bot.commandsGiven).toEqual([]);
    },
  );

  test("a button that no longer means anything is answered in words", async () => {
    const { bot, ada, open } = await started({ transport });
    const { reply, target, channel, message, seen } = open();
    bot.onPress = async () => ({ ok: false, words: "This answer is finished already." });
    await reply.finish(viewOf(target, { text: "Here.", status: "failed", actions: ["retry"] }));
    const [answer] = seen();
    if (!answer) throw new Error("nothing is shown");
    await ada.presses(answer, "Try again");
    await expect
      .poll(() => ada.sees(channel, message.ts).find(({ isEphemeral }) => isEphemeral)?.text)
      .toBe("This answer is finished already.");
  });

  test("what the bot changes itself is no message to it", async () => {
    const { slack, bot, open } = await started({ transport, streaming: "update" });
    const { reply, target, seen } = open();
    reply.show(viewOf(target, { text: beginning }));
    await expect.poll(() => seen().length).toBe(1);
    await reply.finish(viewOf(target, { text: `${beginning}End.`, ...done }));
    await slack.settled();
    const echoes = slack.deliveries.filter(({ payload }) =>
      JSON.stringify(payload).includes("message_changed"),
    );
    expect(echoes.length).toBeGreaterThan(0);
    expect([bot.messages, bot.amendments]).toEqual([[], []]);
  });
});

test("already_reacted, no_reaction: marks that are there already, or gone, are no trouble", async () => {
  const log = new RememberingLog();
  const { slack, bot, ada, general } = await started({ log });
  bot.onMessage = async ({ place }) => ({
    status: "accepted",
    position: 1,
    conversationKey: place.threadKey,
  });
  slack.faults.next("reactions.add", { type: "refusal", error: "already_reacted" });
  slack.faults.next("reactions.remove", { type: "refusal", error: "no_reaction" });
  const message = ada.mentions(general, "hello");
  await expect.poll(() => slack.calls("reactions.add").length).toBe(1);
  bot.tellQueue(`slack:${slack.workspace.id}:${general.id}:${message.ts}`, []);
  await expect.poll(() => slack.calls("reactions.remove").length).toBe(1);
  expect(log.lines).toEqual([]);
});

test("message_not_found at a deletion: what is gone is gone", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  await reply.settle();
  reply.show(viewOf(target, { text: beginning, status: "waiting" }));
  await reply.settle();
  slack.faults.next("chat.delete", { type: "refusal", error: "message_not_found" });
  await reply.finish(viewOf(target, { text: "", removed: true, status: "cancelled" }));
  expect(slack.calls("chat.delete")).toHaveLength(1);
  expect(seen()).toHaveLength(1);
});

test("message_not_found at an update: what somebody deleted is shown again", async () => {
  const { slack, open } = await started({ streaming: "update" });
  const { channel, reply, target, seen } = open();
  reply.show(viewOf(target, { text: beginning }));
  await expect.poll(() => seen().length).toBe(1);
  const { messages } = channel;
  messages.splice(
    messages.findIndex(({ ts }) => ts === seen()[0]?.ts),
    1,
  );
  await reply.finish(viewOf(target, { text: `${beginning}End.`, ...done }));
  expect(seen().map((one) => one.text.includes("End."))).toEqual([true]);
  expect(slack.calls("chat.postMessage")).toHaveLength(2);
});

describe.each([
  ["fatal_error", { type: "refusal", error: "fatal_error" }],
  ["internal_error", { type: "refusal", error: "internal_error" }],
  ["HTTP 503 after it was carried out", { type: "http-error", status: 503, accepted: true }],
  ["HTTP 500 before it was carried out", { type: "http-error", status: 500, accepted: false }],
  ["a cut connection after it was carried out", { type: "reset", accepted: true }],
  ["a page of HTML", { type: "html" }],
] as const)("%s:", (_name, fault) => {
  test("Slack is asked whether the post is there before it is posted again", async () => {
    const { slack, open } = await started();
    const { reply, target, seen } = open();
    slack.faults.next("chat.postMessage", fault);
    await reply.finish(viewOf(target, { text: "Once.", ...done }));
    expect(seen().map((one) => one.text.includes("Once."))).toEqual([true]);
    expect(slack.calls("conversations.replies")).toHaveLength(1);
  });

  test("a stream that may have begun is found by its place", async () => {
    const { slack, open } = await started();
    const { reply, target, seen, said } = open();
    slack.faults.next("chat.startStream", fault);
    reply.show(viewOf(target, { text: beginning }));
    await expect.poll(() => slack.calls("conversations.replies").length).toBe(1);
    await reply.finish(viewOf(target, { text: `${beginning}End.`, ...done }));
    expect(said().split("A beginning")).toHaveLength(2);
    expect(seen().at(-1)?.text).toContain("End.");
    expect(slack.liveStreams).toEqual([]);
  });
});

describe("a stream's five minutes", () => {
  /** Lets the time pass in small steps until it is so: limits and pauses live by this clock. */
  async function until(clock: ManualClock, isSo: () => boolean): Promise<void> {
    await expect
      .poll(
        () => {
          if (!isSo()) clock.advance(200);
          return isSo();
        },
        { timeout: 20_000, interval: 20 },
      )
      .toBe(true);
  }

  test("end inside of code: it is closed, and opened again in its language", async () => {
    const clock = new ManualClock();
    const { slack, open } = await started({ clock });
    const { reply, target, seen } = open();
    const lines = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, at) => `const line${from + at} = ${from + at};\n`).join(
        "",
      );
    const head = `Look:\n\n\`\`\`ts\n${lines(0, 10)}`;
    reply.show(viewOf(target, { text: head }));
    await until(clock, () => slack.liveStreams.length === 1);
    clock.advance(266_000);
    reply.show(viewOf(target, { text: `${head}${lines(10, 15)}` }));
    await until(clock, () => slack.liveStreams.length === 0);
    reply.show(viewOf(target, { text: `${head}${lines(10, 20)}` }));
    await until(clock, () => slack.calls("chat.startStream").length === 2);
    expect(slack.liveStreams).toHaveLength(1);
    const text = `${head}${lines(10, 30)}\`\`\`\n\nDone.`;
    const finished = reply.finish(viewOf(target, { text, ...done }));
    await until(clock, () => slack.liveStreams.length === 0);
    await finished;
    const [one = "", two = ""] = seen().map((message) => message.text);
    expect(seen()).toHaveLength(2);
    for (const part of [one, two]) expect(part.match(/^```/gm)).toHaveLength(2);
    expect(two.startsWith("```ts\n")).toBe(true);
    const said = [...`${one}${two}`.matchAll(/const line(\d+)/g)].map(([, at]) => Number(at));
    expect(said).toEqual(Array.from({ length: 30 }, (_, at) => at));
  }, 40_000);

  test("end inside of a table: its header is repeated", async () => {
    const clock = new ManualClock();
    const { slack, open } = await started({ clock });
    const { reply, target, seen } = open();
    const rows = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, at) => `| row ${from + at} | ${from + at} |\n`).join(
        "",
      );
    const head = `| name | n |\n| - | - |\n${rows(0, 5)}`;
    reply.show(viewOf(target, { text: head }));
    await until(clock, () => slack.liveStreams.length === 1);
    clock.advance(266_000);
    reply.show(viewOf(target, { text: `${head}${rows(5, 7)}` }));
    await until(clock, () => slack.liveStreams.length === 0);
    reply.show(viewOf(target, { text: `${head}${rows(5, 9)}` }));
    await until(clock, () => slack.calls("chat.startStream").length === 2);
    const text = `${head}${rows(5, 12)}`;
    const finished = reply.finish(viewOf(target, { text, ...done }));
    await until(clock, () => slack.liveStreams.length === 0);
    await finished;
    const texts = seen().map((message) => message.text);
    expect(texts).toHaveLength(2);
    for (const part of texts) expect(part.startsWith("| name | n |\n| - | - |\n")).toBe(true);
    const said = [...texts.join("").matchAll(/\| row (\d+)/g)].map(([, at]) => Number(at));
    expect(said).toEqual(Array.from({ length: 12 }, (_, at) => at));
  }, 40_000);

  test("are not waited for when nothing comes: the stream is ended in time, and what comes later goes on", async () => {
    const clock = new ManualClock();
    const world = await started({ clock });
    const { slack } = world;
    const { channel, message, reply, target, seen, said } = world.open();
    reply.show(viewOf(target, { text: beginning }));
    await until(clock, () => said().trim() === beginning.trim());
    const [stream] = slack.liveStreams;
    const begunMs = stream?.stream?.startedAtMs ?? 0;
    clock.advance(begunMs + 264_000 - clock.now());
    await Promise.resolve();
    expect(slack.calls("chat.stopStream")).toEqual([]);
    await until(clock, () => slack.liveStreams.length === 0);
    expect(clock.now() - begunMs).toBeLessThan(slack.settings.streamLifeMs);
    expect(seen().map(({ stream: state, text }) => [state, text.trim()])).toEqual([
      ["stopped", beginning.trim()],
    ]);
    expect(slack.session(channel, message.ts)?.status).toBe("processing");
    clock.advance(600_000);
    const text = `${beginning}After a long while there is more to say. The end.`;
    const finished = reply.finish(viewOf(target, { text, ...done }));
    await until(clock, () => seen().length === 2);
    await finished;
    expect(said().replace("once.After", "once. After")).toBe(text);
    expect(slack.calls().filter(({ error }) => error !== undefined)).toEqual([]);
    expect(slack.session(channel, message.ts)?.status).toBe("active");
  }, 40_000);

  test("leave no card running behind: it goes on in the next message", async () => {
    const clock = new ManualClock();
    const { slack, channel, message, reply, target, seen } = await (async () => {
      const world = await started({ clock });
      return { ...world, ...world.open() };
    })();
    const before = step("s0", "Looking around", "completed");
    const running = [before, step("s1", "Reading the files", "in_progress")];
    const text = `${beginning}\n\n`;
    reply.show(viewOf(target, { text, steps: running }));
    await until(clock, () => slack.liveStreams.length === 1);
    clock.advance(266_000);
    reply.show(viewOf(target, { text, steps: running }));
    await until(clock, () => slack.calls("chat.startStream").length === 2);
    reply.show(
      viewOf(target, { text: `${text}More comes after the long while. `, steps: running }),
    );
    await until(clock, () => JSON.stringify(seen()).includes("More comes after"));
    expect(slack.session(channel, message.ts)?.status).toBe("processing");
    const steps = [before, step("s1", "Reading the files", "completed")];
    const whole = `${text}More comes after the long while. Done.`;
    const finished = reply.finish(viewOf(target, { text: whole, steps, ...done }));
    await until(clock, () => slack.liveStreams.length === 0);
    await finished;
    expect(seen().map(({ tasks }) => tasks.map(({ title, status }) => [title, status]))).toEqual([
      [
        ["Looking around", "complete"],
        ["Reading the files (continued)", "complete"],
      ],
      [["Reading the files", "complete"]],
    ]);
    expect(slack.session(channel, message.ts)?.status).toBe("active");
  }, 40_000);
});

/** What a streamed message may weigh: the ceilings people have measured begin at 10,600 bytes. */
const mostWeight = 9_000;

test.each([
  ["in a few words", (at: number) => `Looking at document number ${at} of the archive`],
  ["as long as titles come", (at: number) => `Prüfe Übersetzung ${at}: ${"größer ".repeat(40)}`],
])(
  "forty cards, titled %s, never make a message too large, and none stays open",
  async (_how, title) => {
    const { slack, open } = await started();
    const { channel, reply, target, seen } = open();
    const weights: number[] = [];
    slack.onCall(() => {
      const streams = channel.messages.flatMap(({ stream }) => stream ?? []);
      weights.push(...streams.map(weightedBytes));
    });
    const titled = (status: StepView["status"]) =>
      Array.from({ length: 40 }, (_, at) => step(`s${at}`, title(at), status));
    reply.show(viewOf(target, { steps: titled("in_progress") }));
    await expect.poll(() => slack.liveStreams.length).toBe(1);
    const text = "Ein Wort, ein Bär, 漢字. ".repeat(500);
    await reply.finish(viewOf(target, { text, steps: titled("completed"), ...done }));
    const said = seen()
      .map((one) => one.text)
      .join("");
    expect(said.match(/漢字/g)).toHaveLength(500);
    const cards = seen().flatMap(({ tasks }) => tasks);
    expect(cards.length).toBeGreaterThan(0);
    expect(cards.filter(({ status }) => status !== "complete")).toEqual([]);
    expect(Math.max(...weights)).toBeGreaterThan(mostWeight / 2);
    expect(Math.max(...weights)).toBeLessThanOrEqual(mostWeight);
  },
);

describe("the end of an answer", () => {
  test("shows its sources under it, as links", async () => {
    const { target, reply, seen } = await streaming();
    const sources = [
      { id: "1", kind: "web", title: "The <plan>", url: "https://example.com/plan" },
      { id: "2", kind: "file", title: "notes.pdf", page: 3 },
    ] as unknown as ReplyView["sources"];
    await reply.finish(viewOf(target, { text: `${beginning}So it is [1].`, sources, ...done }));
    const [answer] = seen();
    expect(JSON.stringify(answer?.blocks)).toContain("<https://example.com/plan|The &lt;plan&gt;>");
    expect(JSON.stringify(answer?.blocks)).toContain("[2] notes.pdf, page 3");
  });

  test("offers to continue what was cut short", async () => {
    const { bot, ada, target, reply, seen } = await streaming();
    await reply.finish(
      viewOf(target, { text: beginning, status: "incomplete", actions: ["continue"] }),
    );
    const [answer] = seen();
    if (!answer) throw new Error("nothing is shown");
    await ada.presses(answer, "Continue");
    await expect.poll(() => bot.presses.map(({ press }) => press.type)).toEqual(["continue"]);
  });

  test("is suspended while somebody is asked, and active once it is over", async () => {
    const { slack, channel, message, target, reply } = await streaming();
    const request = {
      type: "approval",
      id: "q1",
      callId: "c1",
      toolName: "send_mail",
      title: "Send the mail",
      arguments: "to: grace",
      expiresAtMs: Date.now() + 60_000,
      personKey: target.asker.key,
    } as const;
    reply.show(viewOf(target, { text: beginning, status: "waiting", requests: [request] }));
    await reply.settle();
    expect(slack.session(channel, message.ts)?.status).toBe("suspended");
    await reply.finish(viewOf(target, { text: `${beginning}Sent.`, ...done }));
    expect(slack.session(channel, message.ts)?.status).toBe("active");
  });

  test("is active after a stop, too", async () => {
    const { slack, channel, message, target, reply } = await streaming();
    const stopped = { status: "cancelled", actions: ["continue"] } as const;
    await reply.finish(viewOf(target, { text: beginning, ...stopped }));
    expect(slack.session(channel, message.ts)?.status).toBe("active");
  });
});

test("somebody who waits for another's decision may decline it and be answered", async () => {
  const { slack, bot, ada, general } = await started();
  bot.onMessage = async ({ place }) => ({
    status: "accepted",
    position: 1,
    conversationKey: place.threadKey,
    waitingFor: { personName: "grace", requestId: "q7" },
  });
  ada.mentions(general, "hello");
  await slack.settled();
  const words = () => ada.sees(general).find(({ isEphemeral }) => isEphemeral);
  await expect.poll(() => words()?.text).toContain("I am waiting for grace");
  const offer = words();
  if (!offer) throw new Error("no offer");
  await ada.presses(offer, "Decline and answer me");
  await expect
    .poll(() => bot.decisions)
    .toMatchObject([{ requestId: "q7", decision: { type: "decline" }, by: { name: "ada" } }]);
});

test("people of other organisations are answered where that is switched on", async () => {
  const { slack, bot, ada } = await started({ policy: { allowsExternal: true } });
  const partner = slack.addWorkspace("Partner");
  const eve = slack.addPerson("eve", { teamId: partner.id });
  const shared = slack.addChannel("shared", { members: [ada, eve], isShared: true });
  const message = eve.mentions(shared, "hello");
  await slack.settled();
  expect(bot.messages).toMatchObject([
    {
      author: { key: `slack:${partner.id}:${eve.id}` },
      place: { target: { team: slack.workspace.id, userTeam: partner.id } },
      eventId: `slack:${slack.workspace.id}:${shared.id}:${message.ts}`,
    },
  ]);
});
