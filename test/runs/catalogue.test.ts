import { describe, expect, test } from "vitest";
import type { AssistantTool } from "#domain/assistant";
import { type Catalogue, defaultAssistantId } from "../../src/runs/catalogue.ts";
import { composeInstructions, createCatalogue } from "../../src/runs/stored-catalogue.ts";
import { MemoryLedger } from "../fakes/memory-ledger.ts";
import { MemoryRecordStore } from "../fakes/memory-record-store.ts";

const ada = { key: "web:ada", name: "Ada" };
const grace = { key: "web:grace", name: "Grace" };
const tools: readonly AssistantTool[] = [
  { type: "web_search" },
  { type: "function", function: { name: "calculator" } },
];

interface World {
  readonly ledger: MemoryLedger;
  readonly records: MemoryRecordStore;
  readonly catalogue: Catalogue;
  /** Another process on the same data. */
  another(defaultModel?: string, available?: readonly AssistantTool[]): Catalogue;
}

async function createWorld(): Promise<World> {
  const ledger = new MemoryLedger();
  const records = new MemoryRecordStore();
  const another = (defaultModel = "gpt-test", available = tools) =>
    createCatalogue({
      ledger,
      records,
      defaultModel,
      availableTools: () => available,
      now: () => 1_700_000_000_000,
    });
  const catalogue = another();
  await catalogue.start();
  return { ledger, records, catalogue, another };
}

const run = { channelKey: "web:general", people: [ada] };

describe("the default assistant", () => {
  test("is there after the first start, with every tool and the configured model", async () => {
    const { catalogue } = await createWorld();
    const { assistant, ref, instructions } = await catalogue.runSettings(run);
    expect(assistant).toMatchObject({ name: "Bobbin", model: "gpt-test", tools });
    expect(ref).toEqual({ id: defaultAssistantId, version: 1 });
    expect(instructions).toContain("You are Bobbin");
  });

  test("is kept as it was changed when the process starts again", async () => {
    const { catalogue, another } = await createWorld();
    await catalogue.edit(defaultAssistantId, () => ({ instructions: "Be brief." }), ada);
    const restarted = another();
    await restarted.start();
    expect((await restarted.runSettings(run)).assistant).toMatchObject({
      version: 2,
      instructions: "Be brief.",
    });
  });

  test("follows the configured model and new tools", async () => {
    const { another } = await createWorld();
    const later = another("gpt-next", [...tools, { type: "code_interpreter" }]);
    const { assistant } = await later.runSettings(run);
    expect(assistant.model).toBe("gpt-next");
    expect(assistant.tools).toHaveLength(3);
  });

  test("cannot be deleted", async () => {
    const { catalogue } = await createWorld();
    await expect(catalogue.remove(defaultAssistantId, ada)).rejects.toMatchObject({
      code: "not-allowed",
    });
  });
});

