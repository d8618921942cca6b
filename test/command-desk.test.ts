import { describe, expect, test } from "vitest";
import type { AssistantTool } from "#domain/assistant";
import type { CommandAnswer, IncomingCommand } from "#domain/command";
import type { Person, Place } from "#domain/conversation";
import type { StoredFile } from "#domain/file";
import type { Run } from "#domain/run";
import type { Role } from "#domain/settings";
import { noUsage } from "#domain/usage";
import type { Log } from "#ports/log";
import { type CommandDesk, createCommandDesk } from "../src/command-desk.ts";
import { commandNames } from "../src/commands.ts";
import { toPersonKey } from "../src/desk/settings-commands.ts";
import { type Catalogue, defaultAssistantId } from "../src/runs/catalogue.ts";
import { createCatalogue } from "../src/runs/stored-catalogue.ts";
import { FakeThreadControl } from "./fakes/fake-thread-control.ts";
import { MemoryLedger } from "./fakes/memory-ledger.ts";
import { MemoryRecordStore } from "./fakes/memory-record-store.ts";

const ada: Person = { key: "web:ada", name: "Ada" };
const grace: Person = { key: "web:grace", name: "Grace" };
const root: Person = { key: "web:root", name: "Root" };
const now = Date.UTC(2026, 9, 5, 12);

const here: Place = {
  platform: "web",
  channelKey: "web:general",
  channelName: "general",
  threadKey: "web:general:1",
  isDirect: false,
  target: null,
};
const elsewhere: Place = {
  ...here,
  channelKey: "web:other",
  channelName: "other",
  threadKey: "web:other:1",
};
const direct: Place = {
  ...here,
  channelKey: "web:@ada",
  channelName: "Ada",
  threadKey: "web:@ada",
  isDirect: true,
};

const silent: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silent,
};

interface World {
  readonly catalogue: Catalogue;
  readonly threads: FakeThreadControl;
  readonly ledger: MemoryLedger;
  readonly records: MemoryRecordStore;
  readonly desk: CommandDesk;
  models: readonly string[] | Error;
  as(
    person: Person,
    role: Role,
    text: string,
    more?: Partial<IncomingCommand>,
  ): Promise<CommandAnswer>;
  /** As a manager of the channel. */
  manager(text: string, more?: Partial<IncomingCommand>): Promise<CommandAnswer>;
  /** As anybody. */
  person(text: string, more?: Partial<IncomingCommand>): Promise<CommandAnswer>;
  admin(text: string, more?: Partial<IncomingCommand>): Promise<CommandAnswer>;
}

async function createWorld(): Promise<World> {
  const ledger = new MemoryLedger();
  const records = new MemoryRecordStore();
  const threads = new FakeThreadControl();
  const available: readonly AssistantTool[] = [
    { type: "web_search" },
    { type: "function", function: { name: "calculator" } },
  ];
  const catalogue = createCatalogue({
    ledger,
    records,
    defaultModel: "gpt-5.5",
    availableTools: () => available,
    now: () => now,
  });
  await catalogue.start();
  let events = 0;
  const world: World = {
    catalogue,
    threads,
    ledger,
    records,
    models: ["gpt-5.5", "gpt-5.5-mini", "o9"],
    desk: createCommandDesk({
      catalogue,
      threads,
      ledger,
      queue: { inspect: async () => ({ waiting: [], running: 3, parked: 1, oldestMs: 0 }) },
      backend: {
        name: "responses",
        models: async () => {
          if (world.models instanceof Error) throw world.models;
          return world.models;
        },
      },
      toolSpecs: () => [{ name: "calculator", description: "Computes. Exactly." }],
      admins: [root.key],
      caps: { personDailyUsd: 5 },
      now: () => now,
      log: silent,
    }),
    as: (person, role, text, more = {}) =>
      world.desk.command({
        eventId: `command-${events++}`,
        place: here,
        person,
        role,
        text,
        knowsThread: true,
        ...more,
      }),
    manager: (text, more) => world.as(ada, "manager", text, more),
    person: (text, more) => world.as(grace, "person", text, more),
    admin: (text, more) => world.as(root, "person", text, more),
  };
  return world;
}

