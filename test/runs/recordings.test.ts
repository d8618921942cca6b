import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BotError } from "#domain/errors";
import type { Recording, Transcriber } from "#ports/transcriber";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
let model: ScriptedBackend;
let heard: Recording[];

beforeEach(() => {
  world = new TestWorld();
  model = new ScriptedBackend(() => [{ type: "say", text: "I see." }]);
  heard = [];
});
afterEach(() => world.end());

const listening = (words: () => string): Transcriber => ({
  async transcribe(recording) {
    heard.push(recording);
    return words();
  },
});

async function sendVoice(transcriber?: Transcriber): Promise<void> {
  await world.start({ backend: model, ...(transcriber ? { transcriber } : {}) });
  await world.say("[voice message]", { attachments: [world.attach("voice.ogg", "sound")] });
  await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(1));
}

const notices = () => world.lastView().notices.map(({ text }) => text);

test("of a recording the model reads the words", async () => {
  await sendVoice(listening(() => "Please water the plants."));

  expect(heard).toMatchObject([{ name: "voice.ogg", mimeType: "audio/ogg" }]);
  expect(new TextDecoder().decode(heard[0]?.data)).toBe("sound");
  const [turn] = model.turns;
  const [id = ""] = [...(turn?.files.keys() ?? [])];
  expect(turn?.files.get(id)).toMatchObject({ filename: "voice.ogg.txt", mime_type: "text/plain" });
  const text = new TextDecoder().decode(await turn?.readFile(id));
  expect(text).toBe("Transcript of the recording voice.ogg:\n\nPlease water the plants.\n");
  expect(notices()).toEqual([]);
});

test("where nothing can listen, it is said", async () => {
  await sendVoice();
  expect(notices()).toEqual([
    "voice.ogg is a recording, and nothing I work with can write down what is said in it.",
  ]);
  expect(model.turns[0]?.files.size).toBe(0);
});

test("why a recording could not be written down is said, and the message answered anyway", async () => {
  await sendVoice(
    listening(() => {
      throw new BotError("file-unsupported", { detail: "voice.ogg could not be transcribed." });
    }),
  );
  expect(notices()).toEqual(["voice.ogg could not be transcribed."]);
  expect(world.texts()).toEqual(["I see."]);
});

test("silence is no message", async () => {
  await sendVoice(listening(() => " "));
  expect(notices()).toEqual(["Nothing can be heard in voice.ogg."]);
});
