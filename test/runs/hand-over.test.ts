import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { handOverTool } from "../../src/tools/hand-over.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { ada, grace, placeOf, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const patience = { timeout: 20_000 };
const ended = (count = 1) =>
  vi.waitFor(() => expect(world.metrics.runs).toHaveLength(count), patience);
const channels = [{ platform: "fake", channel: "support" }];
const parting = "A colleague takes over.";

/** Calls a person when asked to, and says what it was told otherwise. */
function agent() {
  return new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") {
      return [{ type: "say", text: last.output.startsWith("A colleague") ? parting : last.output }];
    }
    if (last?.type !== "user") return [{ type: "say", text: "?" }];
    if (!last.text.includes("person")) {
      return [{ type: "say", text: `Before: ${last.quoted ?? "nothing"} / ${last.text}` }];
    }
    const ask = { reason: "Wants a refund", summary: "Order A-1 arrived broken." };
    return [{ type: "call", name: "hand_over", arguments: ask }];
  });
}

function start(options: { readonly handOverChannels?: typeof channels } = {}) {
  return world.start({ backend: agent(), tools: [handOverTool], ...options });
}

describe("a conversation that is handed over", () => {
  test("is told to people, with what was said and how to give it back", async () => {
    await start({ handOverChannels: channels });
    await world.say("My lamp is broken");
    await ended();
    await world.say("I want a person");
    await ended(2);
    expect(world.texts().at(-1)).toBe(parting);
    const [note] = world.screen.notes;
    expect(note?.channel).toBe("support");
    expect(note?.text).toMatch(/\*\*Ada\*\* needs a person, in general \(fake\): Wants a refund/);
    expect(note?.text).toContain("Order A-1 arrived broken.");
    expect(note?.text).toContain("/assistant resume in fake:general:talk");
    expect(note?.file.name).toBe("transcript.md");
    const transcript = new TextDecoder().decode(note?.file.data);
    expect(transcript).toMatch(/\*\*Ada\*\*.*My lamp is broken.*\*\*Bot\*\*.*I want a person/s);
  });

  test.each([
    ["the same part of the platform", ["other:C2", "support", "general:C1"], "general:C1"],
    ["no part named over another part", ["other:C2", "support"], "support"],
    ["another part over another platform", ["other:C2"], "other:C2"],
  ])("is told in the nearest place: %s", async (_rule, ids, told) => {
    const far = { platform: "elsewhere", channel: "far" };
    const near = ids.map((channel) => ({ platform: "fake", channel }));
    await start({ handOverChannels: [far, ...near] });
    await world.say("I want a person", {
      place: { ...placeOf("talk"), channelKey: "fake:general:C9", target: { at: "talk" } },
    });
    await ended();
    expect(world.screen.notes).toMatchObject([{ channel: told, about: { at: "talk" } }]);
  });

  test("is left to people, over a restart too, until a manager gives it back", async () => {
    await start({ handOverChannels: channels });
    await world.say("I want a person");
    await ended();
    expect(await world.say("Hello?")).toEqual({ status: "handed-over" });
    await world.stop();
    await start({ handOverChannels: channels });
    expect(await world.say("I am Grace, let me see", { author: grace })).toEqual({
      status: "handed-over",
    });
    expect(await world.say("Elsewhere", { place: placeOf("other") })).toMatchObject({
      status: "accepted",
    });
    await ended(2);

    const refused = await world.say("/assistant resume");
    expect(refused).toMatchObject({ status: "command", answer: { ok: false } });
    const status = await world.say("/assistant status");
    expect(status).toMatchObject({
      answer: { text: expect.stringContaining("a person has taken over (Wants a refund)") },
    });
    const place = placeOf("staff");
    const given = await world.say("/assistant resume in fake:general:talk", {
      role: "manager",
      author: grace,
      place,
    });
    expect(given).toMatchObject({ status: "command", answer: { ok: true } });
    await world.say("Thanks, and now?");
    await ended(3);
    const last = world.texts().at(-1);
    expect(last).toMatch(/Ada: Hello\?.*Grace: I am Grace, let me see.* \/ Thanks, and now\?/s);
    await world.say("And then?");
    await ended(4);
    expect(world.texts().at(-1)).toBe("Before: nothing / And then?");
  });

  test("takes along what already waited in line", async () => {
    await start({ handOverChannels: channels });
    await Promise.all([world.say("I want a person"), world.say("It is urgent")]);
    await ended();
    await vi.waitFor(async () => {
      const { status } = await world.say("Still there?");
      expect(status).toBe("handed-over");
    }, patience);
    expect(world.texts()).toEqual([parting]);
  });

  test("stays with the bot when nobody can be told, and it says so", async () => {
    await start();
    await world.say("I want a person");
    await ended();
    expect(world.texts().at(-1)).toContain("no channel for hand-overs is configured");
    expect(await world.say("Hello?")).toMatchObject({ status: "accepted" });
  });

  test("is forgotten with the conversation", async () => {
    await start({ handOverChannels: channels });
    await world.say("I want a person");
    await ended();
    await world.say("A secret");
    await world.say("/assistant forget conversation yes", { role: "admin", author: ada });
    await vi.waitFor(
      async () => expect(await world.say("Hello again")).toMatchObject({ status: "accepted" }),
      patience,
    );
    await ended(2);
    expect(world.texts().at(-1)).toBe("Before: nothing / Hello again");
  });
});