const run: Run = {
  id: "run_1",
  object: "thread.run",
  v: 1,
  conversation_key: "web:general:1",
  thread_id: "thread_1",
  assistant_id: defaultAssistantId,
  assistant_version: 1,
  model: "gpt-5.5",
  status: "completed",
  message_ids: [],
  person_key: ada.key,
  created_at: 0,
  started_at: 0,
  expires_at: null,
  completed_at: 1,
  cancelled_at: null,
  failed_at: null,
  required_action: null,
  last_error: null,
  incomplete_details: null,
  usage: { ...noUsage, prompt_tokens: 1_000, completion_tokens: 234, total_tokens: 1_234 },
  cost: 0.0234,
  steps: [],
  metadata: {},
};

function storedFile(id: string, filename: string): StoredFile {
  return {
    id,
    object: "file",
    created_at: 0,
    filename,
    bytes: 14_200,
    mime_type: "text/csv",
    purpose: "user_upload",
    use: "look",
    sha256: "",
    alt_text: null,
  };
}

test("every word answers", async () => {
  const world = await createWorld();
  for (const name of commandNames) {
    const answer = await world.admin(name);
    expect(answer.text, name).not.toBe("");
    if (!["create", "edit", "delete"].includes(name))
      expect(answer, name).toMatchObject({ ok: true });
  }
});

describe("what is not understood", () => {
  test("names the nearest command and offers it", async () => {
    const { person } = await createWorld();
    const answer = await person("modle gpt-5.5");
    expect(answer).toEqual({
      ok: false,
      text: "I know no command `modle`. Did you mean `/assistant model gpt-5.5`?",
      choices: [{ label: "/assistant model gpt-5.5", command: "model gpt-5.5" }],
    });
  });

  test("points to help when nothing is near", async () => {
    const { person } = await createWorld();
    expect((await person("xylophone")).text).toBe(
      "I know no command `xylophone`. `/assistant help` lists them all.",
    );
  });

  test.each([
    ["use Bobin", "Did you mean `/assistant use Bobbin`?"],
    ["edit Bobin name Robin", "Did you mean `/assistant edit Bobbin name Robin`?"],
    ["model gpt-5.6", "Did you mean `/assistant model gpt-5.5`?"],
    ["tools off calculater", "Did you mean `calculator`?"],
    ["edit Bobbin tools calculator, telescope", "There is no tool `telescope`"],
  ])("%s", async (text, words) => {
    const { admin } = await createWorld();
    const answer = await admin(text);
    expect(answer.ok).toBe(false);
    expect(answer.text).toContain(words);
  });
});

