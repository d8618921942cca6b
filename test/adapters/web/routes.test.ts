import { afterEach, describe, expect, test } from "vitest";
import { emptyView } from "#domain/reply-view";
import type { WebPlatform } from "../../../adapters/web/platform.ts";
import type {
  ConsoleState,
  PostAnswer,
  SettingsAnswer,
  ThreadListing,
  UploadAnswer,
  Words,
} from "../../../adapters/web/wire.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import {
  elsewhere,
  startedWeb,
  thisMachine,
  WebDisk,
  type WebOptions,
  Window,
} from "./web-harness.ts";

const open: WebPlatform[] = [];
afterEach(async () => {
  for (const platform of open.splice(0)) await platform.stop();
});

async function openConsole(options: WebOptions = {}) {
  const bot = new FakeBot();
  const platform = await startedWeb(bot, options);
  open.push(platform);
  return { bot, platform, ada: new Window(platform, "Ada"), grace: new Window(platform, "Grace") };
}

describe("a message in the console", () => {
  test("that mentions the bot in a channel begins a thread on itself", async () => {
    const { bot, ada } = await openConsole();
    const { message } = await ada.post<PostAnswer>("@Bobbin what is new?");
    expect(bot.messages).toMatchObject([
      {
        eventId: `web:general:${message?.id}`,
        author: { key: "web:ada", name: "Ada" },
        text: "what is new?",
        place: {
          channelKey: "web:general",
          threadKey: `web:general:${message?.id}`,
          isDirect: false,
          target: { channel: "general", root: message?.id },
        },
      },
    ]);
  });

  test("between people is not the bot's business", async () => {
    const { bot, ada, grace } = await openConsole();
    const { message } = await ada.post<PostAnswer>("lunch?");
    await grace.post("yes", { root: message?.id ?? null });
    expect(bot.messages).toEqual([]);
    expect((await grace.messages("general", message?.id)).map(({ text }) => text)).toEqual(["yes"]);
  });

  test("in a thread with the bot in it needs no mention, whoever writes it", async () => {
    const { bot, ada, grace } = await openConsole();
    const { message } = await ada.post<PostAnswer>("@Bobbin begin");
    await grace.post("and go on", { root: message?.id ?? null });
    expect(bot.messages.map(({ text, author }) => [author.name, text])).toEqual([
      ["Ada", "begin"],
      ["Grace", "and go on"],
    ]);
    expect(new Set(bot.messages.map(({ place }) => place.threadKey)).size).toBe(1);
  });

  test("that calls the bot into a thread tells it what was said before", async () => {
    const { bot, ada, grace } = await openConsole();
    const { message } = await ada.post<PostAnswer>("It is 42.");
    await grace.post("It is 43.", { root: message?.id ?? null });
    await ada.post("@Bobbin who is right?", { root: message?.id ?? null });
    await ada.post("Well?", { root: message?.id ?? null });
    expect(bot.messages[0]?.quoted?.map(({ author, text }) => `${author}: ${text}`)).toEqual([
      "Ada: It is 42.",
      "Grace: It is 43.",
    ]);
    expect(bot.messages[1]?.quoted).toBeUndefined();
  });

  test("directly to the bot is always for it, in one conversation", async () => {
    const { bot, ada } = await openConsole();
    await ada.post("hello", { channel: "@ada" });
    await ada.post("again", { channel: "@ada" });
    expect(bot.messages.map(({ place }) => [place.isDirect, place.channelKey])).toEqual([
      [true, "web:@ada"],
      [true, "web:@ada"],
    ]);
  });

  test("directly to the bot is read by nobody else", async () => {
    const { ada, grace } = await openConsole();
    const { message } = await ada.post<PostAnswer>("a secret", { channel: "@ada" });
    expect((await grace.request("GET", "channels/@ada/messages")).status).toBe(404);
    expect((await grace.request("GET", `messages/${message?.id}`)).status).toBe(404);
    const post = { nonce: grace.nonce(), channel: "@ada", root: null, text: "x", fileIds: [] };
    expect((await grace.request("POST", "messages", post)).status).toBe(404);
  });

  test("sent twice with the same nonce is there once and handed over again", async () => {
    const { bot, ada } = await openConsole();
    const post = {
      nonce: "the-same-nonce",
      channel: "general",
      root: null,
      text: "@Bobbin once",
      fileIds: [],
    };
    let isDown = true;
    const { onMessage } = bot;
    bot.onMessage = async (message) => {
      if (!isDown) return onMessage(message);
      isDown = false;
      throw new Error("connection lost");
    };
    expect((await ada.request("POST", "messages", post)).status).toBe(500);
    expect((await ada.request("POST", "messages", post)).status).toBe(200);
    expect((await ada.request("POST", "messages", post)).status).toBe(200);
    expect(await ada.messages()).toHaveLength(1);
    expect(bot.messages).toHaveLength(1);
  });

  test("that the bot refuses says why, and is kept", async () => {
    const { bot, ada } = await openConsole();
    bot.onMessage = async () => ({ status: "refused", words: "Too many are waiting." });
    const answer = await ada.post<PostAnswer>("@Bobbin hello");
    expect(answer.words).toEqual({ ok: false, text: "Too many are waiting." });
    expect((await ada.messages())[0]?.refused).toBe("Too many are waiting.");
  });

  test("that is a command is answered to its author alone", async () => {
    const { bot, ada } = await openConsole();
    bot.specs = [{ name: "model", summary: "", usage: "", role: "manager", parameters: [] }];
    bot.onCommand = async () => ({
      ok: true,
      text: "Now **gpt-5.5**.",
      choices: [{ label: "Undo", command: "model gpt-5" }],
      file: { name: "a.jsonl", mimeType: "text/plain", data: new TextEncoder().encode("{}") },
    });
    const { message } = await ada.post<PostAnswer>("@Bobbin hello");
    const answer = await ada.post<PostAnswer>("/model gpt-5.5", { root: message?.id ?? null });
    expect(answer).toEqual({
      words: {
        ok: true,
        text: "Now **gpt-5.5**.",
        choices: [{ label: "Undo", command: "model gpt-5" }],
        file: { name: "a.jsonl", mimeType: "text/plain", data: "e30=" },
      },
    });
    expect(bot.commandsGiven).toMatchObject([
      {
        text: "model gpt-5.5",
        role: "admin",
        person: { key: "web:ada" },
        place: { threadKey: `web:general:${message?.id}` },
      },
    ]);
    expect(await ada.messages("general", message?.id)).toEqual([]);
  });

  test.each([
    ["is empty", { text: "  " }, 400],
    ["is too long", { text: "x".repeat(100_001) }, 400],
    ["goes to no channel", { channel: "nowhere" }, 404],
    ["hangs on no message", { root: "m-none" }, 404],
    ["has a file nobody uploaded", { fileIds: ["up-none"] }, 404],
    ["has no nonce", { nonce: "" }, 400],
  ])("that %s is refused in words", async (_case, change, status) => {
    const { ada } = await openConsole();
    const post = { nonce: "0123456789", channel: "general", root: null, text: "x", fileIds: [] };
    const answer = await ada.request("POST", "messages", { ...post, ...change });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({ error: expect.stringMatching(/^[A-Z].{10}/) });
    expect(await ada.messages()).toEqual([]);
  });
});

