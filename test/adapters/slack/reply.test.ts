import { describe, expect, onTestFinished, test } from "vitest";
import { emptyView, type ReplyView, type StepView } from "#domain/reply-view";
import type { ReplyTarget } from "#ports/platform";
import { LeaseLost } from "#ports/run-queue";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { JournalMemory, MemoryJournal } from "../../fakes/memory-journal.ts";
import { slackForTest } from "../../wire/slack/slack-for-test.ts";
import { createSlack, type SlackOptions, targetFor } from "./slack-harness.ts";

async function started(options: SlackOptions = {}) {
  const slack = await slackForTest();
  const bot = new FakeBot();
  const platform = createSlack(slack, options);
  await platform.start(bot);
  onTestFinished(() => platform.stop());
  const ada = slack.addPerson("ada");
  let rooms = 0;
  const open = (journal?: MemoryJournal) => {
    rooms += 1;
    const channel = slack.addChannel(`room-${rooms}`, { members: [ada] });
    const message = ada.posts(channel, "hello");
    const target = targetFor(slack, { channel, message, person: ada });
    const reply = platform.openReply(target, journal ?? new MemoryJournal(target.runId));
    const seen = () => slack.replies(channel, message.ts);
    return { channel, message, target, reply, seen };
  };
  return { slack, bot, platform, ada, open };
}

function viewOf({ runId }: ReplyTarget, change: Partial<ReplyView>): ReplyView {
  return { ...emptyView(runId), ...change };
}

const done = { status: "completed", actions: ["feedback"] } as const;

function step(id: string, title: string, status: StepView["status"]): StepView {
  return { id, type: "function", title, status, input: "secret: 1", output: "raw" };
}

test("a short answer costs one call, and says in plain words what it is", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  reply.show(viewOf(target, { text: "It is " }));
  await reply.finish(viewOf(target, { text: "It is **four**.", ...done }));
  const methods = slack.calls().map(({ method }) => method);
  expect(methods.filter((method) => !/^(auth|apps)\./.test(method))).toEqual(["chat.postMessage"]);
  expect(seen()).toMatchObject([
    { notification: "It is four.", controls: ["Good answer", "Bad answer"] },
  ]);
});

test("a growing answer is one stream, begun once, with its words in order", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  const words = Array.from({ length: 60 }, (_, at) => `word${at}`);
  const text = `${words.join(" ")}\n\nand an end.`;
  for (let at = 1; at < words.length; at += 1) {
    reply.show(viewOf(target, { text: words.slice(0, at).join(" ") }));
  }
  await expect.poll(() => slack.liveStreams.length).toBe(1);
  await reply.finish(viewOf(target, { text, ...done }));
  expect(slack.calls("chat.startStream")).toHaveLength(1);
  expect(seen().map((one) => [one.text, one.stream])).toEqual([[text, "stopped"]]);
  expect(seen()[0]?.controls).toEqual(["Good answer", "Bad answer"]);
  expect(slack.liveStreams).toEqual([]);
});

test("steps are cards in plain words, without arguments or output, and none stays open", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  reply.show(viewOf(target, { steps: [step("s1", "Searching the wiki", "in_progress")] }));
  await expect.poll(() => slack.liveStreams.length).toBe(1);
  const steps = [step("s1", "Searching the wiki", "failed"), step("s2", "Adding up", "completed")];
  await reply.finish(viewOf(target, { text: "Nothing found.", steps, ...done }));
  expect(seen()[0]?.tasks.map(({ title, status }) => [title, status])).toEqual([
    ["Searching the wiki: did not work", "complete"],
    ["Adding up", "complete"],
  ]);
  expect(JSON.stringify(slack.calls())).not.toContain("secret: 1");
});

test("a stream Slack has ended is repaired, and the rest goes on in another message", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  const first = "The first part of the answer stands here. ";
  reply.show(viewOf(target, { text: `${first}More ` }));
  await expect.poll(() => slack.liveStreams.length).toBe(1);
  slack.expireStreams();
  const text = `${first}More of it comes now.`;
  reply.show(viewOf(target, { text: `${text} ` }));
  await reply.finish(viewOf(target, { text: `${text} End.`, ...done }));
  const said = seen()
    .map((one) => one.text)
    .join("");
  for (const word of ["first part", "More of it", "End."]) {
    expect(said.split(word)).toHaveLength(2);
  }
  expect(slack.liveStreams).toEqual([]);
});

