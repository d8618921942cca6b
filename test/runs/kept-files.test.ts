import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { IncomingMessage } from "#domain/message";
import { fileSearch } from "../../src/tools/file-search.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { grace, placeOf, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(async () => {
  world = new TestWorld();
  await world.start({ backend: searcher(), tools: [fileSearch], searches: true });
});
afterEach(() => world.end());

const handbook = "The notice period during probation is two weeks.";

/** Searches for what somebody says, and tells what was found. */
function searcher() {
  return new ScriptedBackend((turn) => {
    const last = turn.transcript.at(-1);
    if (last?.type === "tool-output") return [{ type: "say", text: last.output }];
    const query = last?.type === "user" ? last.text : "";
    return [{ type: "call", name: "file_search", arguments: { query } }];
  });
}

let answered = 0;
beforeEach(() => {
  answered = 0;
});

/** What a search in a conversation of its own finds. */
async function found(channelKey = "fake:general"): Promise<string> {
  answered += 1;
  const thread = `thread-${answered}`;
  await world.say("notice period", { place: { ...placeOf(thread), channelKey } });
  await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(answered), { timeout: 20_000 });
  return world.lastView(thread).text;
}

async function command(text: string, more: Partial<IncomingMessage> = {}) {
  const answer = await world.say(`/assistant ${text}`, { role: "admin", ...more });
  if (answer.status !== "command") throw new Error(`it was ${answer.status}`);
  return answer.answer;
}

const attached = (name = "handbook.txt") => ({
  attachments: [world.attach(name, handbook)],
});

describe("a file of a channel", () => {
  test("is added with a command, searched in all its conversations, and in no other channel", async () => {
    const added = await command("files add channel", attached());
    expect(added).toEqual({
      ok: true,
      text: "All conversations of this channel have `handbook.txt`.\n- `handbook.txt`; can be searched (1 passage)",
    });
    expect(await found()).toContain("two weeks");
    expect(await found("fake:other")).toContain("Nothing in the files fits");
  });

  test("is listed with what became of it, and taken back", async () => {
    await command("files add channel", attached());
    const place = placeOf("elsewhere");
    expect((await command("files", { place })).text).toMatch(
      /^In all conversations of this channel:\n- `handbook.txt` \(48 bytes, `file_\w+`\); can be searched \(1 passage\)$/,
    );
    expect((await command("files remove handbook.txt")).text).toContain("This channel keeps");
    expect(await command("files unpin handbook.txt", { place })).toMatchObject({ ok: true });
    expect(await found()).toContain("Nothing in the files fits");
    expect(await command("files remove handbook.txt")).toMatchObject({ ok: true });
    expect((await command("files")).text).toContain("There are no files in this conversation.");
  });

  test("is chosen among those of a conversation, too", async () => {
    await world.say("Hello", attached());
    await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(1), { timeout: 20_000 });
    answered = 1;
    expect(await found()).toContain("Nothing in the files fits");
    expect(await command("files pin handbook.txt")).toMatchObject({ ok: true });
    expect(await found()).toContain("two weeks");
  });

  test("is chosen by managers only", async () => {
    const answer = await command("files add channel", {
      ...attached(),
      author: grace,
      role: "person",
    });
    expect(answer).toMatchObject({ ok: false, text: expect.stringContaining("Only a manager") });
    expect(await found()).toContain("Nothing in the files fits");
  });
});

test("a file of the assistant is added with a command, and searched wherever it answers", async () => {
  const added = await command("files add", attached());
  expect(added.text).toContain("has `handbook.txt` in all its conversations.");
  expect(await found("fake:other")).toContain("two weeks");
  expect((await command("files", { place: placeOf("elsewhere") })).text).toContain(
    "Wherever **Bobbin** answers:\n- `handbook.txt`",
  );
  await command("files unshare handbook.txt", { place: placeOf("elsewhere") });
  expect(await found("fake:other")).toContain("Nothing in the files fits");
});

test("a file that cannot be searched says why, where it is added and where it is listed", async () => {
  const added = await command("files add channel", attached("broken.pdf"));
  expect(added.text).toContain("- `broken.pdf`; not searched: broken.pdf is damaged.");
  expect((await command("files")).text).toContain("not searched: broken.pdf is damaged.");
});

test("nothing is added where nothing is attached", async () => {
  expect(await command("files add channel")).toEqual({
    ok: false,
    text: "Attach the files to the message that says `/assistant files add channel`.",
  });
  expect((await command("files add all")).text).toContain("`assistant` or `channel`");
});
