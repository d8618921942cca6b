import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { IncomingMessage } from "#domain/message";
import type { Decision } from "#ports/bot";
import { defineTool } from "../../src/tools/define-tool.ts";
import { ScriptedBackend, type ScriptStep } from "../fakes/scripted-backend.ts";
import { ada, grace, placeOf, TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
beforeEach(() => {
  world = new TestWorld();
});
afterEach(() => world.end());

/** Answers by what the last message says. */
function answering(script: (said: string) => readonly ScriptStep[], capabilities = {}) {
  return new ScriptedBackend((turn) => {
    const last = turn.transcript.findLast(({ type }) => type === "user");
    return script(last?.type === "user" ? last.text : "");
  }, capabilities);
}

const seen = (expected: readonly unknown[], thread = "talk") =>
  vi.waitFor(() => expect(world.texts(thread)).toEqual(expected));

const ended = (count = 1) => vi.waitFor(() => expect(world.metrics.runs).toHaveLength(count));

/** Ada deletes what she said. */
const remove = ({ eventId }: IncomingMessage) =>
  world.bot.amend({ eventId, changeId: "d1", by: ada, change: { type: "deleted" } });

/** Somebody presses a button of the last reply. */
const press = (type: "continue" | "retry" | "answer-new-version", by = ada) => {
  const { runId } = world.lastView();
  return world.bot.press({ eventId: "p1", runId, by, role: "person", press: { type } });
};

/** Somebody answers what the bot asked. */
const decide = (requestId: string, decision: Decision["decision"], by = ada) =>
  world.bot.decide({ requestId, by, role: "person", decision });

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const lookUp = defineTool({
  name: "look_up",
  title: "Looking it up",
  description: "Looks something up",
  schema: z.object({ word: z.string() }),
  idempotent: true,
  run: async ({ word }) => ({ type: "output", output: `${word} means something` }),
});

describe("a message", () => {
  test("is answered in its conversation", async () => {
    await world.start({
      backend: answering((said) => [{ type: "say", text: `You said: ${said}` }]),
    });
    const answer = await world.say("hello");
    expect(answer).toMatchObject({ status: "accepted", position: 0 });
    await seen(["You said: hello"]);
    await ended();
    expect(world.lastView().status).toBe("completed");
    expect(world.lastView().actions).toEqual(["feedback"]);
  });

  test("delivered twice is answered once", async () => {
    await world.start({ backend: answering(() => [{ type: "say", text: "Once." }]) });
    const message = world.message("hello");
    await world.bot.message(message);
    expect(await world.bot.message(message)).toEqual({ status: "repeat" });
    await ended();
    await world.say("another");
    await seen(["Once.", "Once."]);
  });

  test("waits for the one before it, and is answered after it", async () => {
    const hold = gate();
    await world.start({
      backend: answering((said) => [
        ...(said.includes("first") ? [{ type: "wait", for: hold.opened } as const] : []),
        { type: "say", text: said },
      ]),
    });
    await world.say("first");
    expect(await world.say("second")).toMatchObject({ status: "accepted", position: 1 });
    expect(await world.say("third")).toMatchObject({ status: "accepted", position: 2 });
    hold.open();
    await seen(["first", "second", "third"]);
  });

  test("in another conversation is answered meanwhile", async () => {
    const hold = gate();
    await world.start({
      backend: answering((said) => [
        ...(said.includes("slow") ? [{ type: "wait", for: hold.opened } as const] : []),
        { type: "say", text: said },
      ]),
    });
    await world.say("slow");
    await world.say("quick", { place: placeOf("elsewhere") });
    await seen(["quick"], "elsewhere");
    expect(world.texts()).toEqual([]);
    hold.open();
    await seen(["slow"]);
  });

  test("is answered with what was said before it", async () => {
    const backend = answering((said) => [{ type: "say", text: `Noted: ${said}` }]);
    await world.start({ backend });
    await world.say("my name is Ada");
    await ended();
    await world.say("what is my name?");
    await ended(2);
    const told = backend.turns[1]?.transcript.map((entry) => ("text" in entry ? entry.text : ""));
    expect(told).toEqual(["my name is Ada", "Noted: my name is Ada", "what is my name?"]);
    expect(backend.turns[1]?.state?.data).toEqual({ run: backend.turns[0]?.runId, turn: 1 });
  });

  test("beyond what may wait is refused in words and not stored", async () => {
    const hold = gate();
    await world.start({
      backend: answering((said) => [
        { type: "wait", for: hold.opened },
        { type: "say", text: said },
      ]),
      inbox: { waitingPerConversation: 1 },
    });
    await world.say("first");
    await world.say("second");
    const refused = await world.say("third");
    expect(refused).toMatchObject({ status: "refused" });
    expect(refused).toHaveProperty("words", expect.stringContaining("1 may wait"));
    hold.open();
    await seen(["first", "second"]);
  });
});

describe("messages that wait together", () => {
  const waitingFor = (hold: Promise<void>) =>
    new ScriptedBackend((turn) => {
      const said = turn.transcript.flatMap((entry) => (entry.type === "user" ? [entry.text] : []));
      const isFirst = said.at(-1) === "first";
      return [
        ...(isFirst ? [{ type: "wait", for: hold } as const] : []),
        { type: "say", text: said.slice(isFirst ? 0 : 1).join(" and ") },
      ];
    });
  const choose = (policy: "merge" | "latest") =>
    world.bobbin.catalogue.changeChannel("fake:general", () => ({ policy }), ada);

  test("are answered together, in order and addressed to their authors, where merging is chosen", async () => {
    const hold = gate();
    const backend = waitingFor(hold.opened);
    await world.start({ backend });
    await choose("merge");
    await world.say("first");
    await world.say("second");
    await world.say("third", { author: grace });
    hold.open();
    await seen(["first", "second and third"]);
    expect(backend.turns[1]?.instructions).toContain("The last 2 messages wait for one answer");
    expect(backend.turns[1]?.transcript.slice(-2)).toMatchObject([
      { author: "Ada" },
      { author: "Grace" },
    ]);
  });

  test("give way to the newest, and the reply says so, where that is chosen", async () => {
    const hold = gate();
    await world.start({ backend: waitingFor(hold.opened) });
    await choose("latest");
    await world.say("first");
    await world.say("second");
    hold.open();
    await vi.waitFor(() => expect(world.texts().at(-1)).toBe("second"));
    expect(world.metrics.runs[0]).toBe("cancelled");
  });
});

describe("a run", () => {
  test("calls the functions a model asks for and answers with what they returned", async () => {
    const backend = new ScriptedBackend((turn) =>
      turn.turn === 1
        ? [
            { type: "say", text: "Let me look." },
            { type: "call", name: "look_up", arguments: { word: "warp" }, callId: "c1" },
            { type: "call", name: "look_up", arguments: { word: "weft" }, callId: "c2" },
          ]
        : [{ type: "say", text: "Both mean something." }],
    );
    await world.start({ backend, tools: [lookUp] });
    await world.say("what are warp and weft?");
    await seen(["Let me look.\n\nBoth mean something."]);
    await ended();
    const outputs = backend.turns[1]?.transcript.filter(({ type }) => type === "tool-output");
    expect(outputs).toMatchObject([
      { callId: "c1", output: "warp means something" },
      { callId: "c2", output: "weft means something" },
    ]);
    expect(world.lastView().steps).toMatchObject([
      { title: "Looking it up", status: "completed", output: "warp means something" },
      { title: "Looking it up", status: "completed", output: "weft means something" },
    ]);
  });

  test.each([
    ["an unknown name", "nonsense", {}, /There is no function "nonsense"/],
    ["arguments that do not fit", "look_up", { word: 7 }, /arguments do not fit/],
    ["an error", "breaks", {}, /"breaks" failed: the cupboard is bare/],
    ["a time-out", "hangs", {}, /took longer than 0.02 seconds/],
  ])("tells the model of %s, and goes on", async (_case, name, args, output) => {
    const backend = new ScriptedBackend((turn) =>
      turn.turn === 1
        ? [{ type: "call", name, arguments: args }]
        : [{ type: "say", text: "I see." }],
    );
    const breaks = defineTool({
      name: "breaks",
      title: "Breaking",
      description: "Breaks",
      schema: z.object({}),
      idempotent: true,
      run: async () => {
        throw new Error("the cupboard is bare");
      },
    });
    const hangs = defineTool({
      name: "hangs",
      title: "Hanging",
      description: "Hangs",
      schema: z.object({}),
      idempotent: true,
      timeoutMs: 20,
      run: () => new Promise(() => {}),
    });
    await world.start({ backend, tools: [lookUp, breaks, hangs] });
    await world.say("try");
    await seen(["I see."]);
    const outputs = backend.turns[1]?.transcript.filter((entry) => entry.type === "tool-output");
    expect(outputs).toHaveLength(1);
    expect(outputs?.[0]?.output).toMatch(output);
  });

  test("asks again when the model fails in a way that may pass, in the same message", async () => {
    let attempts = 0;
    const backend = new ScriptedBackend(() => {
      attempts += 1;
      return attempts < 3
        ? [
            { type: "say", text: "Half an ans" },
            attempts === 1 ? { type: "cut" } : { type: "fail", code: "model-busy" },
          ]
        : [{ type: "say", text: "The whole answer." }];
    });
    await world.start({ backend });
    await world.say("go");
    await seen(["The whole answer."]);
    await ended();
    expect(world.screen.messages()).toHaveLength(1);
    expect(attempts).toBe(3);
  });

  test("does not ask again when that cannot help, and says why with Retry", async () => {
    const backend = new ScriptedBackend(() => [{ type: "fail", code: "model-quota" }]);
    await world.start({ backend });
    await world.say("go");
    await ended();
    expect(backend.turns).toHaveLength(1);
    const view = world.lastView();
    expect(view.status).toBe("failed");
    expect(view.notices.at(-1)?.text).toContain("run out of credit");
    expect(view.actions).toContain("retry");
  });

  test("that was cut short says so and can be continued", async () => {
    const backend = new ScriptedBackend((turn) =>
      turn.transcript.length === 1
        ? [
            { type: "say", text: "Chapter one." },
            { type: "incomplete", reason: "max_completion_tokens" },
          ]
        : [{ type: "say", text: "Chapter two." }],
    );
    await world.start({ backend });
    await world.say("tell a story");
    await ended();
    expect(world.lastView().status).toBe("incomplete");
    await press("continue");
    await seen(["Chapter one.", "Chapter two."]);
  });

  test("shortens a conversation the model finds too long, once, and answers", async () => {
    const backend = new ScriptedBackend((turn) => {
      if (turn.turn === 0) return [{ type: "say", text: "They talked about looms." }];
      const size = turn.transcript.length;
      return size > 4
        ? [{ type: "fail", code: "context-too-long" }]
        : [{ type: "say", text: `Seen ${size}.` }];
    });
    await world.start({ backend, limits: { contextTokens: 40 } });
    for (const text of ["a".repeat(30), "b".repeat(30), "c".repeat(30)]) {
      await world.say(text);
      await ended(world.metrics.runs.length + 1);
    }
    await vi.waitFor(() => expect(world.metrics.runs).toHaveLength(3));
    expect(world.metrics.runs).toEqual(["completed", "completed", "completed"]);
  });

  test("replaces the oldest turns of a long conversation by a summary, asked for once", async () => {
    const backend = new ScriptedBackend((turn) =>
      turn.turn === 0
        ? [{ type: "say", text: "They talked about looms." }]
        : [{ type: "say", text: "I see." }],
    );
    await world.start({ backend, limits: { contextTokens: 30 } });
    for (const [index, letter] of ["a", "b", "c", "d"].entries()) {
      await world.say(letter.repeat(60));
      await ended(index + 1);
    }
    const summaries = backend.turns.filter(({ turn }) => turn === 0);
    const [oldest] = backend.turns.at(-1)?.transcript ?? [];
    expect(oldest).toMatchObject({ type: "summary", text: "They talked about looms." });
    expect(JSON.stringify(backend.turns.at(-1)?.transcript)).not.toContain("aaaa");
    // Each page is summarised once: the first run to outgrow the bound, then one page a run.
    expect(summaries.length).toBeLessThanOrEqual(3);
    expect(summaries.at(-1)?.transcript[0]).toMatchObject({
      text: expect.stringContaining("They talked about looms."),
    });
  });

  test("keeps to the last messages where the assistant says so, tool calls with their outputs", async () => {
    const backend = new ScriptedBackend((turn) =>
      turn.transcript.at(-1)?.type === "user"
        ? [{ type: "call", name: "look_up", arguments: { word: "warp" } }]
        : [{ type: "say", text: "Done." }],
    );
    await world.start({ backend, tools: [lookUp], admins: [ada.key] });
    await world.bobbin.catalogue.edit(
      "asst_default",
      () => ({ truncation_strategy: { type: "last_messages", last_messages: 2 } }),
      ada,
    );
    for (const [index, text] of ["one", "two", "three"].entries()) {
      await world.say(text);
      await ended(index + 1);
    }
    const last = backend.turns.at(-1)?.transcript.map(({ type }) => type);
    expect(last).toEqual([
      "user",
      "tool-call",
      "tool-output",
      "assistant",
      "user",
      "tool-call",
      "tool-output",
    ]);
  });

  test("ends in words when it has written as much as one run may", async () => {
    const backend = new ScriptedBackend((turn) =>
      turn.turn < 3
        ? [
            { type: "say", text: "More. " },
            { type: "call", name: "look_up", arguments: { word: "warp" } },
          ]
        : [{ type: "say", text: "Never said." }],
    );
    await world.start({ backend, tools: [lookUp] });
    await world.bobbin.catalogue.edit("asst_default", () => ({ max_completion_tokens: 10 }), ada);
    await world.say("go on");
    await ended();
    expect(world.lastView()).toMatchObject({
      status: "incomplete",
      actions: ["continue", "feedback"],
    });
    expect(world.lastView().notices[0]?.text).toContain("This run wrote 10 tokens; 10 are allowed");
    expect(backend.turns[1]?.maxCompletionTokens).toBe(5);
  });

  test("ends when its time is up, and keeps what was said", async () => {
    const backend = new ScriptedBackend(() => [
      { type: "say", text: "Working on it" },
      { type: "wait", for: new Promise(() => {}) },
    ]);
    await world.start({ backend, limits: { deadlineMs: 30 } });
    await world.say("take your time");
    await ended();
    expect(world.lastView()).toMatchObject({ status: "expired", text: "Working on it" });
  });
});

describe("a person", () => {
  test("stops a reply; what was said stays, and the next message is answered", async () => {
    const backend = answering((said) =>
      said.includes("long")
        ? [
            { type: "say", text: "Once upon" },
            { type: "wait", for: new Promise(() => {}) },
          ]
        : [{ type: "say", text: "Short." }],
    );
    await world.start({ backend });
    await world.say("long story");
    await seen(["Once upon"]);
    expect(await world.say("Stop!")).toMatchObject({ status: "command", answer: { ok: true } });
    await ended();
    expect(world.lastView()).toMatchObject({ status: "cancelled", text: "Once upon" });
    await world.say("short");
    await seen(["Once upon", "Short."]);
    const told = backend.turns[1]?.transcript;
    expect(told?.[1]).toMatchObject({ type: "assistant", text: "Once upon", partial: true });
  });

  test("edits a waiting message: the new words are answered", async () => {
    const hold = gate();
    await world.start({
      backend: answering((said) => [
        { type: "wait", for: hold.opened },
        { type: "say", text: said },
      ]),
    });
    await world.say("first");
    const message = world.message("secnd");
    await world.bot.message(message);
    const edited = { ...message, text: "second" };
    const answer = await world.bot.amend({
      eventId: message.eventId,
      changeId: "e1",
      by: ada,
      change: { type: "edited", message: edited },
    });
    expect(answer).toEqual({ state: "waiting" });
    hold.open();
    await seen(["first", "second"]);
  });

  test("deletes a waiting message: it is not answered", async () => {
    const hold = gate();
    await world.start({
      backend: answering((said) => [
        { type: "wait", for: hold.opened },
        { type: "say", text: said },
      ]),
    });
    await world.say("first");
    const message = world.message("second");
    await world.bot.message(message);
    await remove(message);
    await world.say("third");
    hold.open();
    await seen(["first", "third"]);
  });

  test("deletes the message being answered: the reply goes with it", async () => {
    await world.start({
      backend: answering(() => [
        { type: "say", text: "Hm" },
        { type: "wait", for: new Promise(() => {}) },
      ]),
    });
    const message = world.message("first");
    await world.bot.message(message);
    await seen(["Hm"]);
    await remove(message);
    await ended();
    await seen([]);
  });

  test("edits the message being answered: the reply offers to answer the new version", async () => {
    const hold = gate();
    await world.start({
      backend: answering((said) => [
        { type: "say", text: said },
        ...(said.includes("wrong") ? [{ type: "wait", for: hold.opened } as const] : []),
      ]),
    });
    const message = world.message("wrong");
    await world.bot.message(message);
    await seen(["wrong"]);
    const change = { type: "edited", message: { ...message, text: "right" } } as const;
    await world.bot.amend({ eventId: message.eventId, changeId: "e1", by: ada, change });
    await vi.waitFor(() => expect(world.lastView().actions).toContain("answer-new-version"));
    await press("answer-new-version");
    await seen(["wrong", "right"]);
  });

  test("deletes an answered message: its words leave the transcript and the answer stays", async () => {
    const backend = answering((said) => [{ type: "say", text: `I heard ${said.length} letters.` }]);
    await world.start({ backend });
    const message = world.message("a secret");
    await world.bot.message(message);
    await ended();
    const answer = await remove(message);
    expect(answer.state).toBe("answered");
    await world.say("what did I say?");
    await ended(2);
    const last = backend.turns.at(-1);
    expect(JSON.stringify(last?.transcript)).not.toContain("a secret");
    expect(last?.state).toBeUndefined();
    expect(world.texts()[0]).toBe("I heard 8 letters.");
  });

  test("asks for the answer again: it takes the old one's place in the transcript", async () => {
    let count = 0;
    const backend = new ScriptedBackend(() => {
      count += 1;
      return [{ type: "say", text: `Answer ${count}.` }];
    });
    await world.start({ backend });
    await world.say("question");
    await ended();
    const { runId } = world.lastView();
    const press = {
      eventId: "p1",
      runId,
      by: ada,
      role: "person",
      press: { type: "retry" },
    } as const;
    expect(await world.bot.press(press)).toMatchObject({ ok: true });
    expect(await world.bot.press(press)).toMatchObject({ ok: false });
    await seen(["Answer 1.", "Answer 2."]);
    await ended(2);
    await world.say("more");
    await ended(3);
    const texts = backend.turns
      .at(-1)
      ?.transcript.map((entry) => ("text" in entry ? entry.text : ""));
    expect(texts).toEqual(["question", "Answer 2.", "more"]);
  });

  test("presses somebody else's button and is refused in words", async () => {
    await world.start({ backend: answering(() => [{ type: "say", text: "Hm" }]) });
    await world.say("question");
    await ended();
    const answer = await press("retry", grace);
    expect(answer).toMatchObject({
      ok: false,
      words: expect.stringContaining("Only the person who asked"),
    });
  });
});

describe("a tool that needs a person", () => {
  const sent: string[] = [];
  const send = defineTool({
    name: "send",
    title: "Sending the letter",
    description: "Sends a letter",
    schema: z.object({ to: z.string() }),
    needsApproval: true,
    run: async ({ to }) => {
      sent.push(to);
      return { type: "output", output: `sent to ${to}` };
    },
  });
  const backend = () =>
    new ScriptedBackend((turn) => {
      const output = turn.transcript.findLast((entry) => entry.type === "tool-output");
      return output
        ? [{ type: "say", text: `Result: ${output.output}` }]
        : [{ type: "call", name: "send", arguments: { to: "Bob" } }];
    });
  beforeEach(() => {
    sent.length = 0;
  });
  const asked = () =>
    vi.waitFor(() => {
      const [request] = world.lastView().requests;
      expect(request).toBeDefined();
      return request?.id ?? "";
    });

  test("runs once it is approved, however often that is pressed", async () => {
    await world.start({ backend: backend(), tools: [send] });
    await world.say("send it");
    const requestId = await asked();
    expect(sent).toEqual([]);
    const approve = () => decide(requestId, { type: "approve" });
    const answers = await Promise.all([approve(), approve()]);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    await seen(["Result: sent to Bob"]);
    expect(sent).toEqual(["Bob"]);
    expect(world.lastView().settlements).toMatchObject([{ outcome: "approved", byName: "Ada" }]);
  });

  test("is told to the model as declined when the person declines", async () => {
    await world.start({ backend: backend(), tools: [send] });
    await world.say("send it");
    const requestId = await asked();
    await decide(requestId, { type: "decline", reason: "too late" });
    await seen(["Result: Ada declined this. Their reason: too late"]);
    expect(sent).toEqual([]);
  });

  test("cannot be approved by somebody else", async () => {
    await world.start({ backend: backend(), tools: [send] });
    await world.say("send it");
    const requestId = await asked();
    const answer = await decide(requestId, { type: "approve" }, grace);
    expect(answer).toMatchObject({ ok: false });
    expect(sent).toEqual([]);
  });

  test("holds its conversation: who writes meanwhile is told who is being waited for", async () => {
    await world.start({ backend: backend(), tools: [send] });
    await world.say("send it");
    const requestId = await asked();
    await vi.waitFor(async () =>
      expect(await world.say("hello?", { author: grace })).toMatchObject({
        status: "accepted",
        waitingFor: { personName: "Ada", requestId },
      }),
    );
    await decide(requestId, { type: "decline" }, grace);
    await vi.waitFor(() => expect(world.texts()[0]).toBe("Result: Grace declined this."));
  });

  test("can be approved after a restart", async () => {
    await world.start({ backend: backend(), tools: [send] });
    await world.say("send it");
    const requestId = await asked();
    world.kill();
    await world.start({ backend: backend(), tools: [send] });
    await decide(requestId, { type: "approve" });
    await seen(["Result: sent to Bob"]);
    expect(sent).toEqual(["Bob"]);
    expect(world.screen.messages()).toHaveLength(1);
  });

  test("is told to the model as unanswered when its time is up, also while the bot was down", async () => {
    await world.start({ backend: backend(), tools: [send] });
    await world.say("send it");
    const requestId = await asked();
    world.kill();
    world.pass(31 * 60_000);
    await world.start({ backend: backend(), tools: [send] });
    await seen(["Result: Nobody answered in time, so this was not done."]);
    expect(world.lastView().settlements).toMatchObject([{ outcome: "expired" }]);
    expect(sent).toEqual([]);
    expect(await decide(requestId, { type: "approve" })).toMatchObject({ ok: false });
  });

  test("is stopped with its run while it waits", async () => {
    await world.start({ backend: backend(), tools: [send] });
    await world.say("send it");
    const requestId = await asked();
    await vi.waitFor(async () =>
      expect(await world.say("stop")).toMatchObject({ answer: { ok: true } }),
    );
    await ended();
    await vi.waitFor(async () => {
      const status = await world.bobbin.threads.status(placeOf("talk").threadKey);
      expect(status.isRunning).toBe(false);
    });
    expect(world.lastView().status).toBe("cancelled");
    expect(await decide(requestId, { type: "approve" })).toMatchObject({ ok: false });
    expect(sent).toEqual([]);
  });

  test("may ask a form, and gets its answers", async () => {
    const quiz = defineTool({
      name: "quiz",
      title: "Asking you",
      description: "Asks",
      schema: z.object({}),
      idempotent: true,
      run: async (_args, context) =>
        context.answers
          ? { type: "output", output: `answered ${context.answers.colour}` }
          : {
              type: "ask",
              form: {
                title: "Colour?",
                fields: [
                  { id: "colour", label: "Which?", type: "choice", choices: ["red", "blue"] },
                ],
              },
            },
    });
    const backend = new ScriptedBackend((turn) => {
      const output = turn.transcript.findLast((entry) => entry.type === "tool-output");
      return output ? [{ type: "say", text: output.output }] : [{ type: "call", name: "quiz" }];
    });
    await world.start({ backend, tools: [quiz] });
    await world.say("ask me");
    const requestId = await asked();
    await decide(requestId, { type: "answer", answers: { colour: "blue" } });
    await seen(["answered blue"]);
  });
});

describe("a file", () => {
  test("that is attached is stored and given to the model", async () => {
    const backend = answering(() => [{ type: "say", text: "Read." }]);
    await world.start({ backend });
    await world.say("read this", { attachments: [world.attach("notes.txt", "warp and weft")] });
    await ended();
    const [turn] = backend.turns;
    const [file] = [...(turn?.files.values() ?? [])];
    expect(file).toMatchObject({
      filename: "notes.txt",
      bytes: 13,
      purpose: "user_upload",
      use: "look",
    });
    expect(await turn?.readText(file?.id ?? "")).toBe("warp and weft");
  });

  test.each([
    [
      "is too large",
      "big.txt",
      "x".repeat(1_000_001),
      /big\.txt is 1\.0 MB; this assistant reads files up to 1\.0 MB/,
    ],
    ["is of a kind that cannot be read", "run.exe", "MZ", /run\.exe is application\/x-msdownload/],
  ])(
    "that %s is refused in words, and the message is answered all the same",
    async (_case, name, text, words) => {
      await world.start({ backend: answering(() => [{ type: "say", text: "Anyway." }]) });
      await world.say("read this", { attachments: [world.attach(name, text)] });
      await seen(["Anyway."]);
      expect(world.lastView().notices[0]?.text).toMatch(words);
    },
  );

  test("that a tool makes is delivered with the reply", async () => {
    const draw = defineTool({
      name: "draw",
      title: "Drawing",
      description: "Draws",
      schema: z.object({}),
      idempotent: true,
      run: async () => ({
        type: "output",
        output: "drawn",
        files: [
          {
            name: "a.svg",
            mimeType: "image/svg+xml",
            data: new TextEncoder().encode("<svg/>"),
            altText: "A drawing",
          },
        ],
      }),
    });
    const backend = new ScriptedBackend((turn) =>
      turn.turn === 1 ? [{ type: "call", name: "draw" }] : [{ type: "say", text: "Here." }],
    );
    await world.start({ backend, tools: [draw] });
    await world.say("draw");
    await ended();
    const { runId, files } = world.lastView();
    expect(files).toMatchObject([{ name: "a.svg", altText: "A drawing" }]);
    expect(world.screen.reply(runId).files).toHaveLength(1);
  });
});

describe("spending", () => {
  test("is capped per person and day, in words, before the next turn is paid for", async () => {
    const backend = answering(() => [{ type: "say", text: "Costly." }]);
    await world.start({
      backend,
      limits: { personDailyCapUsd: 0.1 },
      prices: { costOf: () => 0.1 },
    });
    await world.say("one");
    await ended();
    await world.say("two");
    await ended(2);
    expect(backend.turns).toHaveLength(1);
    expect(world.lastView()).toMatchObject({ status: "incomplete" });
    expect(world.lastView().notices[0]?.text).toContain("$0.10 a day");
    world.pass(24 * 3600 * 1000);
    await world.say("three");
    await ended(3);
    expect(backend.turns).toHaveLength(2);
  });
});

test("a run that is told of only a part of what was said before says so", async () => {
  const model = answering(() => [{ type: "say", text: "Agreed." }]);
  await world.start({ backend: model });
  const quoted = [{ author: "Grace", text: "Tea at four?", sentAtMs: 1, fileNames: [] }];
  await world.say("so?", { quoted, quotedNote: "I could read back 15 messages." });
  await seen(["Agreed."]);
  await ended();
  const [entry] = model.turns[0]?.transcript ?? [];
  expect(entry).toMatchObject({ type: "user", quoted: expect.stringContaining("Tea at four?") });
  expect(world.lastView().notices).toMatchObject([
    { kind: "info", text: "I could read back 15 messages." },
  ]);
});

test("a person's overview names their newest conversations and who answers there", async () => {
  await world.start({
    backend: answering(() => [{ type: "say", text: "Yes." }]),
  });
  await world.say("tea?", { place: placeOf("one") });
  await ended(1);
  world.pass(1_000);
  await world.say("coffee?", { place: placeOf("two") });
  await world.say("not mine", { place: placeOf("three"), author: grace });
  await ended(3);
  const asked = { ...placeOf("x"), channelKey: "fake:home", isDirect: true };
  const overview = await world.bot.overview({ place: asked, person: ada });
  expect(overview.conversations.map(({ title, isBusy }) => [title, isBusy])).toEqual([
    ["coffee?", false],
    ["tea?", false],
  ]);
  expect(overview.channels.map(({ place, model }) => [place.channelKey, model])).toEqual([
    ["fake:home", "scripted-model"],
    ["fake:general", "scripted-model"],
  ]);
  expect(overview.channels[0]?.suggestions[0]).toEqual({
    title: "What can you do?",
    message: "What can you help me with?",
  });
});

test("a reply of which nothing is seen yet can be stopped as one's own only by who asked", async () => {
  const backend = answering(() => [{ type: "wait", for: new Promise(() => {}) }]);
  await world.start({ backend });
  await world.say("think hard");
  await vi.waitFor(() => expect(backend.turns).toHaveLength(1));
  const stop = { place: placeOf("talk"), role: "person", what: "current", onlyOwn: true } as const;
  expect(await world.bot.stop({ ...stop, by: grace })).toMatchObject({ isRefused: true });
  expect(await world.bot.stop({ ...stop, by: ada })).toMatchObject({ stopped: true });
  await ended();
  expect(world.lastView().status).toBe("cancelled");
});

test("a reply can be stopped as one's own only by who asked for it", async () => {
  const { opened, open } = gate();
  await world.start({
    backend: answering(() => [
      { type: "say", text: "So " },
      { type: "wait", for: opened },
    ]),
  });
  await world.say("tell me");
  await seen(["So "]);
  const stop = { place: placeOf("talk"), role: "person", what: "current", onlyOwn: true } as const;
  expect(await world.bot.stop({ ...stop, by: grace })).toMatchObject({
    stopped: false,
    isRefused: true,
    words: expect.stringContaining("Only the person who asked"),
  });
  expect(await world.bot.stop({ ...stop, by: ada })).toMatchObject({ stopped: true });
  open();
  await ended();
});

test("where the thread is not known, stop finds a conversation before its first answer", async () => {
  const { opened, open } = gate();
  await world.start({ backend: answering(() => [{ type: "wait", for: opened }]) });
  await world.say("tell me", { place: placeOf("first") });
  await vi.waitFor(async () => {
    const [found] = await world.bobbin.threads.openConversations("fake:general", ada);
    expect(found).toMatchObject({ title: "tell me", isBusy: true });
  });
  expect(await world.bobbin.threads.openConversations("fake:general", grace)).toEqual([]);
  const answer = await world.bot.command({
    eventId: "c1",
    place: placeOf("elsewhere"),
    person: ada,
    role: "person",
    text: "stop",
    knowsThread: false,
  });
  expect(answer).toMatchObject({ ok: true, text: expect.stringContaining("Stopped the reply") });
  open();
  await ended();
  expect(world.lastView("first").status).toBe("cancelled");
});