describe("changing one's own message", () => {
  test("tells the bot and shows it as edited", async () => {
    const { bot, ada } = await openConsole();
    bot.onAmend = async () => ({ state: "answered", runId: "run1" });
    const { message } = await ada.post<PostAnswer>("@Bobbin one");
    const edited = await ada.json<PostAnswer>("PATCH", `messages/${message?.id}`, {
      nonce: ada.nonce(),
      text: "@Bobbin two",
    });
    expect(bot.amendments).toMatchObject([
      {
        eventId: `web:general:${message?.id}`,
        by: { key: "web:ada" },
        change: { type: "edited", message: { text: "two", attachments: [], role: "admin" } },
      },
    ]);
    expect(edited.message).toMatchObject({ text: "@Bobbin two", editedAfterRun: "run1" });
    expect((await ada.messages())[0]?.editedAtMs).toBeDefined();
    const press = { type: "answer-new-version" };
    const again = { nonce: ada.nonce(), runId: "run1", messageId: message?.id, press };
    expect(await ada.json("POST", "press", again)).toMatchObject({ ok: true });
    expect((await ada.messages())[0]?.editedAfterRun).toBeUndefined();
  });

  test("so that it mentions the bot now asks it", async () => {
    const { bot, ada } = await openConsole();
    const { message } = await ada.post<PostAnswer>("what is this?");
    const edit = { nonce: ada.nonce(), text: "@Bobbin what is this?" };
    await ada.json("PATCH", `messages/${message?.id}`, edit);
    expect(bot.messages).toMatchObject([{ text: "what is this?" }]);
    expect(bot.amendments).toEqual([]);
  });

  test("is for its author alone", async () => {
    const { ada, grace } = await openConsole();
    const { message } = await ada.post<PostAnswer>("mine");
    const edit = { nonce: grace.nonce(), text: "yours" };
    expect((await grace.request("PATCH", `messages/${message?.id}`, edit)).status).toBe(403);
    const remove = { nonce: grace.nonce() };
    expect((await grace.request("DELETE", `messages/${message?.id}`, remove)).status).toBe(403);
    expect((await ada.messages())[0]?.text).toBe("mine");
  });

  test("by taking it back removes it, its files, and tells the bot", async () => {
    const disk = new WebDisk();
    const { bot, ada } = await openConsole({ disk });
    const { file } = await upload(ada, "a.txt", "secret");
    const { message } = await ada.post<PostAnswer>("@Bobbin one", { fileIds: [file.id] });
    await ada.json("DELETE", `messages/${message?.id}`, { nonce: ada.nonce() });
    expect(bot.amendments).toMatchObject([{ change: { type: "deleted" } }]);
    expect(await ada.messages()).toEqual([]);
    expect(disk.files.ids()).toEqual([]);
    expect(disk.records.keys().filter((key) => key.includes(message?.id ?? ""))).toEqual([]);
  });

  test("by taking it back leaves its place where a thread hangs on it", async () => {
    const { ada, grace } = await openConsole();
    const { message } = await ada.post<PostAnswer>("one");
    await grace.post("two", { root: message?.id ?? null });
    await ada.json("DELETE", `messages/${message?.id}`, { nonce: ada.nonce() });
    expect(await ada.messages()).toMatchObject([{ isDeleted: true, text: "", files: [] }]);
    expect(await ada.messages("general", message?.id)).toHaveLength(1);
  });
});