describe("who may", () => {
  test.each([
    "use default",
    "model gpt-5.5-mini",
    "instructions Be brief.",
    "queue merge",
    "scope person",
    "context channel We sell boats.",
    "tools off calculator",
    "create Ops",
    "edit Bobbin name Robin",
    "settings managers add web:grace",
  ])("a person may not: %s", async (text) => {
    const { person, catalogue } = await createWorld();
    const before = await catalogue.list();
    const answer = await person(text);
    expect(answer.ok).toBe(false);
    expect(answer.text).toMatch(/^Only a manager of this channel or an admin \(web:root\) may /);
    expect((await catalogue.channel(here.channelKey)).version).toBe(0);
    expect(await catalogue.list()).toEqual(before);
  });

  test("a refusal names the managers that were set", async () => {
    const { manager, person } = await createWorld();
    await manager("settings managers add @Ada");
    expect((await person("model gpt-5.5-mini")).text).toBe(
      "Only a manager of this channel (Ada) or an admin (web:root) may choose the model here.",
    );
  });

  test("who was named manager may change the channel from then on, there only", async () => {
    const { manager, person } = await createWorld();
    await manager("settings managers add <@grace>");
    expect((await person("queue merge")).ok).toBe(true);
    expect((await person("queue merge", { place: elsewhere })).ok).toBe(false);
    await manager("settings managers remove web:grace");
    expect((await person("queue latest")).ok).toBe(false);
  });

  test.each(["list audit", "usage month", "settings cap 20"])(
    "only an admin may: %s",
    async (text) => {
      const { manager, admin } = await createWorld();
      expect((await manager(text)).text).toMatch(/^Only an admin \(web:root\) may /);
      expect((await admin(text)).ok).toBe(true);
    },
  );

  test("everybody manages their own direct messages, which makes nobody a maker of assistants", async () => {
    const { as } = await createWorld();
    const inDirect = { place: direct };
    expect((await as(ada, "person", "model gpt-5.5-mini", inDirect)).ok).toBe(true);
    expect((await as(ada, "person", "create Ops", inDirect)).ok).toBe(false);
    expect((await as(ada, "person", "edit Bobbin name Robin", inDirect)).ok).toBe(false);
  });

  test("the default assistant is an admin's to change", async () => {
    const { manager, admin } = await createWorld();
    const answer = await manager("edit Bobbin instructions Be brief.");
    expect(answer.text).toContain("It is the default and answers everywhere.");
    expect((await admin("edit Bobbin instructions Be brief.")).ok).toBe(true);
  });

  test("a manager changes an assistant as long as no channel of others uses it", async () => {
    const { manager, as } = await createWorld();
    await manager("create Ops");
    await manager("use Ops");
    expect((await manager("edit Ops description Helps with servers")).ok).toBe(true);
    await as(grace, "manager", "use Ops", { place: elsewhere });
    const answer = await manager("edit Ops description Helps with nothing");
    expect(answer).toMatchObject({ ok: false });
    expect(answer.text).toContain("It also answers in channels you do not manage.");
  });
});

describe("assistants", () => {
  test("are created, chosen, changed, shown and deleted", async () => {
    const { manager, catalogue } = await createWorld();
    const created = await manager("create Help desk instructions You help with boats.");
    expect(created.text).toBe("Created **Help desk** with all tools and the default model.");
    expect(created.choices).toContainEqual({
      label: "Use Help desk here",
      command: "use Help desk",
    });
    expect((await manager("use help desk")).text).toBe(
      "**Help desk** answers here from the next message on.",
    );
    expect((await manager("use Help desk")).text).toBe("**Help desk** answers here already.");
    await manager("edit Help desk temperature 0.2");
    await manager("edit Help desk truncation 20");
    await manager("edit Help desk tools web_search");
    const shown = (await manager("show")).text;
    expect(shown).toContain("**Help desk**, version 4, answers here");
    expect(shown).toContain("- Model: `gpt-5.5` (the default)");
    expect(shown).toContain("- Tools: `web_search`");
    expect(shown).toContain("- Temperature: 0.2");
    expect(shown).toContain("the last 20 messages are read");
    expect(shown).toContain("> You help with boats.");
    expect((await manager("list")).text).toContain("- **Help desk** (answers here)");

    const question = await manager("delete Help desk");
    expect(question.text).toContain("Delete **Help desk**? 1 channel chose it: Bobbin will answer");
    expect(await catalogue.find("Help desk")).toBeDefined();
    const [yes] = question.choices ?? [];
    expect((await manager(yes?.command ?? "")).text).toContain("Deleted **Help desk**.");
    expect((await manager("use")).text).toContain("**Bobbin** answers here.");
  });

  test("the default one cannot be deleted", async () => {
    const { admin } = await createWorld();
    expect((await admin("delete Bobbin yes")).text).toContain("cannot be deleted");
  });

  test("a name can be taken only once", async () => {
    const { manager } = await createWorld();
    expect(await manager("create bobbin")).toEqual({
      ok: false,
      text: "That name is taken. There is an assistant called “bobbin”.",
    });
  });

  test("a name cannot break out of the words around it", async () => {
    const { manager } = await createWorld();
    expect((await manager("create _x_y_")).ok).toBe(false);
    await manager("create A_b_c");
    expect((await manager("show A_b_c")).text).toContain("**A\\_b\\_c**");
  });

  test("tools are listed and switched", async () => {
    const { admin } = await createWorld();
    expect((await admin("tools")).text).toContain("- on · `calculator`: Computes.");
    expect((await admin("tools off calculator")).text).toBe(
      "`calculator` is off for **Bobbin** from the next message on.",
    );
    expect((await admin("tools off calculator")).text).toContain("already");
    expect((await admin("tools")).text).toContain("- off · `calculator`");
    await admin("tools on calculator");
    expect((await admin("tools")).text).toContain("- on · `calculator`");
  });
});