test("an answer too long for its sections is still there once, and so are its buttons", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  reply.show(viewOf(target, { text: "A beginning that is long enough to stream. " }));
  await expect.poll(() => slack.liveStreams.length).toBe(1);
  slack.faults.next("chat.stopStream", { type: "refusal", error: "msg_too_long" });
  await reply.finish(
    viewOf(target, { text: "A beginning that is long enough to stream. End.", ...done }),
  );
  expect(seen()).toHaveLength(1);
  expect(seen()[0]?.text.split("A beginning")).toHaveLength(2);
  expect(seen()[0]?.text).toContain("End.");
  expect(seen()[0]?.controls).toContain("Good answer");
  expect(slack.liveStreams).toEqual([]);
});

test("where streams are refused the message is posted and updated, and nobody asks twice", async () => {
  const { slack, open } = await started();
  slack.faults.always("chat.startStream", { type: "refusal", error: "unknown_method" });
  for (const room of [open(), open()]) {
    room.reply.show(viewOf(room.target, { text: "Long enough to be shown while it grows. " }));
    await expect.poll(() => room.seen().length).toBe(1);
    expect(room.seen()[0]?.controls).toEqual(["Stop"]);
    const text = "Long enough to be shown while it grows. Done.";
    await room.reply.finish(viewOf(room.target, { text, ...done }));
    expect(room.seen()[0]?.text).toContain("Done.");
    expect(room.seen()[0]?.controls).not.toContain("Stop");
  }
  expect(slack.calls("chat.startStream")).toHaveLength(1);
});

test("a post Slack took although the answer got lost is not posted again", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  slack.faults.next("chat.postMessage", { type: "reset", accepted: true });
  await reply.finish(viewOf(target, { text: "Once.", ...done }));
  expect(seen()).toHaveLength(1);
});

test("a 429 is waited for, and the answer comes all the same", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  slack.faults.next("chat.postMessage", { type: "rate-limit", retryAfterSeconds: 1 });
  await reply.finish(viewOf(target, { text: "Here.", ...done }));
  expect(seen()).toHaveLength(1);
});

test("thirty answers at once are all complete, none provokes a 429, no stream stays open", async () => {
  const { slack, open } = await started();
  const rooms = Array.from({ length: 30 }, () => open());
  const text = "Words that grow while everybody else is writing as well. ".repeat(8);
  for (const { reply, target } of rooms) {
    reply.show(viewOf(target, { text: text.slice(0, 120) }));
  }
  await expect.poll(() => slack.liveStreams.length, { timeout: 5_000 }).toBeGreaterThan(10);
  for (const { reply, target } of rooms) reply.show(viewOf(target, { text: text.slice(0, 300) }));
  await Promise.all(
    rooms.map(({ reply, target }) => reply.finish(viewOf(target, { text, ...done }))),
  );
  for (const { seen } of rooms) {
    const said = seen()
      .map((one) => one.text)
      .join("");
    expect(said.match(/everybody/g)).toHaveLength(8);
  }
  expect(slack.calls().filter(({ status }) => status === 429)).toEqual([]);
  expect(slack.liveStreams).toEqual([]);
});