describe("what is forgotten", () => {
  test("is gone from the console, with its reply, its files and its thread", async () => {
    const disk = new WebDisk();
    const { platform, ada } = await openConsole({ disk });
    await ada.post("between people");
    const { file } = await upload(ada, "a.txt", "secret");
    const { message } = await ada.post<PostAnswer>("@Bobbin one", { fileIds: [file.id] });
    await answer(platform, message?.id ?? "", "run1");
    const { message: second } = await ada.post<PostAnswer>("two", { root: message?.id ?? null });
    await answer(platform, message?.id ?? "", "run2");
    const eventOf = (id: string | undefined) => `web:general:${id}`;
    for (let time = 0; time < 2; time += 1) {
      await platform.forget?.({ eventIds: [eventOf(message?.id)], runIds: ["run1"] });
    }
    expect((await ada.messages()).map(({ text }) => text)).toEqual(["between people", ""]);
    expect(await ada.messages("general", message?.id)).toHaveLength(2);
    await platform.forget?.({ eventIds: [eventOf(second?.id)], runIds: ["run2"] });
    expect((await ada.messages()).map(({ text }) => text)).toEqual(["between people"]);
    expect(disk.files.ids()).toEqual([]);
    expect(disk.records.keys()).toHaveLength(1);
    const { threads } = await ada.json<{ threads: unknown[] }>("GET", "threads");
    expect(threads).toEqual([]);
  });

  test("by age is what is older than messages are kept", async () => {
    const disk = new WebDisk();
    const clock = { ms: Date.UTC(2026, 0, 1) };
    const now = () => clock.ms;
    const { platform, ada } = await openConsole({ disk, now });
    const { message: old } = await ada.post<PostAnswer>("@Bobbin old");
    await answer(platform, old?.id ?? "", "run1");
    await ada.json("GET", "state");
    await ada.post("old, directly", { channel: "@ada" });
    await ada.post("old, between people");
    await platform.stop();
    clock.ms += 31 * 24 * 60 * 60 * 1000;
    const again = await openConsole({ disk, now, retentionDays: 30 });
    await again.ada.post("new");
    await expect
      .poll(async () => (await again.ada.messages()).map(({ text }) => text))
      .toEqual(["new"]);
    await expect.poll(() => again.ada.messages("@ada")).toEqual([]);
    expect(disk.records.keys()).toHaveLength(1);
  });

  async function answer(platform: WebPlatform, root: string, runId: string): Promise<void> {
    const target = {
      runId,
      conversationKey: `web:general:${root}`,
      target: { channel: "general", root },
      answers: [],
      asker: { key: "web:ada", name: "Ada" },
    };
    const reply = platform.openReply(target, new MemoryJournal(runId));
    await reply.finish({ ...emptyView(runId), text: `answer of ${runId}`, status: "completed" });
  }
});