describe("a channel's settings", () => {
  test("model: shown, set, given back", async () => {
    const { manager, catalogue } = await createWorld();
    expect((await manager("model")).text).toContain("**Bobbin** uses `gpt-5.5` here.");
    expect((await manager("model gpt-5.5-mini")).text).toBe(
      "This channel uses `gpt-5.5-mini` from the next message on.",
    );
    expect((await catalogue.channel(here.channelKey)).model).toBe("gpt-5.5-mini");
    expect((await manager("model")).text).toContain("instead of Bobbin's own `gpt-5.5`");
    await manager("model default");
    expect((await catalogue.channel(here.channelKey)).model).toBeNull();
  });

  test("a model the server does not list can be insisted on", async () => {
    const { manager, catalogue } = await createWorld();
    const answer = await manager("model my-own");
    expect(answer).toMatchObject({ ok: false, text: "The server lists no model `my-own`." });
    const [insist] = answer.choices ?? [];
    expect((await manager(insist?.command ?? "")).ok).toBe(true);
    expect((await catalogue.channel(here.channelKey)).model).toBe("my-own");
  });

  test("any model goes where the server does not say what it has", async () => {
    const world = await createWorld();
    world.models = new Error("unreachable");
    expect((await world.manager("model my-own")).ok).toBe(true);
    expect((await world.manager("list models")).text).toContain("does not say");
  });

  test("instructions, context, queue and scope are set and shown", async () => {
    const { manager, catalogue } = await createWorld();
    await manager("instructions Answer in French.");
    await manager("context channel We sell boats.");
    await manager("queue latest");
    await manager("scope person");
    expect(await catalogue.channel(here.channelKey)).toMatchObject({
      instructions: "Answer in French.",
      context: "We sell boats.",
      policy: "latest",
      scope: "person",
    });
    expect((await manager("instructions")).text).toContain("> Answer in French.");
    expect((await manager("context")).text).toContain("> We sell boats.");
    expect((await manager("queue")).text).toContain("only the newest message that waits");
    expect((await manager("scope")).text).toContain("one with each person");
    await manager("instructions default");
    expect((await manager("instructions")).text).toContain("**Bobbin**'s instructions hold here");
  });

  test("context about oneself is anybody's own", async () => {
    const { person, catalogue } = await createWorld();
    await person("context me Address me formally.");
    expect((await catalogue.person(grace.key)).context).toBe("Address me formally.");
    expect((await person("context me")).text).toContain("> Address me formally.");
    await person("context me clear");
    expect((await catalogue.person(grace.key)).context).toBeNull();
  });

  test("a direct message has one scope", async () => {
    const { as } = await createWorld();
    expect((await as(ada, "person", "scope channel", { place: direct })).ok).toBe(false);
    for (const command of ["scope", "status", "settings"]) {
      const { text } = await as(ada, "person", command, { place: direct });
      expect(text).toContain("a direct message is always one");
      expect(text).not.toContain("each thread");
    }
  });

  test("the cap is set, shown and taken away", async () => {
    const { admin, person } = await createWorld();
    expect((await admin("settings cap 20")).text).toContain("$20 a month");
    expect((await person("settings")).text).toContain("- Cap: $20 a month");
    await admin("settings cap off");
    expect((await person("settings cap")).text).toBe("This channel has no spending cap.");
  });

  test("who changed what is in the audit log", async () => {
    const { manager, admin } = await createWorld();
    await manager("model gpt-5.5-mini");
    await manager("queue merge");
    const { text } = await admin("list audit");
    expect(text).toContain(
      "**Ada** (`web:ada`): model, channel web:general from `none` to `gpt-5.5-mini`",
    );
    expect(text).toContain("policy, channel web:general from `fifo` to `merge`");
  });

  test("a command delivered twice changes and answers once", async () => {
    const { manager, catalogue } = await createWorld();
    const [first, second] = await Promise.all([
      manager("create Ops", { eventId: "same" }),
      manager("create Ops", { eventId: "same" }),
    ]);
    expect(second).toEqual(first);
    expect(await catalogue.list()).toHaveLength(2);
  });
});

