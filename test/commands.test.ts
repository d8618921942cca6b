import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  commandLimits,
  commandNames,
  commandSpecs,
  completeCommand,
  describeCommand,
  describeCommands,
  parseCommand,
  roleFor,
  toTextCommand,
} from "../src/commands.ts";

describe("a command is read", () => {
  test.each([
    ["", { type: "help", topic: null }],
    ["help", { type: "help", topic: null }],
    ["help context", { type: "help", topic: "context" }],
    ["help /model", { type: "help", topic: "model" }],
    ["/assistant status", { type: "status", conversation: null }],
    ["STATUS", { type: "status", conversation: null }],
    ["list", { type: "list", what: "assistants" }],
    ["list audit", { type: "list", what: "audit" }],
    ["show", { type: "show", assistant: null }],
    ["show Help desk", { type: "show", assistant: "Help desk" }],
    ["create Help desk", { type: "create", name: "Help desk", instructions: null }],
    [
      "create Help desk instructions You help.\n\nBe brief.",
      { type: "create", name: "Help desk", instructions: "You help.\n\nBe brief." },
    ],
    [
      'create "Model makers" instructions Hello',
      { type: "create", name: "Model makers", instructions: "Hello" },
    ],
    [
      "edit Help desk instructions Name the model you use.",
      {
        type: "edit",
        assistant: "Help desk",
        edit: { field: "instructions", value: "Name the model you use." },
      },
    ],
    [
      "edit “The model people” model gpt-5.5",
      {
        type: "edit",
        assistant: "The model people",
        edit: { field: "model", value: "gpt-5.5", force: false },
      },
    ],
    [
      "edit Ops tools calculator, web_search",
      {
        type: "edit",
        assistant: "Ops",
        edit: { field: "tools", value: ["calculator", "web_search"] },
      },
    ],
    [
      "edit Ops tools all",
      { type: "edit", assistant: "Ops", edit: { field: "tools", value: "all" } },
    ],
    [
      "edit Ops tools none",
      { type: "edit", assistant: "Ops", edit: { field: "tools", value: [] } },
    ],
    [
      "edit Ops temperature 0,2",
      { type: "edit", assistant: "Ops", edit: { field: "temperature", value: 0.2 } },
    ],
    [
      "edit Ops temperature default",
      { type: "edit", assistant: "Ops", edit: { field: "temperature", value: null } },
    ],
    [
      "edit Ops reasoning High",
      { type: "edit", assistant: "Ops", edit: { field: "reasoning", value: "high" } },
    ],
    [
      "edit Ops truncation auto",
      { type: "edit", assistant: "Ops", edit: { field: "truncation", value: { type: "auto" } } },
    ],
    [
      "edit Ops truncation last_messages 20",
      {
        type: "edit",
        assistant: "Ops",
        edit: { field: "truncation", value: { type: "last_messages", last_messages: 20 } },
      },
    ],
    [
      "edit Ops max_prompt 10,000",
      { type: "edit", assistant: "Ops", edit: { field: "max_prompt", value: 10_000 } },
    ],
    ["delete Help desk", { type: "delete", assistant: "Help desk", confirmed: false }],
    ["delete Help desk yes", { type: "delete", assistant: "Help desk", confirmed: true }],
    ["use Help desk", { type: "use", assistant: "Help desk" }],
    ["use", { type: "use", assistant: null }],
    ["use =", { type: "use", assistant: "default" }],
    ["model", { type: "model", change: { type: "show" }, force: false }],
    ["model gpt-5.5", { type: "model", change: { type: "set", value: "gpt-5.5" }, force: false }],
    [
      "model my-own force",
      { type: "model", change: { type: "set", value: "my-own" }, force: true },
    ],
    ["model default", { type: "model", change: { type: "clear" }, force: false }],
    ["model =", { type: "model", change: { type: "clear" }, force: false }],
    ["instructions", { type: "instructions", change: { type: "show" } }],
    [
      "instructions = Be brief.",
      { type: "instructions", change: { type: "set", value: "Be brief." } },
    ],
    ["instructions =", { type: "instructions", change: { type: "clear" } }],
    ["tools", { type: "tools", action: "list" }],
    ["tools off web_search", { type: "tools", action: "off", tool: "web_search" }],
    ["files", { type: "files", action: "list", conversation: null }],
    [
      "files use my report.pdf search",
      { type: "files", action: "use", file: "my report.pdf", use: "search", conversation: null },
    ],
    [
      "files remove my report.pdf",
      { type: "files", action: "remove", file: "my report.pdf", conversation: null },
    ],
    ["context", { type: "context", of: "both", change: { type: "show" } }],
    ["context me", { type: "context", of: "me", change: { type: "show" } }],
    [
      "context me Address me\nformally.",
      { type: "context", of: "me", change: { type: "set", value: "Address me\nformally." } },
    ],
    ["context channel clear", { type: "context", of: "channel", change: { type: "clear" } }],
    ["queue", { type: "queue", policy: null, conversation: null }],
    ["queue merge", { type: "queue", policy: "merge", conversation: null }],
    ["scope person", { type: "scope", scope: "person" }],
    ["new", { type: "new", conversation: null }],
    ["stop", { type: "stop", what: "current", conversation: null }],
    ["stop all", { type: "stop", what: "all", conversation: null }],
    [
      "stop all in slack:T1:C1:1700000000.000100",
      { type: "stop", what: "all", conversation: "slack:T1:C1:1700000000.000100" },
    ],
    [
      "retry in web:general/person/web:ada",
      { type: "retry", conversation: "web:general/person/web:ada" },
    ],
    ["usage", { type: "usage", of: null, conversation: null }],
    ["usage channel", { type: "usage", of: "channel", conversation: null }],
    ["export", { type: "export", conversation: null }],
    ["export assistant", { type: "export", assistant: null }],
    ["export assistant Help desk", { type: "export", assistant: "Help desk" }],
    ["create from maths-tutor", { type: "create", from: "maths-tutor", name: null }],
    [
      'create from "my tutor.yaml" as Algebra',
      { type: "create", from: "my tutor.yaml", name: "Algebra" },
    ],
    ["create From", { type: "create", name: "From", instructions: null }],
    ["forget", { type: "forget", what: null, confirmed: false, conversation: null }],
    ["forget me yes", { type: "forget", what: "me", confirmed: true, conversation: null }],
    [
      "forget conversation yes in web:a",
      { type: "forget", what: "conversation", confirmed: true, conversation: "web:a" },
    ],
    ["settings", { type: "settings", topic: "all" }],
    ["settings cap", { type: "settings", topic: "cap", change: { type: "show" } }],
    ["settings cap $20", { type: "settings", topic: "cap", change: { type: "set", usd: 20 } }],
    ["settings cap off", { type: "settings", topic: "cap", change: { type: "set", usd: null } }],
    ["settings cap =", { type: "settings", topic: "cap", change: { type: "set", usd: null } }],
    [
      "settings managers add <@U1|ada>",
      { type: "settings", topic: "managers", action: "add", person: "<@U1|ada>" },
    ],
  ])("%s", (text, command) => {
    expect(parseCommand(text)).toEqual(command);
  });
});

