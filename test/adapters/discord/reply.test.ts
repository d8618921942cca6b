import { describe, expect, test } from "vitest";
import { JournalMemory, MemoryJournal } from "../../fakes/memory-journal.ts";
import { answersTo, callOf, calls, done, routes, stage, step, viewOf } from "./reply-stage.ts";

const grown = (count: number) => Array.from({ length: count }, (_, at) => `word${at}`).join(" ");

describe("a short answer", () => {
  test("to a mention costs a thread and one message", async () => {
    const { discord, open } = await stage();
    const { reply, target, message, seen } = open();
    const before = discord.requests().length;

    reply.show(viewOf(target, { text: "It is " }));
    await reply.finish(viewOf(target, { text: "It is **four**.", ...done }));

    const said = discord.requests().slice(before);
    // What was said before the mention is read for the model.
    const writes = said.filter(({ method }) => method !== "GET");
    expect(writes.map(({ method, route }) => `${method} ${route}`)).toEqual([
      "POST /channels/:channel/messages/:message/threads",
      "POST /channels/:channel/messages",
    ]);
    expect(discord.threadOn(message)?.name).toBe("Question");
    expect(seen()).toMatchObject([
      {
        text: "It is **four**.",
        controls: ["Good answer", "Bad answer"],
        showsEmbeds: false,
        isSilent: false,
        notified: [],
      },
    ]);
    expect(discord.complaints).toEqual([]);
  });

  test("to a direct message costs one call, and stands under what it answers", async () => {
    const { discord, openDirectly } = await stage();
    const { reply, target, message, seen } = openDirectly();
    const before = discord.requests().length;

    await reply.finish(viewOf(target, { text: "Four.", ...done }));

    expect(discord.requests()).toHaveLength(before + 1);
    expect(seen()).toMatchObject([{ text: "Four.", repliesTo: message.id, notified: [] }]);
  });
});