describe("conversations", () => {
  test("status tells who answers and what goes on", async () => {
    const { threads, person, admin } = await createWorld();
    threads.statuses.set("web:general:1", {
      messageCount: 12,
      isRunning: true,
      waiting: [{ eventId: "e", personKey: ada.key }],
      lastRun: run,
    });
    const { text } = await person("status");
    expect(text).toContain("**Bobbin** (version 1) answers here with `gpt-5.5`.");
    expect(text).toContain("12 messages; a reply is being written, 1 message waiting");
    expect(text).toContain("- Last reply: completed, 1,234 tokens, about $0.02");
    expect(text).not.toContain("Everywhere");
    expect((await admin("status")).text).toContain("Everywhere: 3 replies being written");
  });

  test("status names who is being waited for", async () => {
    const { threads, manager, person } = await createWorld();
    await manager("help");
    threads.statuses.set("web:general:1", { waitingFor: ada.key });
    expect((await person("status")).text).toContain("waiting for Ada to decide");
  });

  test("queue shows the line", async () => {
    const { threads, person } = await createWorld();
    threads.statuses.set("web:general:1", {
      isRunning: true,
      waiting: [
        { eventId: "1", personKey: ada.key },
        { eventId: "2", personKey: grace.key },
      ],
    });
    expect((await person("queue")).text).toContain("2 messages waiting, from:\n1. web:ada\n2. you");
  });

  test("stop stops here", async () => {
    const { threads, person } = await createWorld();
    threads.statuses.set("web:general:1", { isRunning: true });
    expect((await person("stop")).text).toBe("Stopped the reply; what was written is kept.");
    expect(threads.calls).toEqual(["stop web:general:1 current"]);
  });

  test("stop all takes away messages of others only for a manager", async () => {
    const { threads, person, manager } = await createWorld();
    threads.statuses.set("web:general:1", { waiting: [{ eventId: "1", personKey: ada.key }] });
    expect((await person("stop all")).ok).toBe(false);
    expect(threads.calls).toEqual([]);
    expect((await manager("stop all")).text).toContain("1 waiting message removed.");
    threads.statuses.set("web:general:1", { waiting: [{ eventId: "2", personKey: grace.key }] });
    expect((await person("stop all")).ok).toBe(true);
  });

  test("new begins at once, or after the reply at hand, which can be stopped", async () => {
    const { threads, person } = await createWorld();
    expect((await person("new", { eventId: "e1" })).text).toContain("with the next message");
    threads.statuses.set("web:general:1", { isRunning: true });
    const answer = await person("new", { eventId: "e2" });
    expect(answer.text).toContain("after the reply at hand");
    expect(answer.choices).toEqual([{ label: "Stop that reply now", command: "stop" }]);
    expect(threads.calls).toEqual(["new web:general:1 e1", "new web:general:1 e2"]);
  });

  test("retry answers again, or says that there is nothing", async () => {
    const { threads, person } = await createWorld();
    expect((await person("retry", { eventId: "e1" })).text).toBe(
      "I answer the last message again.",
    );
    expect(threads.calls).toEqual(["retry web:general:1 e1 web:grace"]);
    threads.canRetry = false;
    expect((await person("retry")).ok).toBe(false);
  });

  test("export gives a file and is noted", async () => {
    const { person, admin } = await createWorld();
    expect((await person("export")).file?.name).toBe("conversation.jsonl");
    expect((await admin("list audit")).text).toContain("export, conversation web:general:1");
  });

  test("forget asks first, then really forgets", async () => {
    const { threads, manager } = await createWorld();
    const asked = await manager("forget");
    expect(asked.choices?.map(({ command }) => command)).toEqual([
      "forget conversation",
      "forget me",
    ]);
    const sure = await manager("forget conversation");
    expect(threads.calls).toEqual([]);
    const [yes] = sure.choices ?? [];
    expect((await manager(yes?.command ?? "", { eventId: "e1" })).ok).toBe(true);
    expect(threads.calls).toEqual(["forget web:general:1 e1"]);
  });

  test("what others share is forgotten by a manager; what one said oneself by anybody", async () => {
    const { threads, person, catalogue, as } = await createWorld();
    await person("context me Formal.");
    expect((await person("forget conversation yes")).ok).toBe(false);
    expect((await person("forget me")).choices).toEqual([
      { label: "Forget me", command: "forget me yes" },
    ]);
    expect((await person("forget me yes", { eventId: "e1" })).text).toContain("2 conversations");
    expect(threads.calls).toEqual(["forget-person web:grace e1"]);
    expect((await catalogue.person(grace.key)).context).toBeNull();
    expect((await as(ada, "person", "forget conversation yes", { place: direct })).ok).toBe(true);
  });
});

