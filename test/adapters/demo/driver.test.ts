import { describe, expect, test } from "vitest";
import type { TranscriptEntry } from "#domain/thread";
import type { ModelBackend, ModelEvent, ModelTurn } from "#ports/model-backend";
import {
  createDemoFetch,
  type DemoOptions,
  demoBaseUrl,
} from "../../../adapters/demo/demo-fetch.ts";
import { createResponsesBackend } from "../../../adapters/openai/responses.ts";
import { builtInTools } from "../../../src/tools/built-in.ts";
import {
  ask,
  assistantEntry,
  callEntry,
  endOf,
  failureOf,
  modelTurn,
  outputEntry,
  plainAssistant,
  textOf,
  turnFiles,
  userEntry,
} from "../../fakes/model-turn.ts";

const label = "**Demo brain: no model is configured.**";
const functions = builtInTools.map((tool) => tool.spec);

/** A brain that can be restarted under the driver, which keeps no connection to it. */
function demoBackend({
  background = "auto",
  ...options
}: DemoOptions & { background?: "auto" | "on" | "off" } = {}) {
  const fresh = () => createDemoFetch({ tokensPerSecond: Number.POSITIVE_INFINITY, ...options });
  let fetch = fresh();
  const sent: { readonly method: string; readonly url: string; readonly body: unknown }[] = [];
  const backend = createResponsesBackend({
    apiKey: "demo",
    baseUrl: demoBaseUrl,
    background,
    idleTimeoutMs: 500,
    fetch: (input, init) => {
      sent.push({ method: init?.method ?? "GET", url: String(input), body: init?.body });
      return fetch(input, init);
    },
  });
  return {
    backend,
    sent,
    restart: () => {
      fetch = fresh();
    },
  };
}

/** Says things one after the other, as the run engine does: with the state of the turn before. */
function conversation(backend: ModelBackend, more: Partial<ModelTurn> = {}) {
  const transcript: TranscriptEntry[] = [];
  let state: ModelTurn["state"];
  let turn = 0;
  return async (...entries: readonly TranscriptEntry[]): Promise<readonly ModelEvent[]> => {
    transcript.push(...entries);
    turn += 1;
    const base = modelTurn({ functions, ...more });
    const events = await ask(backend, {
      ...base,
      turn,
      transcript: [...transcript],
      ...(state ? { state } : {}),
    });
    const { result } = endOf(events);
    if (result.status !== "completed") return events;
    const said = events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
    if (said) transcript.push(assistantEntry(`a${turn}`, said));
    for (const event of events) {
      if (event.type === "tool-call")
        transcript.push(callEntry(event.callId, event.name, event.arguments));
    }
    const covers = transcript.at(-1)?.id ?? "";
    state = result.state && { ...result.state, covers };
    return events;
  };
}

