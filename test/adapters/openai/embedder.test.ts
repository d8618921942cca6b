import { afterEach, beforeEach, expect, test } from "vitest";
import { createEmbedder } from "../../../adapters/openai/embedder.ts";
import { OpenAIServer } from "../../wire/openai-server.ts";

let server: OpenAIServer;
beforeEach(async () => {
  server = await new OpenAIServer().listen();
});
afterEach(() => server.close());

const embed = (texts: readonly string[], baseUrl = server.url) =>
  createEmbedder({ apiKey: "test-key", baseUrl, model: "small" }).embed(
    texts,
    AbortSignal.timeout(10_000),
  );

test("texts go to the server together, and each gets its own vector whatever the order", async () => {
  server.vectorOf = (text) => [text.length, 1];
  const { vectors, tokens } = await embed(["a", "bcd"]);
  expect(vectors.map((vector) => [...vector])).toEqual([
    [1, 1],
    [3, 1],
  ]);
  expect(tokens).toBe(2);
  expect(server.requests.at(-1)?.body).toEqual({
    model: "small",
    input: ["a", "bcd"],
    encoding_format: "float",
  });
});

test("a server without such a model is said", async () => {
  await expect(embed(["a"])).rejects.toMatchObject({ code: "model-not-found" });
});

test("a server that cannot be reached is said", async () => {
  await expect(embed(["a"], "http://127.0.0.1:9/v1")).rejects.toMatchObject({
    code: "model-unreachable",
  });
});

test.each([
  ["of different lengths", (text: string) => (text === "a" ? [1] : [1, 2])],
  ["without numbers", () => []],
])("vectors %s are refused", async (_what, vectorOf) => {
  server.vectorOf = vectorOf;
  await expect(embed(["a", "b"])).rejects.toMatchObject({
    code: "model-failed",
    detail: "The server did not answer with one vector for each text.",
  });
});