describe("a command that does not know its thread", () => {
  const unknown = { knowsThread: false };
  const conversation = (key: string, title: string, isBusy: boolean) => ({
    conversationKey: key,
    channelKey: here.channelKey,
    title,
    updatedAtMs: now - 120_000,
    isBusy,
  });

  test("acts at once when the asker has one open conversation", async () => {
    const { threads, person } = await createWorld();
    threads.open.push(conversation("web:general:7", "Boats", true));
    threads.statuses.set("web:general:7", { isRunning: true });
    expect((await person("stop", unknown)).text).toContain("Stopped the reply in “Boats”");
    expect(threads.calls).toEqual(["stop web:general:7 current"]);
  });

  test("stop means the busy one of several", async () => {
    const { threads, person } = await createWorld();
    threads.open.push(
      conversation("web:general:7", "Boats", false),
      conversation("web:general:8", "Trains", true),
    );
    await person("stop", unknown);
    expect(threads.calls).toEqual(["stop web:general:8 current"]);
  });

  test("offers the choice of several, and each choice works", async () => {
    const { threads, person } = await createWorld();
    threads.open.push(
      conversation("web:general:7", "Boats", false),
      conversation("web:general:8", "Trains", false),
    );
    const answer = await person("new", unknown);
    expect(threads.calls).toEqual([]);
    expect(answer.text).toContain("- Boats (2 minutes ago)");
    expect(answer.choices?.map(({ label }) => label)).toEqual(["Boats", "Trains"]);
    await person(answer.choices?.[1]?.command ?? "", { ...unknown, eventId: "e1" });
    expect(threads.calls).toEqual(["new web:general:8 e1"]);
  });

  test("says so when there is none", async () => {
    const { person } = await createWorld();
    expect(await person("retry", unknown)).toMatchObject({ ok: false });
  });

  test("knows its conversation where the channel has only one", async () => {
    const { threads, manager, person } = await createWorld();
    await manager("scope channel");
    threads.scope = "channel";
    await person("new", { ...unknown, eventId: "e1" });
    expect(threads.calls).toEqual(["new web:general/channel e1"]);
  });

  test("reaches no conversation that is not the asker's own", async () => {
    const { threads, person } = await createWorld();
    const answer = await person("export in web:secret:1");
    expect(answer).toMatchObject({ ok: false });
    expect(answer.file).toBeUndefined();
    expect(threads.calls).toEqual([]);
  });
});