describe("assistants", () => {
  test("every change is a new version and the old one can still be read", async () => {
    const { catalogue } = await createWorld();
    const made = await catalogue.create({ name: "Ops", instructions: "One." }, ada, "e1");
    const edited = await catalogue.edit(made.id, () => ({ instructions: "Two." }), ada);
    expect(edited.version).toBeGreaterThan(made.version);
    expect((await catalogue.find("ops"))?.instructions).toBe("Two.");
    expect((await catalogue.version(made))?.instructions).toBe("One.");
  });

  test("a change that changes nothing makes no version", async () => {
    const { catalogue } = await createWorld();
    const made = await catalogue.create({ name: "Ops", instructions: "One." }, ada, "e1");
    const same = await catalogue.edit(made.id, () => ({ instructions: "One." }), ada);
    expect(same.version).toBe(made.version);
    expect((await catalogue.audit(10)).map((entry) => entry.action)).toEqual(["create"]);
  });

  test("names are unique whatever their capitals, and free again after a rename or deletion", async () => {
    const { catalogue } = await createWorld();
    const ops = await catalogue.create({ name: "Ops", instructions: null }, ada, "e1");
    await expect(
      catalogue.create({ name: "OPS", instructions: null }, grace, "e2"),
    ).rejects.toMatchObject({ code: "name-taken" });
    await expect(catalogue.edit(ops.id, () => ({ name: "bobbin" }), ada)).rejects.toMatchObject({
      code: "name-taken",
    });
    await catalogue.edit(ops.id, () => ({ name: "Operations" }), ada);
    const second = await catalogue.create({ name: "Ops", instructions: null }, grace, "e3");
    await catalogue.remove(second.id, grace);
    await catalogue.create({ name: "Ops", instructions: null }, grace, "e4");
    expect((await catalogue.list()).map((assistant) => assistant.name)).toEqual([
      "Bobbin",
      "Operations",
      "Ops",
    ]);
  });

  test("the same creation delivered twice makes one", async () => {
    const { catalogue } = await createWorld();
    const first = await catalogue.create({ name: "Ops", instructions: null }, ada, "e1");
    const second = await catalogue.create({ name: "Ops", instructions: null }, ada, "e1");
    expect(second.id).toBe(first.id);
    expect(await catalogue.list()).toHaveLength(2);
  });

  test("when two people change it at once both changes hold", async () => {
    const { catalogue, another } = await createWorld();
    const { id } = await catalogue.create({ name: "Ops", instructions: null }, ada, "e1");
    const other = another();
    await Promise.all([
      catalogue.edit(id, () => ({ instructions: "Be brief." }), ada),
      other.edit(id, () => ({ model: "gpt-other" }), grace),
    ]);
    expect(await catalogue.find("Ops")).toMatchObject({
      instructions: "Be brief.",
      model: "gpt-other",
    });
  });

  test("a writer who was overtaken never touches the other's version", async () => {
    const { catalogue, another, ledger } = await createWorld();
    const { id } = await catalogue.create({ name: "Ops", instructions: "Zero." }, ada, "e1");
    let overtakes = 0;
    ledger.beforeApply = async () => {
      if (overtakes++ > 0) return;
      await another().edit(id, () => ({ instructions: "Faster." }), grace);
    };
    const slow = await catalogue.edit(
      id,
      ({ instructions }) => ({ instructions: `${instructions} Slower.` }),
      ada,
    );
    ledger.beforeApply = undefined;
    expect(slow.instructions).toBe("Faster. Slower.");
    expect((await another().find("Ops"))?.instructions).toBe("Faster. Slower.");
  });

  test("who is always overtaken is told of a conflict", async () => {
    const { catalogue, ledger } = await createWorld();
    const { id } = await catalogue.create({ name: "Ops", instructions: null }, ada, "e1");
    let busy = false;
    ledger.beforeApply = async () => {
      if (busy) return;
      busy = true;
      const head = await ledger.read(`assistant/${id}`);
      await ledger.apply({ registers: [{ name: `assistant/${id}`, value: head?.value ?? null }] });
      busy = false;
    };
    await expect(catalogue.edit(id, () => ({ instructions: "x" }), ada)).rejects.toMatchObject({
      code: "conflict",
    });
  });

  test("tools that do not exist here are left out of a run", async () => {
    const { catalogue, another } = await createWorld();
    const { id } = await catalogue.create({ name: "Ops", instructions: null }, ada, "e1");
    await catalogue.edit(id, () => ({ tools: [{ type: "web_search" }] }), ada);
    await catalogue.changeChannel("web:general", () => ({ assistantId: id }), ada);
    expect((await catalogue.runSettings(run)).assistant.tools).toEqual([{ type: "web_search" }]);
    const elsewhere = another("gpt-test", []);
    expect((await elsewhere.runSettings(run)).assistant.tools).toEqual([]);
  });
});