describe("a growing answer", () => {
  test("is one message, edited a few times with the newest text", async () => {
    const { discord, open } = await stage();
    const { reply, target, seen } = open();
    const began = Date.now();
    for (let count = 1; count <= 100; count += 1) {
      reply.show(viewOf(target, { text: grown(count) }));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const seconds = (Date.now() - began) / 1_000;
    await reply.finish(viewOf(target, { text: `${grown(100)}.`, ...done }));

    const edits = calls(discord, "edit");
    expect(calls(discord, "create")).toHaveLength(1);
    expect(edits.length).toBeGreaterThanOrEqual(2);
    expect(edits.length).toBeLessThanOrEqual(Math.max(5, Math.ceil(seconds / 1.2)));
    const [message] = seen();
    expect(message?.text).toBe(`${grown(100)}.`);
    for (const [at, text] of (message?.history ?? []).entries()) {
      expect(text.startsWith((message?.history[at - 1] ?? "").replace(/\.$/, ""))).toBe(true);
    }
    expect(discord.requests().filter(({ status }) => status === 429)).toEqual([]);
  }, 20_000);

  test("has one call under way, however long Discord takes to answer", async () => {
    const { discord, open } = await stage();
    const { reply, target, seen } = open();
    reply.show(viewOf(target, { text: grown(10) }));
    await expect.poll(() => seen().length, { timeout: 10_000 }).toBe(1);
    discord.faults.next(callOf("edit"), { type: "silence", accepted: true });
    for (let count = 11; count < 80; count += 1) {
      reply.show(viewOf(target, { text: grown(count) }));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    expect(discord.requests(routes.edit)).toHaveLength(1);
    discord.faults.clear();
    await reply.finish(viewOf(target, { text: grown(80), ...done }));
    expect(seen().map(({ text }) => text)).toEqual([grown(80)]);
  }, 20_000);

  test("can be stopped while it grows, and judged when it has ended", async () => {
    const { open } = await stage();
    const { reply, target, seen } = open();
    reply.show(viewOf(target, { text: "Long enough to be shown while it grows." }));
    await expect.poll(() => seen()[0]?.controls, { timeout: 10_000 }).toEqual(["Stop"]);
    await reply.finish(
      viewOf(target, {
        text: "Stopped there.",
        status: "incomplete",
        actions: ["continue", "feedback"],
      }),
    );
    expect(seen()[0]?.controls).toEqual(["Continue", "Good answer", "Bad answer"]);
  });

  test("after a 429 is edited half as often, and another channel as often as before", async () => {
    const { discord, open } = await stage();
    const [slow, quick] = [open(), open()];
    const grow = async (times: number) => {
      for (let count = 0; count < times; count += 1) {
        for (const { reply, target } of [slow, quick]) {
          reply.show(
            viewOf(target, { text: `${grown(20)} ${discord.requests().length} ${count}` }),
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    };
    const editsOf = ({ message }: typeof slow) =>
      discord
        .requests("PATCH /channels/:channel/messages/:message")
        .filter(({ params }) => params.channel === message.id);
    await grow(20);
    await expect.poll(() => slow.seen().length + quick.seen().length, { timeout: 10_000 }).toBe(2);
    discord.faults.next(
      { ...callOf("edit"), matches: ({ path }) => path.includes(slow.message.id) },
      { type: "rate-limit", retryAfterSeconds: 0.4, scope: "user" },
    );
    await grow(150);
    const answered = editsOf(slow);
    const limited = answered.findIndex(({ status }) => status === 429);
    expect(limited).toBeGreaterThanOrEqual(0);
    const after = answered.slice(limited + 1).map(({ atMs }) => atMs);
    expect((after[0] ?? 0) - (answered[limited]?.atMs ?? 0)).toBeGreaterThanOrEqual(400);
    for (const [at, atMs] of after.entries()) {
      if (at > 0) expect(atMs - (after[at - 1] ?? 0)).toBeGreaterThanOrEqual(2_000);
    }
    expect(editsOf(quick).length).toBeGreaterThan(after.length);
  }, 30_000);
});

describe("while there is nothing to read", () => {
  test("the thread is there and somebody is typing in it, until the answer comes", async () => {
    const { discord, open } = await stage();
    const { reply, target, message } = open();
    reply.show(viewOf(target, {}));
    await expect.poll(() => discord.threadOn(message) !== undefined).toBe(true);
    await expect.poll(() => discord.typing(message.id), { timeout: 5_000 }).toEqual(["Bobbin"]);
    await reply.finish(viewOf(target, { text: "Here.", ...done }));
    expect(discord.typing(message.id)).toEqual([]);
    expect(calls(discord, "typing")).toHaveLength(1);
  });

  test("a typing that hangs does not hold the answer up", async () => {
    const { discord, open } = await stage();
    const { reply, target, seen } = open();
    discord.faults.next(callOf("typing"), { type: "silence", accepted: false });
    reply.show(viewOf(target, {}));
    await expect.poll(() => discord.faults.spent, { timeout: 5_000 }).toBe(1);
    await reply.finish(viewOf(target, { text: "Here.", ...done }));
    expect(seen().map(({ text }) => text)).toEqual(["Here."]);
  });

  test("steps are one quiet line, without arguments or output, and gone with the answer", async () => {
    const { discord, open } = await stage();
    const { reply, target, seen } = open();
    const steps = [
      step("s1", "Reading *it*", "completed"),
      step("s2", "Searching the wiki", "in_progress"),
    ];
    reply.show(viewOf(target, { steps }));
    await expect
      .poll(() => seen()[0]?.text, { timeout: 10_000 })
      .toBe("-# 🔎 Searching the wiki… (2/2)");
    reply.show(viewOf(target, { steps, text: "What I know so far is this:" }));
    await expect
      .poll(() => seen()[0]?.text, { timeout: 10_000 })
      .toBe("What I know so far is this:\n-# 🔎 Searching the wiki… (2/2)");
    await reply.finish(
      viewOf(target, { steps, text: "What I know so far is this: nothing.", ...done }),
    );
    expect(seen().map(({ text }) => text)).toEqual(["What I know so far is this: nothing."]);
    expect(JSON.stringify(discord.requests())).not.toContain("secret: 1");
  });
});

test("sources stand under the answer as numbered links that open no previews", async () => {
  const { open } = await stage();
  const { reply, target, seen } = open();
  const sources = [
    { title: "The [wiki]", url: "https://wiki.example/a" },
    { title: "Handbook", page: 3 },
    ...Array.from({ length: 5 }, (_, at) => ({
      title: `More ${at}`,
      url: `https://m${at}.example/`,
    })),
  ];
  await reply.finish(viewOf(target, { text: "It is so.[1][2]", sources, ...done }));
  expect(seen()[0]?.text).toBe(
    "It is so.[1][2]\n-# Sources: \\[1\\] [The \\[wiki\\]](<https://wiki.example/a>) · \\[2\\] Handbook, page 3 · \\[3\\] [More 0](<https://m0.example/>) · \\[4\\] [More 1](<https://m1.example/>) · \\[5\\] [More 2](<https://m2.example/>) · and 2 more",
  );
});

test("nobody is notified by an answer, neither when it comes nor when it grows", async () => {
  const { discord, ada, open } = await stage();
  const role = discord.addRole("loud", ["MentionEveryone"], { for: [discord.botId] });
  const grace = discord.addPerson("grace");
  const { reply, target, seen } = open();
  const text = `Everybody: @everyone @here <@${grace.id}> <@${ada.id}> <@&${role}>`;
  reply.show(viewOf(target, { text }));
  await expect.poll(() => seen().length, { timeout: 10_000 }).toBe(1);
  const notices = [{ kind: "info", text: "@everyone" }] as const;
  await reply.finish(
    viewOf(target, { text: `${text} @everyone <@${grace.id}>`, notices, ...done }),
  );
  expect(seen().flatMap(({ notified }) => notified)).toEqual([]);
  expect(seen()[0]?.isEdited).toBe(true);
  expect(discord.complaints).toEqual([]);
});

describe("a question", () => {
  const approval = (personKey: string) =>
    ({
      type: "approval",
      id: "q1",
      callId: "c1",
      toolName: "send_mail",
      title: "Send the mail",
      arguments: "to: <grace> ```",
      expiresAtMs: Date.now() + 60_000,
      personKey,
    }) as const;

  test("to approve has buttons, and the message goes on after it", async () => {
    const { open } = await stage();
    const { reply, target, seen } = open();
    const waiting = { text: "I would send it now.", status: "waiting" } as const;
    reply.show(viewOf(target, { ...waiting, requests: [approval(target.asker.key)] }));
    await reply.settle();
    expect(seen()[0]?.controls).toEqual(["Approve", "Decline", "Stop"]);
    expect(seen()[0]?.text).toContain("to: <grace>");
    const settlements = [{ requestId: "q1", outcome: "approved", byName: "Ada" }] as const;
    await reply.finish(
      viewOf(target, { text: "I would send it now. Sent.", settlements, ...done }),
    );
    expect(seen()).toHaveLength(1);
    expect(seen()[0]?.text).toBe("I would send it now. Sent.\n-# Approved by Ada");
    expect(seen()[0]?.controls).toEqual(["Good answer", "Bad answer"]);
  });

  test("under a full message comes in one of its own", async () => {
    const { discord, open } = await stage();
    const { reply, target, seen } = open();
    const text = "Some words that fill it. ".repeat(70);
    const requests = [{ ...approval(target.asker.key), arguments: "x".repeat(800) }];
    reply.show(viewOf(target, { text, status: "waiting", requests }));
    await reply.settle();
    expect(seen().map(({ controls }) => controls)).toEqual([[], ["Approve", "Decline", "Stop"]]);
    await reply.finish(viewOf(target, { text: `${text}The end.`, ...done }));
    const all = seen().map(({ text }) => text);
    expect(all.join(" ").match(/fill it/g)).toHaveLength(70);
    expect(all.at(-1)).toContain("The end.");
    expect(discord.complaints).toEqual([]);
  });

  const form = (personKey: string, fields: readonly object[]) =>
    ({
      type: "form",
      id: "q2",
      callId: "c2",
      toolName: "ask_form",
      title: "Which one?",
      form: { title: "Which one?", text: "There are two.", fields },
      expiresAtMs: Date.now() + 60_000,
      personKey,
    }) as never;

  test("with one choice is a select, with more a button", async () => {
    const { open } = await stage();
    const [one, more] = [open(), open()];
    const choice = { id: "a", label: "Pick", type: "choice", choices: ["red", "blue"] };
    const note = { id: "b", label: "Why", type: "text" };
    for (const [{ reply, target }, fields] of [
      [one, [choice]],
      [more, [choice, note]],
    ] as const) {
      reply.show(viewOf(target, { status: "waiting", requests: [form(target.asker.key, fields)] }));
      await reply.settle();
    }
    expect(one.seen()[0]?.controls).toEqual(["Pick", "Decline", "Stop"]);
    expect(more.seen()[0]?.controls).toEqual(["Answer", "Decline", "Stop"]);
    expect(more.seen()[0]?.text).toContain("There are two.");
  });
});

describe("files", () => {
  const file = { id: "f1", name: "a.csv", mimeType: "text/csv", bytes: 3, altText: "Two columns" };
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ ...file, id: `f${at}`, name: `${at}.csv` }));

  test("come after the text, ten to a message, with words for who cannot see them", async () => {
    const { discord, bot, open } = await stage();
    const { reply, target, seen } = open();
    const files = many(12);
    for (const { id } of files) bot.files.set(id, new TextEncoder().encode("a,b"));
    await reply.finish(viewOf(target, { text: "Here.", files, ...done }));
    expect(seen().map(({ text, files }) => [text, files.length])).toEqual([
      ["Here.", 0],
      ["", 10],
      ["", 2],
    ]);
    expect(seen()[1]?.files[0]).toMatchObject({ name: "0.csv", altText: "Two columns" });
    expect(seen().map(({ isSilent }) => isSilent)).toEqual([false, true, true]);
    expect(discord.complaints).toEqual([]);
  });

  test("larger than the server takes are named with the limit, and the others come", async () => {
    const { bot, open } = await stage();
    const { reply, target, seen } = open();
    const files = [{ ...file, id: "big", name: "big.csv", bytes: 12 * 1024 * 1024 }, file];
    bot.files.set("f1", new TextEncoder().encode("a,b"));
    await reply.finish(viewOf(target, { text: "Here.", files, ...done }));
    expect(seen().flatMap(({ files }) => files.map(({ name }) => name))).toEqual(["a.csv"]);
    expect(seen().at(-1)?.text).toBe(
      "⚠️ I could not deliver big.csv: it has 12 MB, and this server takes 10 MB a file.",
    );
  });

  test("refused as too large after all are tried one by one", async () => {
    const { discord, bot, open } = await stage();
    const { reply, target, seen } = open();
    const files = [file, { ...file, id: "f2", name: "b.csv" }];
    bot.files.set("f1", new TextEncoder().encode("a,b"));
    bot.files.set("f2", new TextEncoder().encode("a,b"));
    await reply.settle();
    discord.faults.next(
      { ...callOf("create"), matches: ({ body }) => JSON.stringify(body).includes("a.csv") },
      { type: "refusal", name: "tooLarge" },
      2,
    );
    await reply.finish(viewOf(target, { text: "Here.", files, ...done }));
    expect(seen().flatMap(({ files }) => files.map(({ name }) => name))).toEqual(["b.csv"]);
    expect(seen().at(-1)?.text).toContain("could not deliver a.csv: it is too large");
  });

  test("without the right to attach them are named with the right that is missing", async () => {
    const { discord, bot, open } = await stage();
    const { reply, target, channel, seen } = open();
    discord.denyBot(channel, "AttachFiles");
    bot.files.set("f1", new TextEncoder().encode("a,b"));
    await reply.finish(viewOf(target, { text: "Here.", files: [file], ...done }));
    expect(seen().map(({ text }) => text)).toEqual([
      "Here.",
      "⚠️ I could not deliver a.csv: I lack the right Attach Files here.",
    ]);
  });
});

describe("a very long answer", () => {
  const table = "| a | b |\n| - | -: |\n| left | 1 |\n\n";
  const code = `\`\`\`ts\n${"const line = 1;\n".repeat(600)}\`\`\`\n\n`;
  const prose = "Ein Wort, ein Bär, 漢字 und 👩‍👩‍👧. ".repeat(540);
  const text = `# Title\n\n${table}${code}${prose}`;

  test("that is complete at once is its first part and a file with all of it", async () => {
    const { discord, open } = await stage();
    const { reply, target, seen } = open();
    expect(text.length).toBeGreaterThan(25_000);
    await reply.finish(viewOf(target, { text, ...done }));
    expect(seen()).toHaveLength(2);
    const [first, last] = seen();
    expect(first?.text).toMatch(/^# Title/);
    expect(Buffer.from(last?.files[0]?.bytes ?? []).toString()).toBe(text);
    expect(last?.files[0]?.altText).toContain("The whole answer as Markdown");
    expect(last?.controls).toEqual(["Good answer", "Bad answer"]);
    expect(discord.complaints).toEqual([]);
  });

  test("that grew keeps the messages that were read, and says meanwhile that there is more", async () => {
    const { discord, open } = await stage();
    const { reply, target, seen } = open();
    for (const size of [1_000, 3_000, 5_000, 12_000]) {
      reply.show(viewOf(target, { text: text.slice(0, size) }));
      await reply.settle();
    }
    reply.show(viewOf(target, { text: text.slice(0, 14_000) }));
    await expect
      .poll(() => seen().at(-1)?.text, { timeout: 10_000 })
      .toBe("-# This is getting long: 14,000 characters so far. All of it will come as a file.");
    await reply.finish(viewOf(target, { text, ...done }));
    expect(seen()).toHaveLength(4);
    for (const message of seen().slice(0, 3)) {
      expect(message.text.length).toBeLessThanOrEqual(1_900);
      expect((message.text.match(/^```/gm) ?? []).length % 2).toBe(0);
    }
    expect(seen()[3]?.files).toHaveLength(1);
    expect(Buffer.from(seen()[3]?.files[0]?.bytes ?? []).toString()).toBe(text);
    expect(discord.complaints).toEqual([]);
  }, 30_000);

  test("goes on after a crash in the messages that are there, with one file", async () => {
    const { open, platform } = await stage();
    const memory = new JournalMemory();
    const { reply, target, seen } = open(new MemoryJournal("run", memory));
    for (const size of [1_000, 3_000, 5_000, 9_000]) {
      reply.show(viewOf(target, { text: text.slice(0, size) }));
      await reply.settle();
    }
    const before = seen().map(({ id }) => id);
    expect(before).toHaveLength(4);

    const again = platform.openReply(target, new MemoryJournal("run", memory));
    again.show(viewOf(target, { text: text.slice(0, 2_000) }));
    await again.finish(viewOf(target, { text, ...done }));
    expect(seen().map(({ id }) => id)).toEqual(before);
    expect(seen().flatMap(({ files }) => files.map(({ name }) => name))).toEqual(["answer.md"]);
    expect(Buffer.from(seen()[3]?.files[0]?.bytes ?? []).toString()).toBe(text);
  });

  test("has one file when nobody wrote down that it was sent", async () => {
    const { open, platform, seen } = await brokenOffAfterTheFile();
    expect(seen().flatMap(({ files }) => files)).toHaveLength(1);
    const again = platform.openReply(open.target, new MemoryJournal("run", open.memory));
    await again.finish(viewOf(open.target, { text, ...done }));
    expect(seen()).toHaveLength(2);
    expect(seen().flatMap(({ files }) => files.map(({ name }) => name))).toEqual(["answer.md"]);
  });

  test("that comes out short after all has no file", async () => {
    const { open, platform, seen } = await brokenOffAfterTheFile();
    const again = platform.openReply(open.target, new MemoryJournal("run", open.memory));
    await again.finish(
      viewOf(open.target, { text: `${text.slice(0, 300)} Two messages.`.repeat(8), ...done }),
    );
    expect(seen()).toHaveLength(2);
    expect(seen().flatMap(({ files }) => files)).toEqual([]);
  });

  /** Killed when the file was there and its message not written down. */
  async function brokenOffAfterTheFile() {
    const { open, platform } = await stage();
    const memory = new JournalMemory();
    const journal = new MemoryJournal("run", memory);
    journal.onAfter = ({ index }) =>
      index === 1 ? new Promise(() => undefined) : Promise.resolve();
    const { reply, target, seen } = open(journal);
    reply.finish(viewOf(target, { text, ...done })).catch(() => undefined);
    await expect.poll(() => seen().length, { timeout: 10_000 }).toBe(2);
    return { open: { target, memory }, platform, seen };
  }

  test("where files may not be sent is all there in messages", async () => {
    const { discord, open } = await stage();
    const { reply, target, channel, seen } = open();
    discord.denyBot(channel, "AttachFiles");
    const short = text.slice(0, 9_000);
    await reply.finish(viewOf(target, { text: short, ...done }));
    const texts = seen().map(({ text }) => text);
    expect(texts.join("\n").match(/const line = 1;/g)).toHaveLength(
      short.match(/const line = 1;/g)?.length ?? 0,
    );
    for (const one of texts) expect((one.match(/^```/gm) ?? []).length % 2).toBe(0);
    expect(texts.every((one) => one.length <= 1_900)).toBe(true);
    expect(discord.requests().filter(({ status }) => status === 429)).toEqual([]);
  }, 30_000);
});

test("a reply goes on where it stands when the bot is started again, with its buttons", async () => {
  const { discord, open } = await stage();
  const { reply, target } = open();
  await reply.finish(viewOf(target, { text: "Here.", ...done }));
  const [answer] = answersTo(discord, target);
  const ids = JSON.stringify(answer?.components);
  expect(ids).toContain(`good ${target.runId}`);
  expect(ids).toContain(`bad ${target.runId}`);
});