test("in a rush everybody is told at once, and reads what is finished before the end", async () => {
  const { slack, open } = await started();
  const rooms = Array.from({ length: 45 }, () => open());
  const begin = `${"What comes first is finished while the rest is still written. ".repeat(5)}\n\nThe rest`;
  for (const { reply, target } of rooms) reply.show(viewOf(target, { text: begin }));
  await expect
    .poll(() =>
      rooms.filter(
        ({ seen, channel, message }) =>
          seen().length === 0 &&
          slack.status(channel, message.ts) === undefined &&
          slack.session(channel, message.ts) === undefined,
      ),
    )
    .toEqual([]);
  await expect.poll(() => slack.liveStreams.length).toBeGreaterThan(10);
  expect(rooms.filter(({ seen }) => seen().length === 0).length).toBeGreaterThan(10);
  const growing = setInterval(() => {
    for (const { reply, target } of rooms) reply.show(viewOf(target, { text: `${begin} is` }));
  }, 500);
  await expect.poll(() => rooms.filter(({ seen }) => seen().length === 0)).toEqual([]);
  clearInterval(growing);
  const text = `${begin} is written.`;
  await Promise.all(
    rooms.map(({ reply, target }) => reply.finish(viewOf(target, { text, ...done }))),
  );
  for (const { seen } of rooms) {
    const said = seen()
      .map((one) => one.text.replaceAll("\u200b", ""))
      .join("\n");
    expect(said.match(/What comes first/g)).toHaveLength(5);
    expect(said.match(/The rest is written\./g)).toHaveLength(1);
    expect(said).not.toContain("The rest\n");
  }
  expect(slack.calls().filter(({ status }) => status === 429)).toEqual([]);
  expect(slack.liveStreams).toEqual([]);
});

