import { afterEach, beforeEach, expect, test } from "vitest";
import { createTranscriber } from "../../../adapters/openai/transcriber.ts";
import { OpenAIServer } from "../../wire/openai-server.ts";

let server: OpenAIServer;

beforeEach(async () => {
  server = await new OpenAIServer().listen();
});
afterEach(() => server.close());

const recording = {
  name: "voice.ogg",
  mimeType: "audio/ogg; codecs=opus",
  data: new TextEncoder().encode("sound"),
};

const transcribe = (change: Partial<typeof recording> = {}) => {
  const transcriber = createTranscriber({
    apiKey: "test-key",
    baseUrl: server.url,
    model: "whisper-1",
  });
  return transcriber.transcribe({ ...recording, ...change }, AbortSignal.timeout(10_000));
};

test("a recording goes to the server with its name, kind and model, and its words come back", async () => {
  server.spoken = " Please water the plants. ";
  expect(await transcribe()).toBe("Please water the plants.");
  const body = server.requests.at(-1)?.raw.toString("latin1") ?? "";
  expect(body).toContain('filename="voice.ogg"');
  expect(body).toContain("Content-Type: audio/ogg\r\n");
  expect(body).toContain("whisper-1");
});

test("a server that transcribes nothing is named as the reason", async () => {
  server.spoken = undefined;
  await expect(transcribe()).rejects.toMatchObject({
    code: "file-unsupported",
    detail: "The model's service could not transcribe voice.ogg.",
  });
});

test("a recording that is too large is not sent", async () => {
  const data = new Uint8Array(26 * 1024 * 1024);
  await expect(transcribe({ data })).rejects.toMatchObject({ code: "file-too-large" });
  expect(server.requests).toEqual([]);
});

test("a server that cannot be reached is said", async () => {
  const nowhere = createTranscriber({
    apiKey: "test-key",
    baseUrl: "http://127.0.0.1:9/v1",
    model: "whisper-1",
  });
  await expect(nowhere.transcribe(recording, AbortSignal.timeout(10_000))).rejects.toMatchObject({
    detail: expect.stringContaining("does not answer just now"),
  });
});