describe("a file in the console", () => {
  test("is uploaded, sent, opened by the bot, and handed out as a download", async () => {
    const { bot, platform, ada } = await openConsole();
    const { file } = await upload(ada, "../../etc/a b.html", "<script>alert(1)</script>");
    expect(file).toMatchObject({ name: "a b.html", bytes: 25 });
    const { message } = await ada.post<PostAnswer>("@Bobbin read", { fileIds: [file.id] });
    const [attachment] = bot.messages[0]?.attachments ?? [];
    if (!attachment) throw new Error("no attachment");
    const stored = JSON.parse(JSON.stringify(attachment));
    const bytes = await platform.openFile(stored, AbortSignal.timeout(1000));
    expect(await new Response(bytes).text()).toBe("<script>alert(1)</script>");
    const answer = await ada.request("GET", `messages/${message?.id}/files/${file.id}`);
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    expect(answer.headers.get("content-disposition")).toBe(
      "attachment; filename*=UTF-8''a%20b.html",
    );
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("content-security-policy")).toContain("sandbox");
  });

  test("that is too large is refused and leaves nothing", async () => {
    const disk = new WebDisk();
    const { ada } = await openConsole({ disk, maxFileBytes: 100 });
    const answer = await ada.request("POST", "files?name=a.txt", undefined, {
      body: "x".repeat(101),
      headers: { "Content-Type": "text/plain" },
    });
    expect(answer.status).toBe(413);
    expect(disk.files.ids()).toEqual([]);
  });

  test("that was uploaded and never sent is cleared away after a day", async () => {
    const disk = new WebDisk();
    const clock = { ms: 1_000_000 };
    const { ada, platform } = await openConsole({ disk, now: () => clock.ms });
    const { file: unsent } = await upload(ada, "unsent.txt", "x");
    const { file: sent } = await upload(ada, "sent.txt", "x");
    await ada.post("look", { fileIds: [sent.id] });
    await platform.stop();
    clock.ms += 25 * 60 * 60 * 1000;
    await openConsole({ disk, now: () => clock.ms });
    await expect.poll(() => disk.files.ids()).toEqual([sent.id]);
    expect(disk.files.ids()).not.toContain(unsent.id);
  });

  test("of a message is told what became of it", async () => {
    const { bot, ada } = await openConsole();
    const { file } = await upload(ada, "a.pdf", "x");
    const { message } = await ada.post<PostAnswer>("@Bobbin read", { fileIds: [file.id] });
    const status = { name: "a.pdf", status: "refused", detail: "It is damaged." } as const;
    bot.tellFileStatus(`web:general:${message?.id}`, [status]);
    await expect.poll(async () => (await ada.messages())[0]?.fileStatuses).toEqual([status]);
  });
});