test("a long answer is whole, in balanced messages with one table each", async () => {
  const { open } = await started();
  const { reply, target, seen } = open();
  const table = "| a | b |\n| - | - |\n| 1 | 2 |\n\n";
  const code = `\`\`\`ts\n${"const line = 1;\n".repeat(900)}\`\`\`\n\n`;
  const text = `${table}${table}${code}${"Ein Wort, ein Bär, 漢字. ".repeat(600)}`;
  await reply.finish(viewOf(target, { text, ...done }));
  const texts = seen().map((one) => one.text);
  expect(texts.length).toBeGreaterThan(3);
  for (const one of texts) expect((one.match(/^```/gm) ?? []).length % 2).toBe(0);
  const all = texts.join("\n");
  expect(all.match(/const line = 1;/g)).toHaveLength(900);
  expect(all.match(/漢字/g)).toHaveLength(600);
});

test.each(["native", "update"] as const)(
  "nobody is notified by an answer (%s)",
  async (streaming) => {
    const { slack, open } = await started({ streaming });
    const grace = slack.addPerson("grace");
    const { reply, target, seen } = open();
    const text = `Everything stands in this one message: <!channel> <!here|here> <!subteam^S123|@all> <@${grace.id}> everybody, all of you. `;
    reply.show(viewOf(target, { text }));
    await expect.poll(() => seen().length).toBe(1);
    await reply.finish(viewOf(target, { text: `${text}<!everyone>`, ...done }));
    expect(seen().flatMap(({ notified }) => notified)).toEqual([]);
  },
);

test("an approval ends the stream with its buttons, and the message goes on after it", async () => {
  const { slack, open } = await started();
  const { reply, target, seen } = open();
  const request = {
    type: "approval",
    id: "q1",
    callId: "c1",
    toolName: "send_mail",
    title: "Send the mail",
    arguments: "to: <grace>",
    expiresAtMs: Date.now() + 60_000,
    personKey: target.asker.key,
  } as const;
  reply.show(viewOf(target, { text: "I would send it now, if I may. " }));
  await expect.poll(() => slack.liveStreams.length).toBe(1);
  const waiting = { text: "I would send it now, if I may. ", status: "waiting" } as const;
  reply.show(viewOf(target, { ...waiting, requests: [request] }));
  await reply.settle();
  expect(seen()[0]?.controls).toEqual(["Approve", "Decline", "Stop"]);
  expect(seen()[0]?.text).toContain("to: <grace>");
  expect(slack.liveStreams).toEqual([]);
  const settlements = [{ requestId: "q1", outcome: "approved", byName: "Ada" }] as const;
  await reply.finish(
    viewOf(target, { text: "I would send it now, if I may. Sent.", settlements, ...done }),
  );
  expect(seen()).toHaveLength(1);
  expect(seen()[0]?.text).toContain("Approved by Ada");
  expect(seen()[0]?.controls).toEqual(["Good answer", "Bad answer"]);
});

test("somebody is told within a second that the bot is at work, and it ends with the answer", async () => {
  const { slack, open } = await started();
  const { reply, target, channel, message } = open();
  reply.show(viewOf(target, {}));
  await expect
    .poll(() => slack.session(channel, message.ts)?.status, { timeout: 3_000 })
    .toBe("processing");
  await reply.finish(viewOf(target, { text: "Here.", ...done }));
  expect(slack.session(channel, message.ts)?.status).toBe("active");
});

describe("files", () => {
  const file = { id: "f1", name: "a.csv", mimeType: "text/csv", bytes: 3, altText: "Two columns" };

  test("come in one message after the text, with words for who cannot see them", async () => {
    const { bot, open } = await started();
    const { reply, target, seen } = open();
    const files = [file, { ...file, id: "f2", name: "b.csv" }];
    for (const { id } of files) bot.files.set(id, new TextEncoder().encode("a,b"));
    await reply.finish(viewOf(target, { text: "Here.", files, ...done }));
    expect(seen().map((one) => one.files.map(({ name, altText }) => [name, altText]))).toEqual([
      [],
      [
        ["a.csv", "Two columns"],
        ["b.csv", "Two columns"],
      ],
    ]);
  });

  test("that a workspace does not allow are named with the reason", async () => {
    const { slack, bot, open } = await started();
    const { reply, target, seen } = open();
    slack.uploads.refusal = "file_uploads_disabled";
    bot.files.set("f1", new TextEncoder().encode("a,b"));
    await reply.finish(viewOf(target, { text: "Here.", files: [file], ...done }));
    expect(seen().at(-1)?.text).toContain("a.csv: this workspace does not allow uploads");
  });
});

describe("tables", () => {
  const rowsOf = (count: number) =>
    Array.from({ length: count }, (_, at) => `| item ${at} | ${at} |\n`).join("");
  const tableOf = (count: number) => `| thing | n |\n| - | - |\n${rowsOf(count)}`;

  test("of more than a screen are read in pages, with a caption", async () => {
    const { open } = await started();
    const { reply, target, seen } = open();
    const text = `The **stock**:\n\n${tableOf(40)}\nThat is all.`;
    await reply.finish(viewOf(target, { text, ...done }));
    const [message] = seen();
    expect(message?.blocks.map(({ type }) => type)).toEqual([
      "markdown",
      "data_table",
      "markdown",
      "context_actions",
    ]);
    expect(message?.blocks[1]).toMatchObject({ caption: "The stock", row_header_column_index: 0 });
    expect(message?.text).toContain("item 39");
  });

  test("of more rows than Slack shows are whole, in several messages and as a file", async () => {
    const { open } = await started();
    const { reply, target, seen } = open();
    const text = `Stock\n\n${tableOf(230)}`;
    await reply.finish(viewOf(target, { text, ...done }));
    const texts = seen().filter(({ files }) => files.length === 0);
    const rows = texts.flatMap((one) => one.text.match(/item \d+/g) ?? []);
    expect(rows).toEqual(Array.from({ length: 230 }, (_, at) => `item ${at}`));
    const file = seen().at(-1)?.files[0];
    expect(file).toMatchObject({ name: "table.csv", altText: "Stock: 230 rows, 2 columns" });
    const csv = new TextDecoder().decode(file?.bytes).split("\r\n");
    expect([csv[0], csv[230], csv.length]).toEqual(["thing,n", "item 229,229", 232]);
  });

  test("that Slack refuses are shown as text, and nothing is lost", async () => {
    const { slack, open } = await started();
    const { reply, target, seen } = open();
    slack.faults.always(
      "chat.postMessage",
      { type: "refusal", error: "invalid_attachments" },
      (args) => !JSON.stringify(args).includes("```"),
    );
    const text = `Before.\n\n${tableOf(3)}\nAfter.`;
    await reply.finish(viewOf(target, { text, ...done }));
    expect(seen()).toHaveLength(1);
    expect(seen()[0]?.text).toContain("```\n| thing | n |");
    expect(seen()[0]?.controls).toEqual(["Good answer", "Bad answer"]);
  });
});