describe("what is no command gets a reason and the nearest one", () => {
  test.each([
    ["modle gpt-5.5", "`modle`", "model gpt-5.5"],
    ["stats", "`stats`", "status"],
    ["instruction Be brief.", "`instruction`", "instructions Be brief."],
    ["config", "`config`", "settings"],
    ["cancel", "`cancel`", "stop"],
    ["queue lifo", "choose `fifo`, `merge` or `latest`", "queue fifo"],
    ["scope threads", "choose `thread`, `person` or `channel`", "scope thread"],
    ["stop everything", "`stop everything`", "stop"],
    ["list audits", "choose", "list audit"],
    ["help modle", "`modle`", "help model"],
    ["new thing", "takes nothing more", "new"],
    ["model gpt 5", "one word", "model gpt"],
    ["tools of web_search", "`tools of`", "tools"],
    ["tools on", "Which tool", "tools"],
    ["files use report.pdf serach", "`look`, `search` or `compute`", "files use report.pdf search"],
    ["files delete report.pdf", "`files delete`", "files"],
    ["edit Ops instrctions Be brief.", "Say which assistant", "edit Ops instructions Be brief."],
    ["edit Ops temperature 3", "from 0 to 2", "help edit"],
    ["edit Ops max_prompt 10", "256", "help edit"],
    [
      "edit Ops reasoning much",
      "`none`, `minimal`, `low`, `medium`, `high` or `default`",
      "help edit",
    ],
    ["create", "Say its name", "help create"],
    ["create default", "means something", "help create"],
    ["create a/b", "cannot be a name", "help create"],
    ["context Address me formally.", "whose context", "context me Address me formally."],
    ["forget everything", "`forget everything`", "forget conversation"],
    ["settings cap much", "US dollars", "settings cap 20"],
    ["settings model gpt-5.5", "`model`", "model gpt-5.5"],
  ])("%s", (text, reason, nearest) => {
    const parsed = parseCommand(text);
    expect(parsed).toMatchObject({ type: "problem", nearest });
    expect(parsed.type === "problem" && parsed.problem).toContain(reason);
  });

  test("nothing is suggested for a word unlike any command", () => {
    expect(parseCommand("xylophone")).toEqual({
      type: "problem",
      problem: "I know no command `xylophone`.",
    });
  });

  test("a text over its limit is refused with what was seen and the limit", () => {
    const parsed = parseCommand(`context me ${"x".repeat(commandLimits.context + 1)}`);
    expect(parsed).toEqual({
      type: "problem",
      problem: "Context may have 4,000 characters; this has 4,001.",
    });
  });
});

