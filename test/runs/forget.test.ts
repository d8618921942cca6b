import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Person } from "#domain/conversation";
import type { Ledger } from "#ports/ledger";
import { lookAgainLater, pendingLooks } from "../../src/runs/late-looks.ts";
import { lateRun } from "../fakes/late-run.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { ada, grace, placeOf, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
const backend = () =>
  new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") return [{ type: "wait", for: new Promise(() => {}) }];
    if (last?.type === "user" && last.text.includes("a tool")) {
      return [{ type: "call", name: "calculate", arguments: { expression: "1 + 1" } }];
    }
    return [{ type: "say", text: `Heard ${turn.transcript.length}.` }];
  });
let model: ScriptedBackend;

beforeEach(async () => {
  world = new TestWorld();
  model = backend();
  await world.start({ backend: model });
});
afterEach(() => world.end());

const answered = (count: number) =>
  vi.waitFor(() => expect(world.metrics.runs).toHaveLength(count));
const key = placeOf("talk").threadKey;

/** All that is stored anywhere, as text. */
const everything = () => JSON.stringify(world.records.contents());

const keysOf = (prefix: string) => world.records.keys().filter((name) => name.startsWith(prefix));

describe("forgetting a conversation", () => {
  test("deletes its messages, answers, runs and files, and what the service kept", async () => {
    const secret = world.message("a secret", {
      attachments: [world.attach("secret.txt", "hidden")],
    });
    await world.bot.message(secret);
    await answered(1);
    const [fileId = ""] = [...(model.turns[0]?.files.keys() ?? [])];
    await world.bobbin.threads.forgetConversation(key, "f1");
    await vi.waitFor(async () => {
      expect((await world.bobbin.threads.status(key)).threadId).toBeUndefined();
    });
    expect(everything()).not.toContain("secret");
    expect(world.screen.forgotten).toEqual([
      { eventIds: [secret.eventId], runIds: [expect.any(String)] },
    ]);
    expect(model.forgotten).toHaveLength(1);
    await expect(world.files.read(fileId)).rejects.toThrow();
    expect(await world.bobbin.threads.openConversations("fake:general", ada)).toEqual([]);
  });

  test("deletes what the service kept of earlier threads and of stopped runs", async () => {
    await world.say("hello");
    await answered(1);
    await world.bobbin.threads.startNewThread(key, "n1");
    await world.say("use a tool");
    await vi.waitFor(() => expect(model.turns).toHaveLength(3));
    await world.bobbin.threads.stop(key, "current");
    await answered(2);
    await world.bobbin.threads.forgetConversation(key, "f1");
    await vi.waitFor(() => expect(model.forgotten).toHaveLength(2));
  });

  test("deletes what is left of an answer whose message was deleted meanwhile", async () => {
    const message = world.message("use a tool");
    await world.bot.message(message);
    await vi.waitFor(() => expect(model.turns).toHaveLength(2));
    const { eventId } = message;
    await world.bot.amend({ eventId, changeId: "d1", by: ada, change: { type: "deleted" } });
    await answered(1);
    await vi.waitFor(() => expect(keysOf("run/")).toHaveLength(1));
    await world.bobbin.threads.forgetConversation(key, "f1");
    await vi.waitFor(() =>
      expect(world.records.keys()).not.toContainEqual(expect.stringMatching(/^run\//)),
    );
  });

  test("deletes an answer that another has taken the place of", async () => {
    const secret = world.message("a secret");
    await world.bot.message(secret);
    await answered(1);
    await world.bobbin.threads.retry(key, "r1", ada);
    await answered(2);
    await world.bobbin.threads.forgetConversation(key, "f1");
    await vi.waitFor(async () => {
      expect((await world.bobbin.threads.status(key)).threadId).toBeUndefined();
    });
    expect(everything()).not.toContain("secret");
    expect(everything()).not.toContain("Heard");
  });

  test("begins anew with the next message", async () => {
    await world.say("a secret");
    await answered(1);
    await world.bobbin.threads.forgetConversation(key, "f1");
    await world.say("hello");
    await answered(2);
    expect(model.turns.at(-1)?.transcript).toHaveLength(1);
    expect(model.turns.at(-1)?.state).toBeUndefined();
  });
});

describe("forgetting a person", () => {
  test("deletes what they said and leaves what others said", async () => {
    await world.say("ada's secret", { attachments: [world.attach("ada.txt", "hidden")] });
    await answered(1);
    await world.say("grace's question", { author: grace });
    await answered(2);
    expect(await world.bobbin.threads.forgetPerson(ada.key, "f1")).toBe(1);
    await vi.waitFor(() => expect(everything()).not.toContain("ada's secret"));
    expect(everything()).not.toContain("ada.txt");
    expect(everything()).toContain("grace's question");
    await world.say("and now?", { author: grace });
    await answered(3);
    expect(model.turns.at(-1)?.transcript.map(({ type }) => type)).toEqual([
      "user",
      "assistant",
      "user",
    ]);
    expect(await world.bobbin.threads.openConversations("fake:general", ada)).toEqual([]);
  });
});

describe("forgetting by age", () => {
  test("deletes what is older, files too, and keeps what is newer", async () => {
    await world.say("old words", { attachments: [world.attach("old.txt", "old")] });
    await answered(1);
    world.pass(10 * 24 * 3_600_000);
    await world.say("new words");
    await answered(2);
    const now = Date.UTC(2026, 10, 21, 9) + 10 * 24 * 3_600_000;
    expect(await world.bobbin.threads.forgetOlderThan(now - 24 * 3_600_000)).toBe(1);
    await vi.waitFor(() => expect(everything()).not.toContain("old words"));
    expect(everything()).not.toContain("old.txt");
    expect(everything()).toContain("new words");
  });

  test("deletes an old answer that a newer one has taken the place of, and nothing of that", async () => {
    await world.say("kept words", { attachments: [world.attach("kept.txt", "kept")] });
    await answered(1);
    const [old = ""] = keysOf("page/");
    world.pass(10 * 24 * 3_600_000);
    await world.bobbin.threads.retry(key, "r1", ada);
    await answered(2);
    expect(keysOf("page/")).toHaveLength(2);
    await world.bobbin.threads.forgetOlderThan(world.nowMs - 24 * 3_600_000);
    await vi.waitFor(() => expect(keysOf("page/")).toHaveLength(1));
    expect(keysOf("page/")).not.toContain(old);
    expect(keysOf("run/")).toHaveLength(1);
    expect(everything()).toContain("kept words");
  });

  test("deletes what is older in a thread before the newest", async () => {
    await world.say("old words");
    await answered(1);
    await world.bobbin.threads.startNewThread(key, "n1");
    world.pass(10 * 24 * 3_600_000);
    await world.say("new words");
    await answered(2);
    await world.bobbin.threads.forgetOlderThan(world.nowMs - 24 * 3_600_000);
    await vi.waitFor(() => expect(everything()).not.toContain("old words"));
    expect(everything()).toContain("new words");
  });

  test("leaves nothing of a conversation that is older altogether", async () => {
    await world.say("old words");
    await answered(1);
    await world.bobbin.threads.forgetOlderThan(Date.UTC(2027, 0, 1));
    await vi.waitFor(() => expect(everything()).not.toContain("old words"));
    expect((await world.bobbin.threads.status(key)).threadId).toBeUndefined();
  });
});

describe("forgetting a reply that is to be looked at once more", () => {
  let ledger: Ledger;
  beforeEach(async () => {
    await world.stop();
    await world.start({
      backend: model,
      platforms: (shared) => {
        ledger = shared;
        return [];
      },
    });
  });

  /** Somebody writes, and the process that answered first may have sent something that comes late. */
  async function answerToLookAt(text: string, asker: Person) {
    const before = world.metrics.runs.length;
    await world.say(text, { author: asker });
    await answered(before + 1);
    const { runId } = world.lastView();
    const lateUntilMs = world.nowMs + 20_000;
    const late = { lateUntilMs, nowMs: world.nowMs, createdAtMs: world.nowMs };
    const view = { text: `So much for ${text}` };
    const run = lateRun({ ...late, runId, conversationKey: key, asker, view });
    const outcome = lookAgainLater({ type: "done", change: {} }, run);
    if (outcome.type === "done") await ledger.apply(outcome.change);
  }

  /** What the looks keep of the replies. */
  const kept = async () =>
    (await pendingLooks(key, ledger)).map(({ note }) => note.view.text || "nothing").sort();

  const forgettings: {
    readonly what: string;
    readonly forget: () => Promise<unknown>;
    readonly left: readonly string[];
  }[] = [
    {
      what: "with its conversation",
      forget: () => world.bobbin.threads.forgetConversation(key, "f1"),
      left: ["nothing", "nothing"],
    },
    {
      what: "with who asked",
      forget: () => world.bobbin.threads.forgetPerson(ada.key, "f1"),
      left: ["So much for grace's question", "nothing"],
    },
    {
      what: "by its age",
      forget: () => world.bobbin.threads.forgetOlderThan(world.nowMs - 5_000),
      left: ["So much for grace's question", "nothing"],
    },
  ];

  test.each(forgettings)("$what keeps no word of it", async ({ forget, left }) => {
    await answerToLookAt("ada's secret", ada);
    world.pass(10_000);
    await answerToLookAt("grace's question", grace);
    expect(await kept()).toEqual(["So much for ada's secret", "So much for grace's question"]);
    await forget();
    await vi.waitFor(async () => expect(await kept()).toEqual(left));
  });

  test("keeps the looks of another conversation, also of one whose key begins alike", async () => {
    await answerToLookAt("ada's secret", ada);
    const conversationKey = `${key}/more`;
    const late = { lateUntilMs: world.nowMs, nowMs: world.nowMs };
    const other = lookAgainLater(
      { type: "done", change: {} },
      lateRun({ ...late, conversationKey }),
    );
    if (other.type === "done") await ledger.apply(other.change);
    await world.bobbin.threads.forgetConversation(key, "f1");
    await vi.waitFor(async () => expect(await kept()).toEqual(["nothing"]));
    expect((await pendingLooks(conversationKey, ledger))[0]?.note.view.text).toBe("all");
  });
});

describe("leaving a place", () => {
  const elsewhere = { ...placeOf("other"), threadKey: "fake:elsewhere:1" };

  test("deletes what was said there, and nothing else", async () => {
    await world.say("a secret");
    await world.say("stays", { place: elsewhere });
    await answered(2);

    expect(await world.bot.leave({ eventId: "left", keyPrefix: "fake:general:" })).toBe(1);

    await vi.waitFor(() => expect(everything()).not.toContain("secret"));
    expect(everything()).toContain("stays");
    expect(await world.bot.leave({ eventId: "left again", keyPrefix: "fake:general:" })).toBe(0);
  });

  test("takes back what was set for its channels", async () => {
    const { catalogue } = world.bobbin;
    const context = { context: "a secret" };
    for (const key of ["fake:general", "fake:elsewhere"]) {
      await catalogue.changeChannel(key, () => context, ada);
    }

    await world.bot.leave({ eventId: "left", keyPrefix: "fake:general" });

    expect((await catalogue.channel("fake:general")).context).toBeNull();
    expect((await catalogue.channel("fake:elsewhere")).context).toBe("a secret");
  });

  test("stops the answer that is being written, and answers nothing that waits", async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    await world.stop();
    model = new ScriptedBackend(() => [
      { type: "say", text: "So" },
      { type: "wait", for: held },
      { type: "say", text: " far." },
    ]);
    await world.start({ backend: model });
    await world.say("first secret");
    await vi.waitFor(() => expect(model.turns).toHaveLength(1));
    await world.say("second secret");

    expect(await world.bot.leave({ eventId: "left", keyPrefix: "fake:general:" })).toBe(1);
    release();

    await vi.waitFor(async () => {
      expect(await world.bobbin.threads.status(key)).toMatchObject({
        threadId: undefined,
        isRunning: false,
        waiting: [],
      });
    });
    expect(model.turns).toHaveLength(1);
    expect(everything()).not.toContain("secret");
  });
});