describe("the console's API", () => {
  test("gives a window what it needs to begin", async () => {
    const { ada, grace } = await openConsole();
    await grace.json("GET", "state");
    const state = await ada.json<ConsoleState>("GET", "state");
    expect(state).toMatchObject({
      botName: "Bobbin",
      person: { key: "web:ada", name: "Ada" },
      role: "admin",
      channels: [{ id: "general" }, { id: "@ada", isDirect: true }],
      people: [{ name: "Ada" }, { name: "Grace" }],
    });
  });

  test("creates channels by name, once", async () => {
    const { ada } = await openConsole();
    const create = () => ada.request("POST", "channels", { name: "Sales & Ops" });
    expect(await (await create()).json()).toMatchObject({ channel: { id: "sales-ops" } });
    const again = await create();
    expect(again.status).toBe(409);
    expect(await again.json()).toEqual({
      error: "That name is taken. There is a channel sales-ops already.",
    });
  });

  test.each(["1.5", "-5", "0", "many", "1e99"])(
    "gives a page of its own size for limit=%s",
    async (limit) => {
      const { ada } = await openConsole();
      await ada.post("one");
      const page = await ada.json("GET", `channels/general/messages?limit=${limit}`);
      expect(page).toMatchObject({ messages: [{ text: "one" }], hasOlder: false });
    },
  );

  test("lists threads, not those of others' direct messages", async () => {
    const { ada, grace } = await openConsole();
    const { message } = await ada.post<PostAnswer>("@Bobbin one");
    await ada.post("two", { root: message?.id ?? null });
    const { threads } = await grace.json<{ threads: ThreadListing[] }>("GET", "threads");
    expect(threads).toMatchObject([
      { channel: { id: "general" }, root: { thread: { replies: 1 } } },
    ]);
  });

  test("passes completion, settings, presses and decisions to the bot", async () => {
    const { bot, ada } = await openConsole();
    bot.onComplete = async () => [{ value: "model gpt-5.5", label: "gpt-5.5" }];
    bot.panel = { title: "Settings", text: "", fields: [] };
    bot.onPress = async () => ({ ok: true, words: "Stopped." });
    bot.onDecide = async () => ({ ok: false, words: "That was decided already." });
    const completions = await ada.json("GET", "complete?channel=general&text=model%20g");
    expect(completions).toEqual({ choices: [{ value: "model gpt-5.5", label: "gpt-5.5" }] });
    expect(bot.completionsAsked).toMatchObject([{ text: "model g" }]);
    const settings = await ada.json<SettingsAnswer>("GET", "settings?channel=general");
    expect(settings.panel.title).toBe("Settings");
    const press = { nonce: ada.nonce(), runId: "run1", press: { type: "stop" } };
    expect(await ada.json<Words>("POST", "press", press)).toEqual({ ok: true, text: "Stopped." });
    await ada.json("POST", "press", {
      nonce: ada.nonce(),
      runId: "run1",
      press: { type: "feedback", good: false, reason: "wrong sum" },
    });
    expect(bot.presses.map((one) => one.press)).toEqual([
      { type: "stop" },
      { type: "feedback", good: false, reason: "wrong sum" },
    ]);
    const decision = { type: "answer", answers: { a: "61" } };
    const words = await ada.json<Words>("POST", "decide", { requestId: "q1", decision });
    expect(words).toEqual({ ok: false, text: "That was decided already." });
    expect(bot.decisions).toMatchObject([{ requestId: "q1", by: { key: "web:ada" }, decision }]);
  });

  test("tells windows the line of a conversation", async () => {
    const { bot, ada } = await openConsole();
    const events = await ada.events();
    await events.nextOf("reset");
    bot.tellQueue("web:general:m-1", [{ eventId: "web:general:m-2", position: 1 }]);
    const line = {
      conversationKey: "web:general:m-1",
      waiting: [{ messageId: "m-2", position: 1 }],
    };
    expect(await events.nextOf("queue")).toEqual({ type: "queue", line });
    expect((await ada.json<ConsoleState>("GET", "state")).queues).toEqual([line]);
    bot.tellQueue("web:general:m-1", []);
    await events.nextOf("queue");
    expect((await ada.json<ConsoleState>("GET", "state")).queues).toEqual([]);
  });

  test("asks who is speaking", async () => {
    const { platform } = await openConsole();
    expect((await new Window(platform, "!!").request("GET", "state")).status).toBe(400);
  });
});

describe("without a password the console", () => {
  test.each([
    ["answers this machine", thisMachine, {}, 200],
    ["answers this machine by another of its names", thisMachine, { Host: "127.0.0.1:3000" }, 200],
    ["does not answer other machines", elsewhere, {}, 403],
    [
      "does not answer a page whose name was made to point here",
      thisMachine,
      { Host: "evil.example" },
      403,
    ],
    ["does not answer through a proxy", thisMachine, { "X-Forwarded-For": "203.0.113.7" }, 403],
  ])("%s", async (_case, peer, headers, status) => {
    const { platform } = await openConsole();
    const window = new Window(platform, "Ada", { peer, headers });
    expect((await window.request("GET", "state")).status).toBe(status);
    expect((await window.request("GET", "/")).status).toBe(status);
  });

  test.each([
    ["from another page", { Origin: "https://evil.example" }, 403],
    ["from a page on another port", { Origin: "http://localhost:4000" }, 403],
    ["that the browser calls cross-site", { "Sec-Fetch-Site": "cross-site" }, 403],
    [
      "from its own page behind a proxy that changes the host",
      { Origin: "https://bobbin.example", "Sec-Fetch-Site": "same-origin" },
      200,
    ],
    [
      "from its own page",
      { Origin: "http://localhost:3000", "Sec-Fetch-Site": "same-origin" },
      200,
    ],
  ])("takes a post %s: %j -> %d", async (_case, headers, status) => {
    const { platform } = await openConsole();
    const window = new Window(platform, "Ada", { headers });
    const answer = await window.request("POST", "messages", {
      nonce: "0123456789",
      channel: "general",
      root: null,
      text: "hello",
      fileIds: [],
    });
    expect(answer.status).toBe(status);
  });
});