describe("a message is told from a text command", () => {
  test.each([
    ["/model gpt-5.5", { type: "command", text: "model gpt-5.5" }],
    ["/assistant model gpt-5.5", { type: "command", text: "model gpt-5.5" }],
    ["  /Assistant  status ", { type: "command", text: "status" }],
    ["/assistant", { type: "command", text: "" }],
    ["/assistant modle x", { type: "command", text: "modle x" }],
    ["/STOP all", { type: "command", text: "stop all" }],
    ["stop", { type: "command", text: "stop" }],
    ["Stop!", { type: "command", text: "stop" }],
    [" STOP… ", { type: "command", text: "stop" }],
    ["/modle gpt-5.5", { type: "suggestion", typed: "/modle", nearest: "model gpt-5.5" }],
    ["/asistant status", { type: "suggestion", typed: "/asistant", nearest: "status" }],
    ["/stats", { type: "suggestion", typed: "/stats", nearest: "status" }],
    ["/state", undefined],
    ["/usr/bin/env is missing", undefined],
    ["/ model", undefined],
    ["/tmp is full", undefined],
    ["/", undefined],
    ["stop it", undefined],
    ["stop the music!", undefined],
    ["model gpt-5.5", undefined],
    ["What does /model do?", undefined],
    ["", undefined],
  ])("%j", (text, expected) => {
    expect(toTextCommand(text)).toEqual(expected);
  });
});

describe("who may", () => {
  test.each([
    ["status", "person"],
    ["model", "person"],
    ["model gpt-5.5", "manager"],
    ["instructions default", "manager"],
    ["use", "person"],
    ["use Ops", "manager"],
    ["context me formal", "person"],
    ["context channel", "person"],
    ["context channel formal", "manager"],
    ["tools", "person"],
    ["tools on calculator", "manager"],
    ["queue", "person"],
    ["queue merge", "manager"],
    ["scope person", "manager"],
    ["create Ops", "manager"],
    ["edit Ops name Oops", "manager"],
    ["delete Ops", "manager"],
    ["list", "person"],
    ["list audit", "admin"],
    ["usage", "person"],
    ["usage month", "admin"],
    ["settings", "person"],
    ["settings managers add web:ada", "manager"],
    ["settings cap 5", "admin"],
    ["forget me yes", "person"],
  ])("%s: %s", (text, role) => {
    const command = parseCommand(text);
    if (command.type === "problem") throw new Error(command.problem);
    expect(roleFor(command)).toBe(role);
  });
});