describe("files", () => {
  test("are listed, used otherwise, and deleted", async () => {
    const { threads, person } = await createWorld();
    threads.fileLists.set("web:general:1", [storedFile("file_1", "Prices of boats.csv")]);
    expect((await person("files")).text).toContain(
      "- `Prices of boats.csv` (14 KB, `file_1`): shown to the model",
    );
    expect((await person("files use prices of boats.csv compute")).text).toContain(
      "computes with it",
    );
    expect((await person("files remove file_1")).text).toContain("Deleted `Prices of boats.csv`");
    expect(threads.calls).toEqual([
      "use-file web:general:1 file_1 compute",
      "remove-file web:general:1 file_1",
    ]);
  });

  test("a mistyped name gets the nearest", async () => {
    const { threads, person } = await createWorld();
    threads.fileLists.set("web:general:1", [storedFile("file_1", "prices.csv")]);
    const answer = await person("files use price.csv search");
    expect(answer.choices).toEqual([
      {
        label: "/assistant files use prices.csv search",
        command: "files use prices.csv search",
      },
    ]);
  });

  test("one that is shared belongs to the assistant, and is not deleted meanwhile", async () => {
    const { threads, admin, person, catalogue } = await createWorld();
    threads.fileLists.set("web:general:1", [storedFile("file_1", "prices.csv")]);
    expect((await person("files share prices.csv")).ok).toBe(false);
    await admin("files share prices.csv");
    expect((await catalogue.find("Bobbin"))?.file_ids).toEqual(["file_1"]);
    expect((await person("files remove prices.csv")).ok).toBe(false);
    await admin("files unshare prices.csv");
    expect((await person("files remove prices.csv")).ok).toBe(true);
  });
});

describe("usage", () => {
  async function countUsage(ledger: MemoryLedger, counter: string, unpriced = 0): Promise<void> {
    const fields = {
      runs: 3,
      prompt_tokens: 1_000,
      completion_tokens: 234,
      cached_tokens: 400,
      cost_micro_usd: 23_400,
      unpriced_tokens: unpriced,
    };
    await ledger.apply({
      counts: Object.entries(fields).map(([field, by]) => ({ counter, field, by })),
    });
  }

  test("says about how much, by person and channel", async () => {
    const { ledger, person } = await createWorld();
    await countUsage(ledger, "usage/person/web:grace/2026-10-05");
    await countUsage(ledger, "usage/person/web:grace/2026-10-01");
    await countUsage(ledger, "usage/channel/web:general/2026-10");
    const { text } = await person("usage");
    expect(text).toContain(
      "- You, today: 1,234 tokens in 3 replies, about $0.02 (1,000 read, 400 of them cached; 234 written). The cap is $5 a day.",
    );
    expect(text).toContain("- You, this month: 2,468 tokens in 6 replies, about $0.05");
    expect(text).toContain("- This channel, this month: 1,234 tokens");
  });

  test("names no sum unless everything was priced", async () => {
    const { ledger, person } = await createWorld();
    await countUsage(ledger, "usage/person/web:grace/2026-10-05", 500);
    const { text } = await person("usage me");
    expect(text).not.toContain("about $");
    expect(text).toContain("for 500 tokens of which I know no price");
  });

  test("of everything is shown by assistant to an admin", async () => {
    const { ledger, admin } = await createWorld();
    await countUsage(ledger, "usage/all/2026-10");
    await countUsage(ledger, `usage/assistant/${defaultAssistantId}/2026-10`);
    const { text } = await admin("usage month");
    expect(text).toContain("Everything in 2026-10: 1,234 tokens");
    expect(text).toContain("- **Bobbin**: 1,234 tokens");
  });

  test("of the last reply", async () => {
    const { threads, person } = await createWorld();
    expect((await person("usage run")).ok).toBe(false);
    threads.statuses.set("web:general:1", { lastRun: { ...run, cost: null } });
    expect((await person("usage run")).text).toBe(
      "The last reply (`gpt-5.5`): 1,234 tokens, at a price I do not know (1,000 read; 234 written).",
    );
  });
});