describe("behind a password the console", () => {
  const password = "correct horse";

  test("lets nobody in without it, also from this machine", async () => {
    const { platform, ada } = await openConsole({ password });
    expect((await ada.request("GET", "state")).status).toBe(401);
    expect((await ada.request("GET", "events")).status).toBe(401);
    const away = new Window(platform, "Ada", { peer: elsewhere });
    expect(await away.json("GET", "session")).toEqual({ needsPassword: true, isOpen: false });
  });

  test("lets in who knows it, from anywhere, as a person and not as an admin", async () => {
    const { platform } = await openConsole({ password });
    const cookie = await login(platform, password);
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    const inside = new Window(platform, "Ada", {
      peer: elsewhere,
      headers: { Cookie: cookie.split(";")[0] ?? "" },
    });
    expect(await inside.json("GET", "state")).toMatchObject({ role: "person" });
  });

  test("keeps sessions over a restart, and ends them when the password changes", async () => {
    const disk = new WebDisk();
    const { platform } = await openConsole({ password, disk });
    const headers = { Cookie: (await login(platform, password)).split(";")[0] ?? "" };
    const restarted = await openConsole({ password, disk });
    const changed = await openConsole({ password: "another", disk });
    const status = async (web: WebPlatform) =>
      (await new Window(web, "Ada", { peer: elsewhere, headers }).request("GET", "state")).status;
    expect(await status(restarted.platform)).toBe(200);
    expect(await status(changed.platform)).toBe(401);
  });

  test("does not take a session somebody made up or that has run out", async () => {
    const clock = { ms: 1_000_000 };
    const { platform } = await openConsole({ password, now: () => clock.ms });
    const cookie = (await login(platform, password)).split(";")[0] ?? "";
    const [token = "", signature = ""] = cookie.split(".");
    const status = async (Cookie: string) => {
      const window = new Window(platform, "Ada", { peer: elsewhere, headers: { Cookie } });
      return (await window.request("GET", "state")).status;
    };
    expect(await status(cookie)).toBe(200);
    expect(await status(`${token}0.${signature}`)).toBe(401);
    clock.ms += 31 * 24 * 60 * 60 * 1000;
    expect(await status(cookie)).toBe(401);
  });

  test("slows down who guesses, and not the others", async () => {
    const { platform } = await openConsole({ password });
    const guess = async (word: string, address: string) => {
      const peer = { address, isLoopback: false };
      const window = new Window(platform, "Ada", { peer });
      return (await window.request("POST", "login", { password: word })).status;
    };
    for (let count = 0; count < 10; count += 1) {
      expect(await guess(`wrong ${count}`, "203.0.113.7")).toBe(401);
    }
    expect(await guess(password, "203.0.113.7")).toBe(429);
    expect(await guess(password, "203.0.113.8")).toBe(200);
  });
});

describe("every answer", () => {
  test("carries a policy under which no foreign script, style or image loads", async () => {
    const { ada } = await openConsole();
    for (const path of ["/", "/console/page/main.ts", "/console/api/state"]) {
      const answer = await ada.request("GET", path);
      const policy = answer.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain("unsafe-inline");
      expect(policy).not.toContain("unsafe-eval");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  test("of the page is plain JavaScript without types, served from this server alone", async () => {
    const { ada } = await openConsole();
    const script = await ada.request("GET", "/console/page/main.ts");
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(await script.text()).not.toMatch(/: string\b|import type/);
    const page = await (await ada.request("GET", "/")).text();
    expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    for (const [, path] of page.matchAll(/"(\/console\/[^"]+)"/g)) {
      expect((await ada.request("GET", path ?? "")).status).toBe(200);
    }
  });

  test("to an unknown path says that nothing is there", async () => {
    const { ada } = await openConsole();
    expect((await ada.request("GET", "/console/page/../session.ts")).status).toBe(404);
    expect((await ada.request("GET", "/nowhere")).status).toBe(404);
  });
});

async function upload(window: Window, name: string, content: string): Promise<UploadAnswer> {
  const path = `files?name=${encodeURIComponent(name)}`;
  const answer = await window.request("POST", path, undefined, {
    body: content,
    headers: { "Content-Type": "text/html" },
  });
  return (await answer.json()) as UploadAnswer;
}

async function login(platform: WebPlatform, password: string): Promise<string> {
  const window = new Window(platform, "Ada", { peer: elsewhere });
  const answer = await window.request("POST", "login", { password });
  return answer.headers.get("set-cookie") ?? "";
}