describe("a run's settings", () => {
  test("carry the channel's overrides and everybody's context", async () => {
    const { catalogue } = await createWorld();
    await catalogue.changeChannel(
      "web:general",
      () => ({ model: "gpt-big", instructions: "Answer in French.", context: "We sell boats." }),
      ada,
    );
    await catalogue.changePerson(ada.key, () => ({ context: "Premium account." }), ada);
    const settings = await catalogue.runSettings({
      channelKey: "web:general",
      people: [ada, grace, ada],
    });
    expect(settings.assistant).toMatchObject({
      model: "gpt-big",
      instructions: "Answer in French.",
    });
    expect(settings.instructions).toBe(
      "Answer in French.\n\nAbout this channel:\nWe sell boats.\n\nAbout Ada, who writes to you:\nPremium account.",
    );
    expect((await catalogue.runSettings({ ...run, channelKey: "web:other" })).assistant.model).toBe(
      "gpt-test",
    );
  });

  test("keep the version an earlier attempt began with", async () => {
    const { catalogue } = await createWorld();
    const { ref } = await catalogue.runSettings(run);
    await catalogue.edit(defaultAssistantId, () => ({ instructions: "Changed." }), ada);
    const pinned = await catalogue.runSettings({ ...run, pinned: ref });
    expect(pinned.assistant.instructions).toContain("You are Bobbin");
    expect((await catalogue.runSettings(run)).assistant.instructions).toBe("Changed.");
  });

  test("cost one ledger read and no record while nothing changes", async () => {
    const { catalogue, ledger, records } = await createWorld();
    await catalogue.runSettings(run);
    ledger.reads = 0;
    records.reads = 0;
    for (let index = 0; index < 10; index++) await catalogue.runSettings(run);
    expect(ledger.reads).toBe(10);
    expect(records.reads).toBe(0);
  });

  test("see what another process changed with the next run", async () => {
    const { catalogue, another } = await createWorld();
    await catalogue.runSettings(run);
    await another().changeChannel("web:general", () => ({ model: "gpt-big" }), grace);
    expect((await catalogue.runSettings(run)).assistant.model).toBe("gpt-big");
    expect(catalogue.lastKnownChannel("web:general").model).toBe("gpt-big");
  });

  test("fall back to the default when the chosen assistant is deleted, and say so once", async () => {
    const { catalogue } = await createWorld();
    const { id } = await catalogue.create({ name: "Ops", instructions: null }, ada, "e1");
    await catalogue.changeChannel("web:general", () => ({ assistantId: id }), ada);
    expect(await catalogue.channelsUsing(id, 10)).toEqual(["web:general"]);
    await catalogue.remove(id, ada);

    const first = await catalogue.runSettings(run);
    expect(first.assistant.name).toBe("Bobbin");
    expect(first.notice).toContain("“Ops”, chosen for this channel, was deleted");
    expect((await catalogue.runSettings(run)).notice).toBeUndefined();
    expect((await catalogue.channel("web:general")).assistantId).toBeNull();
    expect(await catalogue.channelsUsing(id, 10)).toEqual([]);
  });

  test("fail when the store cannot be reached, rather than answer with the defaults", async () => {
    const { catalogue, ledger } = await createWorld();
    await catalogue.changeChannel("web:general", () => ({ model: "gpt-big" }), ada);
    ledger.isDown = true;
    await expect(catalogue.runSettings(run)).rejects.toMatchObject({ code: "store-unavailable" });
  });
});

describe("the audit log", () => {
  test("says who changed what, newest first and shortened", async () => {
    const { catalogue } = await createWorld();
    const { id } = await catalogue.create({ name: "Ops", instructions: null }, ada, "e1");
    await catalogue.edit(id, () => ({ instructions: "x".repeat(500) }), grace);
    await catalogue.changeChannel("web:general", () => ({ assistantId: id }), ada);
    const [use, edit, create] = await catalogue.audit(10);
    expect(use).toMatchObject({
      by: ada,
      action: "use",
      target: "channel web:general",
      from: "default",
      to: "Ops",
    });
    expect(edit).toMatchObject({ by: grace, action: "edit instructions", target: "assistant Ops" });
    expect(edit?.to?.length).toBeLessThanOrEqual(80);
    expect(create).toMatchObject({ action: "create", target: "assistant Ops" });
  });

  test("does not repeat what people say about themselves", async () => {
    const { catalogue } = await createWorld();
    await catalogue.changePerson(ada.key, () => ({ context: "I am ill." }), ada);
    expect(JSON.stringify(await catalogue.audit(10))).not.toContain("ill");
  });
});

test("a person's settings can be forgotten", async () => {
  const { catalogue } = await createWorld();
  await catalogue.changePerson(ada.key, () => ({ context: "Formal." }), ada);
  await catalogue.forgetPerson(ada.key);
  expect((await catalogue.person(ada.key)).context).toBeNull();
});

test("instructions without any context are the assistant's alone", () => {
  expect(
    composeInstructions({ instructions: " Be brief. ", channelContext: null, people: [] }),
  ).toBe("Be brief.");
});
