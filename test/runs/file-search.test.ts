import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ModelTurn } from "#ports/model-backend";
import { fileSearch } from "../../src/tools/file-search.ts";
import { ScriptedBackend, type ScriptStep } from "../fakes/scripted-backend.ts";
import { ada, placeOf, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

const handbook =
  "Welcome. Everybody gets a key.\fThe notice period during probation is two weeks.\fTravel is paid.";

const ended = (count = 1) =>
  vi.waitFor(() => expect(world.metrics.runs).toHaveLength(count), { timeout: 20_000 });

/** What the last search of a turn's transcript gave. */
function foundIn(turn: ModelTurn) {
  const last = turn.transcript.findLast(({ type }) => type === "tool-output");
  const output = last?.type === "tool-output" ? last.output : "";
  return output.startsWith("{")
    ? (JSON.parse(output) as { passages: { cite_as: string; file: string; page?: number }[] })
        .passages
    : output;
}

/** A model that searches for the words of the message and cites the best passage. */
function searcher(query = (said: string) => ({ query: said })) {
  return new ScriptedBackend((turn): readonly ScriptStep[] => {
    const last = turn.transcript.at(-1);
    if (last?.type === "user") {
      return [{ type: "call", name: "file_search", arguments: query(last.text) }];
    }
    const found = foundIn(turn);
    if (typeof found === "string" || !found[0]) return [{ type: "say", text: `Nothing: ${found}` }];
    const mark = found[0].cite_as;
    const cut = Math.ceil(mark.length / 2);
    return [
      { type: "say", text: `Two weeks${mark.slice(0, cut)}` },
      { type: "say", text: `${mark.slice(cut)}, it says.` },
    ];
  });
}

describe("searching in files", () => {
  test("an answer cites file and page of what a person attached", async () => {
    const backend = searcher();
    await world.start({ backend, tools: [fileSearch], searches: true });
    await world.say("notice period probation", {
      attachments: [world.attach("handbook.txt", handbook)],
    });
    await ended();
    expect(world.lastView()).toMatchObject({
      status: "completed",
      text: "Two weeks[1], it says.",
      sources: [
        {
          title: "handbook.txt",
          page: 2,
          quote: "The notice period during probation is two weeks.",
        },
      ],
    });
    expect(backend.turns[0]?.functions.map(({ name }) => name)).toEqual(["file_search"]);
  });

  test("what is attached in one conversation is not found in another", async () => {
    await world.start({ backend: searcher(), tools: [fileSearch], searches: true });
    await world.say("notice period", { attachments: [world.attach("handbook.txt", handbook)] });
    await ended();
    await world.say("notice period", { place: placeOf("elsewhere") });
    await ended(2);
    expect(world.lastView("elsewhere").text).toContain("Nothing");
  });

  test("a file is searched alone when it is named", async () => {
    const backend = searcher(() => ({ query: "notice", file: "OTHER.txt" }) as never);
    await world.start({ backend, tools: [fileSearch], searches: true });
    await world.say("notice", {
      attachments: [
        world.attach("handbook.txt", handbook),
        world.attach("other.txt", "The other notice."),
      ],
    });
    await ended();
    expect(world.lastView().sources).toMatchObject([{ title: "other.txt" }]);
  });

  test("a file that cannot be read is said to the person, and the rest is searched", async () => {
    await world.start({ backend: searcher(), tools: [fileSearch], searches: true });
    await world.say("notice period", {
      attachments: [world.attach("broken.txt", "???"), world.attach("handbook.txt", handbook)],
    });
    await ended();
    expect(world.lastView().notices).toMatchObject([
      { kind: "warning", text: "broken.txt is damaged." },
    ]);
    expect(world.lastView().sources).toMatchObject([{ title: "handbook.txt" }]);
  });

  test("each file's status is told: searched, or why not", async () => {
    await world.start({ backend: searcher(), tools: [fileSearch], searches: true });
    const told = vi.fn();
    world.bot.onFileStatus(told);
    await world.say("notice period", {
      attachments: [world.attach("broken.txt", "???"), world.attach("handbook.txt", handbook)],
    });
    await ended();
    expect(told.mock.calls[0]?.[1]).toMatchObject([
      { name: "broken.txt", status: "stored", detail: "broken.txt is damaged." },
      { name: "handbook.txt", status: "indexed" },
    ]);
  });

  test("the files command says what can be searched, and what cannot and why", async () => {
    await world.start({ backend: searcher(), tools: [fileSearch], searches: true });
    await world.say("notice period", {
      attachments: [world.attach("broken.txt", "???"), world.attach("handbook.txt", handbook)],
    });
    await ended();
    const answer = await world.say("/assistant files");
    if (answer.status !== "command") throw new Error(`the answer was ${answer.status}`);
    expect(answer.answer.text).toMatch(/broken\.txt.*not searched: broken\.txt is damaged\./);
    expect(answer.answer.text).toMatch(/handbook\.txt.*can be searched \(3 passages\)/);
  });

  test("a file that is deleted is found no more", async () => {
    await world.start({ backend: searcher(), tools: [fileSearch], searches: true });
    await world.say("notice period", { attachments: [world.attach("handbook.txt", handbook)] });
    await ended();
    await world.say("/assistant files remove handbook.txt");
    await world.say("notice period");
    await ended(2);
    expect(world.lastView().text).toContain("Nothing");
  });

  test("files an assistant keeps are read before the first question, with a line of progress", async () => {
    await world.start({ backend: searcher(), searches: false, tools: [], admins: [ada.key] });
    await world.say("keep this", {
      attachments: [world.attach("handbook.txt", handbook), world.attach("b.txt", "nothing of it")],
    });
    await ended();
    const asAdmin = { role: "admin" } as const;
    await world.say("/assistant files share handbook.txt", asAdmin);
    await world.say("/assistant files share b.txt", asAdmin);
    await world.stop();
    await world.start({ backend: searcher(), tools: [fileSearch], searches: true });
    await world.say("notice period", { place: placeOf("elsewhere") });
    await ended(2);
    const view = world.lastView("elsewhere");
    expect(view.steps).toMatchObject([
      { type: "file_search", title: "Read 2 files to search in", status: "completed" },
      { title: "Searching the files" },
    ]);
    expect(view.text).toBe("Two weeks[1], it says.");
    await world.say("notice period", { place: placeOf("elsewhere") });
    await ended(3);
    expect(world.lastView("elsewhere").steps).toHaveLength(1);
  });

  test("where the service searches itself, ours is not offered", async () => {
    const backend = new ScriptedBackend(() => [{ type: "say", text: "Hello." }], {
      hostedTools: ["file_search"],
    });
    await world.start({ backend, tools: [fileSearch] });
    await world.say("hello");
    await ended();
    expect(backend.turns[0]).toMatchObject({ hostedTools: ["file_search"], functions: [] });
  });
});