describe("the settings panel", () => {
  test("has a field per setting whose command sets and clears it", async () => {
    const { desk, manager, catalogue } = await createWorld();
    const request = { place: here, person: ada, role: "manager" } as const;
    const values: { [command: string]: string } = {
      "use =": "Bobbin",
      "model =": "gpt-5.5-mini",
      "instructions =": "Answer in French.",
      "context channel =": "We sell boats.",
      "context me =": "Formal.",
      "queue =": "merge",
      "scope =": "person",
    };
    const panel = await desk.settings(request);
    for (const { command, locked } of panel.fields) {
      if (command === "settings cap =") continue;
      expect(locked).toBeUndefined();
      expect((await manager(`${command} ${values[command]}`)).ok, command).toBe(true);
    }
    const after = await desk.settings(request);
    for (const { command, value, choices } of after.fields) {
      if (command === "settings cap =") continue;
      expect(value).toBe(values[command]);
      if (choices) expect(choices.map((one) => one.value)).toContain(value);
    }
    for (const command of ["model =", "instructions =", "context channel =", "context me ="]) {
      expect((await manager(`${command} `)).ok).toBe(true);
    }
    expect(await catalogue.channel(here.channelKey)).toMatchObject({
      model: null,
      instructions: null,
      context: null,
    });
    expect((await catalogue.person(ada.key)).context).toBeNull();
  });

  test("says what somebody may not change", async () => {
    const { desk } = await createWorld();
    const panel = await desk.settings({ place: here, person: grace, role: "person" });
    const open = panel.fields.filter((field) => !field.locked).map((field) => field.command);
    expect(open).toEqual(["context me ="]);
    expect(panel.fields[0]?.locked).toContain("Only a manager of this channel");
  });
});

describe("completion", () => {
  test("knows assistants, models, tools and files", async () => {
    const { desk, manager, threads } = await createWorld();
    await manager("create Help desk");
    threads.fileLists.set("web:general:1", [storedFile("file_1", "prices.csv")]);
    const complete = async (text: string) =>
      (await desk.complete({ place: here, person: ada, text })).map(({ value }) => value);
    expect(await complete("use h")).toEqual(["use Help desk"]);
    expect(await complete("model o")).toEqual(["model o9"]);
    expect(await complete("tools off calc")).toEqual(["tools off calculator"]);
    expect(await complete("files remove p")).toEqual(["files remove prices.csv"]);
  });

  test("is empty rather than an error when nothing can be read", async () => {
    const { desk, ledger } = await createWorld();
    ledger.isDown = true;
    expect(await desk.complete({ place: here, person: ada, text: "use " })).toEqual([]);
  });
});

test("an outage is said in words, and the same command works after it", async () => {
  const { manager, ledger } = await createWorld();
  ledger.isDown = true;
  const answer = await manager("queue merge", { eventId: "same" });
  expect(answer).toMatchObject({ ok: false });
  expect(answer.text).toContain("I cannot reach my own storage right now.");
  ledger.isDown = false;
  expect((await manager("queue merge", { eventId: "same" })).ok).toBe(true);
});

test.each([
  ["<@U2>", "slack:T1:U1", "slack:T1:U2"],
  ["<@U2|grace>", "slack:T1:U1", "slack:T1:U2"],
  ["<@!42>", "discord:7", "discord:42"],
  ["slack:T1:U2", "slack:T1:U1", "slack:T1:U2"],
  ["slack:T2:U2", "slack:T1:U1", undefined],
  ["Grace", "slack:T1:U1", undefined],
  ["@Grace", "web:ada", "web:grace"],
  ["web:grace", "web:ada", "web:grace"],
])("%s, said by %s, is %s", (mention, asker, key) => {
  expect(toPersonKey(mention, { key: asker, name: "Ada" })).toBe(key);
});