describe("help", () => {
  test("names every word", () => {
    const help = describeCommands();
    for (const name of commandNames) expect(help).toContain(`\`/assistant ${name}\``);
  });

  test.each(commandNames)("of %s gives examples that are read as that command", (name) => {
    const examples = [...describeCommand(name).matchAll(/^- `\/assistant ([^`]+)`$/gm)];
    expect(examples.length).toBeGreaterThan(0);
    for (const [, example] of examples)
      expect(parseCommand(example ?? "")).toMatchObject({ type: name });
  });
});

test("the grammar keeps the limits of a Discord command", () => {
  expect(commandSpecs.length).toBeLessThanOrEqual(25);
  for (const spec of commandSpecs) {
    expect(spec.name).toMatch(/^[a-z]{1,32}$/);
    expect(spec.summary.length).toBeLessThanOrEqual(100);
    for (const parameter of spec.parameters) {
      expect(parameter.name).toMatch(/^[a-z_]{1,32}$/);
      expect(parameter.summary.length).toBeLessThanOrEqual(100);
      expect(parameter.choices?.length ?? 0).toBeLessThanOrEqual(25);
    }
    const optional = spec.parameters.findIndex((parameter) => !parameter.required);
    const after = optional < 0 ? [] : spec.parameters.slice(optional);
    expect(after.filter((parameter) => parameter.required)).toEqual([]);
  }
  // Names, descriptions, and the names and values of choices, of all sub-commands together.
  const characters = commandSpecs.flatMap(({ name, summary, parameters }) => [
    name + summary,
    ...parameters.map((one) => one.name + one.summary + (one.choices ?? []).join("").repeat(2)),
  ]);
  expect(characters.join("").length).toBeLessThan(8_000);
});

describe("completion", () => {
  const sources = {
    assistants: ["Bobbin", "Help desk", "Ops"],
    models: ["gpt-5.5", "gpt-5.5-mini", "o9"],
    tools: ["calculator", "web_search"],
    files: ["my report.pdf"],
  };
  test.each([
    ["mo", ["model"]],
    ["/st", ["status", "stop", "list", "instructions"]],
    ["assistant us", ["use", "usage", "status"]],
    ["model gpt", ["model gpt-5.5", "model gpt-5.5-mini"]],
    ["model mini", ["model gpt-5.5-mini"]],
    ["use ", ["use Bobbin", "use Help desk", "use Ops", "use default"]],
    ["tools o", ["tools on", "tools off"]],
    ["tools off w", ["tools off web_search"]],
    ["edit help desk ins", ["edit Help desk instructions"]],
    ["files use my", ["files use my report.pdf"]],
    ["files use my report.pdf s", ["files use my report.pdf search"]],
    ["queue ", ["queue fifo", "queue merge", "queue latest"]],
    ["context me Addr", []],
    ["nonsense x", []],
  ])("%j offers %j", (text, values) => {
    expect(completeCommand(text, sources).map((choice) => choice.value)).toEqual(values);
  });

  test("offers at most 25", () => {
    const models = Array.from({ length: 100 }, (_, index) => `model-${index}`);
    expect(completeCommand("model ", { ...sources, models })).toHaveLength(25);
  });
});

test("any text is a command or has a reason", () => {
  const texts = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc
      .tuple(fc.constantFrom(...commandNames), fc.string())
      .map(([name, rest]) => `${name} ${rest}`),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parseCommand(text);
      if (parsed.type === "problem") expect(parsed.problem).not.toBe("");
      else expect(commandNames).toContain(parsed.type);
      toTextCommand(text);
      completeCommand(text, { assistants: [], models: [], tools: [], files: [] });
    }),
    { numRuns: 500 },
  );
});