describe("where the answer cannot be shown", () => {
  test.each([
    ["is_archived", "This channel is archived."],
    ["not_in_channel", "I am not a member of this channel: invite me."],
    ["restricted_action", "This workspace does not let me post here."],
    ["thread_not_found", "The message I was to reply to is gone."],
  ])("(%s) it comes as a direct message that says why, once", async (error, words) => {
    const { slack, ada, open } = await started();
    const { reply, target, channel, seen } = open();
    slack.faults.always(
      "*",
      { type: "refusal", error },
      ({ channel: at }: { readonly channel?: unknown }) => at === channel.id,
    );
    const finished = reply.finish(viewOf(target, { text: "It is **four**.", ...done }));
    await expect(finished).rejects.toMatchObject({ code: "reply-impossible", detail: words });
    expect(seen()).toEqual([]);
    expect(
      slack.calls("chat.postMessage").filter(({ args }) => args.channel === channel.id),
    ).toHaveLength(1);
    const direct = slack.replies(ada.directChannel());
    expect(direct).toHaveLength(1);
    expect(direct[0]?.text).toContain(words);
    expect(direct[0]?.text).toContain("It is **four**.");
  });

  test("a direct message that cannot be shown is not said elsewhere", async () => {
    const { slack, platform, ada } = await started();
    const message = ada.directMessage("hello");
    const target = targetFor(slack, { channel: ada.directChannel(), message, person: ada });
    slack.faults.always("*", { type: "refusal", error: "messages_tab_disabled" });
    const reply = platform.openReply(target, new MemoryJournal(target.runId));
    await expect(reply.finish(viewOf(target, { text: "No.", ...done }))).rejects.toMatchObject({
      detail: "Direct messages to me are switched off in my app settings.",
    });
    expect(slack.calls("chat.postMessage")).toHaveLength(1);
  });
});

test("what may stand there twice, because nobody could look, says that it goes on", async () => {
  const { slack, platform, open } = await started();
  const { target, seen } = open();
  const memory = new JournalMemory();
  const journal = new MemoryJournal(target.runId, memory);
  await journal.before({
    index: 0,
    content: { type: "text", from: 0, to: 5 },
    revision: 0,
    intentId: journal.intentId(0, 0),
    atMs: Date.now(),
  });
  slack.faults.always("conversations.replies", { type: "refusal", error: "missing_scope" });
  const again = platform.openReply(target, new MemoryJournal(target.runId, memory));
  await again.finish(viewOf(target, { text: "It is four.", ...done }));
  expect(seen().map(({ text }) => text)).toEqual([
    expect.stringContaining("Continued after an interruption"),
  ]);
});

test("what waited for its turn is not sent once another process has taken over", async () => {
  const { slack, open } = await started({ streaming: "update" });
  const journal = new MemoryJournal("run-1");
  const { reply, target, seen } = open(journal);
  reply.show(viewOf(target, { text: "This was shown before all of it." }));
  await reply.settle();
  const told = { type: "rate-limit", retryAfterSeconds: 1 } as const;
  slack.faults.next("chat.update", told);
  const finished = reply.finish(viewOf(target, { text: "This was shown too late.", ...done }));
  await expect.poll(() => slack.calls("chat.update"), { timeout: 10_000 }).toHaveLength(1);
  journal.lose();
  await expect(finished).rejects.toBeInstanceOf(LeaseLost);
  expect(slack.calls("chat.update")).toHaveLength(1);
  expect(seen()[0]?.text).toContain("This was shown before all of it.");
});

test("a stream that another run left open above the question is not taken for this one's", async () => {
  const { slack, platform, ada, open } = await started();
  const lost = new MemoryJournal("run-1");
  const before = open(lost);
  before.reply.show(viewOf(before.target, { text: "This was begun, and never ended." }));
  await expect.poll(() => slack.liveStreams.length).toBe(1);
  lost.lose();
  const { channel, message } = before;
  const question = ada.posts(channel, "and now?", { threadTs: message.ts });
  const target = targetFor(slack, { channel, message: question, person: ada });
  const memory = new JournalMemory();
  const content = { type: "text", from: 0, to: 0 } as const;
  const atMs = Date.now();
  memory.intents.set(0, { index: 0, content, revision: 0, intentId: "run-2.0.0", atMs });
  const reply = platform.openReply(target, new MemoryJournal("run-2", memory));
  await reply.finish(viewOf(target, { text: "This is its own answer.", ...done }));
  expect(before.seen().map(({ text, stream }) => [text.split("\n")[0], stream])).toEqual([
    [expect.stringContaining("This was"), "live"],
    ["This is its own answer.", undefined],
  ]);
});