describe("the responses driver on the demo brain", () => {
  test("an answer is streamed, labelled, counted and without a price", async () => {
    const { backend } = demoBackend();
    const events = await conversation(backend)(userEntry("u1", "Ada: what is 15% of 80?"));
    expect(textOf(events)).toBe(`${label}\n\n\`15% of 80\` = **12**`);
    expect(endOf(events)).toMatchObject({ model: "demo", result: { status: "completed" } });
    expect(endOf(events).usage.completion_tokens).toBeGreaterThan(0);
    expect(await backend.models()).toEqual(["demo"]);
  });

  test("functions are called in parallel, and the answer tells what they returned", async () => {
    const say = conversation(demoBackend().backend);
    const two = 'call calculate {"expression":"2+2"}\ncall current_time {}';
    const first = await say(userEntry("u1", two));
    const calls = first.flatMap((event) => (event.type === "tool-call" ? [event] : []));
    expect(calls.map(({ name, arguments: args }) => [name, args])).toEqual([
      ["calculate", '{"expression":"2+2"}'],
      ["current_time", "{}"],
    ]);
    const second = await say(...calls.map(({ callId }, i) => outputEntry(callId, `result ${i}`)));
    expect(textOf(second)).toContain("`calculate` returned:\n\n```text\nresult 0\n```");
    expect(textOf(second)).toContain("`current_time` returned:\n\n```text\nresult 1\n```");
  });

  test("after a restart the driver tells the whole conversation again, and nothing is forgotten", async () => {
    const { backend, restart, sent } = demoBackend();
    const say = conversation(backend);
    await say(userEntry("u1", "2+2"));
    await say(userEntry("u2", "3*3"));
    const kept = sent.length;
    restart();
    const events = await say(userEntry("u3", "what did I say?"));
    expect(textOf(events)).toContain(
      "I was given 2 earlier messages:\n\n1. Ada: 2+2\n1. Ada: 3\\*3",
    );
    expect(sent.length - kept).toBe(2);
  });

  test.each(["look", "compute"] as const)(
    "a CSV given to %s is summed, also after a restart",
    async (use) => {
      const { backend, restart } = demoBackend();
      const files = turnFiles({
        id: "f1",
        filename: "shop.csv",
        mime_type: "text/csv",
        use,
        text: "month,amount\nJan,0.10\nFeb,0.20\n",
      });
      const say = conversation(backend, {
        ...files,
        hostedTools: ["code_interpreter", "file_search"],
      });
      const first = await say(userEntry("u1", "facts", { fileIds: ["f1"] }));
      expect(textOf(first)).toContain("| amount | number | 2 | 2 | 0.3 |");
      restart();
      const second = await say(userEntry("u2", "sum of amount"));
      expect(textOf(second)).toContain("The sum of amount in shop.csv is **0.3**");
    },
  );

  test("a text is indexed, searched and cited", async () => {
    const { backend } = demoBackend();
    const files = turnFiles({
      id: "f1",
      filename: "handbook.md",
      use: "search",
      text: "Parking is free.\n\nRefunds are paid within 14 days.\n",
    });
    const say = conversation(backend, { ...files, hostedTools: ["file_search"] });
    const events = await say(userEntry("u1", "search refunds", { fileIds: ["f1"] }));
    expect(textOf(events)).toContain("- “Refunds are paid within 14 days.”[handbook.md]");
    expect(events.find((event) => event.type === "citation")).toMatchObject({
      source: { title: "handbook.md", fileId: "f1" },
    });
    const steps = events.flatMap((event) => (event.type === "step-start" ? [event.step.type] : []));
    expect(steps).toContain("file_search");
    expect(endOf(events).usage.file_searches).toBe(1);
  });

  test("after a restart a text is indexed again, and the person is told", async () => {
    const { backend, restart } = demoBackend();
    const files = turnFiles({
      id: "f1",
      filename: "a.md",
      use: "search",
      text: "Parking is free.\n",
    });
    const say = conversation(backend, { ...files, hostedTools: ["file_search"] });
    await say(userEntry("u1", "search parking", { fileIds: ["f1"] }));
    restart();
    const events = await say(userEntry("u2", "search parking"));
    expect(textOf(events)).toContain("“Parking is free.”[a.md]");
    expect(events.filter((event) => event.type === "notice")).toHaveLength(1);
  });

  test("files made are delivered, cited or not, and only once", async () => {
    const { backend } = demoBackend();
    const csv = {
      id: "f1",
      filename: "shop.csv",
      mime_type: "text/csv",
      use: "compute" as const,
      text: "month,amount\nJan,10\nFeb,20\n",
    };
    const say = conversation(backend, { ...turnFiles(csv), hostedTools: ["code_interpreter"] });
    const events = await say(userEntry("u1", "make files", { fileIds: ["f1"] }));
    const made = events.flatMap((event) => (event.type === "file" ? [event.file] : []));
    expect(made.map(({ name, mimeType }) => [name, mimeType])).toEqual([
      ["summary.csv", "text/csv"],
      ["chart.svg", "image/svg+xml"],
    ]);
    expect(textOf(events)).not.toContain("sandbox:");
    expect(textOf(events)).toContain("summary.csv");
    const code = events
      .flatMap((event) => (event.type === "step-delta" ? [event.input ?? ""] : []))
      .join("");
    expect(code).toContain("The demo brain runs no Python");
    const next = await say(userEntry("u2", "chart a=1, b=2"));
    expect(next.flatMap((event) => (event.type === "file" ? [event.file.name] : []))).toEqual([
      "chart.svg",
    ]);
  });

  test("a picture is delivered", async () => {
    const say = conversation(demoBackend().backend, { hostedTools: ["image_generation"] });
    const events = await say(userEntry("u1", "image of waves"));
    const [file] = events.flatMap((event) => (event.type === "file" ? [event.file] : []));
    expect(file).toMatchObject({
      mimeType: "image/png",
      altText: expect.stringContaining("waves"),
    });
  });

  test.each([
    ["429", "model-busy"],
    ["500", "model-failed"],
    ["503", "model-busy"],
    ["quota", "model-quota"],
    ["auth", "model-auth"],
    ["context_length", "context-too-long"],
    ["cut", "stream-cut"],
    ["reset", "stream-cut"],
    ["hang", "stream-cut"],
    ["error", "model-failed"],
    ["stream_quota", "model-quota"],
  ])("fail %s is told as %s", async (how, code) => {
    const say = conversation(demoBackend({ background: "off" }).backend);
    expect(failureOf(await say(userEntry("u1", `fail ${how}`)))).toBe(code);
  });

  test("fail content_filter ends incomplete", async () => {
    const say = conversation(demoBackend().backend);
    expect(endOf(await say(userEntry("u1", "fail content_filter"))).result).toEqual({
      status: "incomplete",
      reason: "content_filter",
    });
  });

  test.each(["cut", "reset", "hang"])(
    "in the background a lost connection (%s) loses nothing",
    async (how) => {
      const { backend, sent } = demoBackend({ background: "on" });
      const say = conversation(backend);
      const events = await say(userEntry("u1", `fail ${how}`));
      expect(endOf(events).result.status).toBe("completed");
      expect(textOf(events)).toMatch(
        /one, two, three, four, five, six, seven, eight, nine, ten\. This is the end of it\.$/,
      );
      expect(textOf(events).split("one, two")).toHaveLength(2);
      expect(sent.some(({ url }) => url.includes("starting_after="))).toBe(true);
    },
  );

  test("a turn is taken up in another process from its cursor", async () => {
    const { backend } = demoBackend({ background: "on", tokensPerSecond: 2_000 });
    const turn = modelTurn({ transcript: [userEntry("u1", "showcase")] });
    const before: ModelEvent[] = [];
    const stop = new AbortController();
    for await (const event of backend.stream(turn, stop.signal)) {
      before.push(event);
      const isUnderWay = textOf(before).length > 200 && event.type === "cursor";
      if (isUnderWay) break;
    }
    const cursors = before.flatMap((event) => (event.type === "cursor" ? [event.cursor] : []));
    const cursor = cursors.at(-1);
    if (!cursor || !backend.resume) throw new Error("the turn cannot be taken up");
    const rest: ModelEvent[] = [];
    for await (const event of backend.resume(turn, cursor, new AbortController().signal))
      rest.push(event);
    const shownAtCursor = before.slice(
      0,
      before.findLastIndex((event) => event.type === "cursor"),
    );
    const whole = textOf(await ask(demoBackend().backend, turn));
    expect(textOf(shownAtCursor) + textOf(rest)).toBe(whole);
    expect(endOf(rest).result.status).toBe("completed");
  });

  test("what is forgotten is gone at the brain, too", async () => {
    const { backend, sent } = demoBackend();
    const files = turnFiles({ id: "f1", filename: "a.md", use: "search", text: "Hello there.\n" });
    const events = await conversation(backend, { ...files, hostedTools: ["file_search"] })(
      userEntry("u1", "search hello", { fileIds: ["f1"] }),
    );
    const { result } = endOf(events);
    if (result.status !== "completed" || !result.state) throw new Error("no state");
    await backend.forget({ ...result.state, covers: "u1" });
    const deleted = sent
      .filter(({ method }) => method.toUpperCase() === "DELETE")
      .map(({ url }) => new URL(url).pathname.split("/")[2]);
    expect(deleted).toEqual(expect.arrayContaining(["files", "vector_stores", "responses"]));
  });

  test("an answer cut at its limit is incomplete, and is gone on with", async () => {
    const { backend } = demoBackend();
    const cut = await ask(
      backend,
      modelTurn({ transcript: [userEntry("u1", "long 3000")], maxCompletionTokens: 100 }),
    );
    expect(endOf(cut).result).toEqual({ status: "incomplete", reason: "max_completion_tokens" });
    const transcript = [
      userEntry("u1", "long 3000"),
      { ...assistantEntry("a1", textOf(cut)), partial: true },
      userEntry("u2", "Ada: Continue exactly where you stopped."),
    ] as const;
    const rest = textOf(await ask(backend, modelTurn({ transcript })));
    const whole = textOf(
      await ask(backend, modelTurn({ transcript: [userEntry("u1", "long 3000")] })),
    );
    expect(
      textOf(cut) + rest.slice(rest.indexOf(" characters)\n\n") + " characters)\n\n".length),
    ).toBe(whole);
  });

  test("the assistant's instructions arrive word for word", async () => {
    const say = conversation(demoBackend().backend, {
      assistant: { ...plainAssistant, model: "gpt-5.5" },
      instructions: "Be brief. Ada has a premium account.",
    });
    const text = textOf(await say(userEntry("u1", "about")));
    expect(text).toContain("Be brief. Ada has a premium account.");
    expect(text).toContain("Model asked for: `gpt-5.5`");
  });
});
