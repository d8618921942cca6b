import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AssistantFile, instructionsOf, instructionsText } from "#domain/assistant-file";
import { BotError } from "#domain/errors";
import { createAssistantLibrary } from "../../../adapters/yaml/assistant-library.ts";
import { readAssistant, writeAssistant } from "../../../adapters/yaml/assistant-text.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bobbin-assistants-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function problemOf(text: string): string {
  try {
    readAssistant(text);
  } catch (error) {
    if (error instanceof BotError) return error.detail ?? "";
    throw error;
  }
  throw new Error("it was read");
}

const words = fc
  .array(fc.constantFrom("Answer", "kindly", "- and", "# so", "é🙂", "yes:", '"no"'), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => parts.join(" "));

const file = fc.record({
  name: fc.constantFrom("Support", "Ä ö: x", "yes", "12"),
  description: fc.option(words),
  instructions: fc.oneof(
    words,
    fc.record({
      role: words,
      rules: fc.array(words, { minLength: 1, maxLength: 3 }),
      format: words,
    }),
  ),
  model: fc.constantFrom("default", "gpt-5.5"),
  tools: fc.oneof(fc.constant("all" as const), fc.constant(["calculate", "file_search"])),
  files: fc.constantFrom([], ["a b.csv", "policy.md"]),
  temperature: fc.constantFrom(null, 0, 0.7),
  top_p: fc.constantFrom(null, 1),
  reasoning_effort: fc.constantFrom(null, "low" as const),
  truncation_strategy: fc.constantFrom<AssistantFile["truncation_strategy"]>(
    { type: "auto" },
    { type: "last_messages", last_messages: 7 },
  ),
  max_prompt_tokens: fc.constantFrom(null, 1000),
  max_completion_tokens: fc.constantFrom(null, 500),
});

describe("an assistant's file", () => {
  test("reads back as it was written", () => {
    fc.assert(
      fc.property(file, (one) => {
        expect(readAssistant(writeAssistant(one))).toEqual(one);
      }),
    );
  });

  test("its instructions become a text, and the text its parts again", () => {
    const parts = {
      role: "You help.",
      abilities: ["Look things up"],
      rules: ["Be kind", "Be brief"],
      format: "Two lines.\n\nAnd a table.",
      limits: ["No jokes"],
    };
    const text = instructionsText(parts);
    expect(text).toBe(
      "You help.\n\n## What you can do\n- Look things up\n\n## Rules\n- Be kind\n- Be brief\n\n## Format\nTwo lines.\n\nAnd a table.\n\n## Limits\n- No jokes",
    );
    expect(instructionsOf(text)).toEqual(parts);
    expect(instructionsOf("Just be nice.\n\n## Rules of mine\n- x")).toBe(
      "Just be nice.\n\n## Rules of mine\n- x",
    );
  });

  test.each([
    ["a missing name", "instructions: x", /name/],
    ["a mistyped field", "name: A\ninstructions: x\ntool: all", /"tool"/],
    ["a number that is too large", "name: A\ninstructions: x\ntemperature: 9", /temperature/],
    ["no YAML at all", "name: [", /flow/i],
    [
      "a way out of the folder",
      "name: A\ninstructions: x\nfiles: [../../etc/passwd]",
      /same folder/,
    ],
    ["an absolute file", "name: A\ninstructions: x\nfiles: [/etc/passwd]", /same folder/],
    ["a file of another volume", "name: A\ninstructions: x\nfiles: ['C:x']", /same folder/],
  ])("with %s is refused with the reason", (_what, text, problem) => {
    expect(problemOf(text)).toMatch(problem);
  });

  test("that multiplies itself is refused before it fills the memory", () => {
    const levels = Array.from({ length: 12 }, (_, level) =>
      level === 0
        ? `a0: &a0 [x,x,x,x,x,x,x,x,x,x]`
        : `a${level}: &a${level} [${Array(10)
            .fill(`*a${level - 1}`)
            .join(",")}]`,
    );
    expect(problemOf(levels.join("\n"))).toMatch(/alias/i);
    expect(problemOf(`name: A\ninstructions: ${"x".repeat(300_000)}`)).toContain("200000");
  });
});

describe("a folder of assistants", () => {
  const library = () => createAssistantLibrary({ folder, maxFileBytes: 1_000 });

  test("gives its files, and says what is wrong with the others", async () => {
    writeFileSync(join(folder, "b.yaml"), "name: Bee\ninstructions: Hum.\nfiles: [facts.md]");
    writeFileSync(join(folder, "facts.md"), "Bees hum.");
    writeFileSync(join(folder, "a.yml"), "name: Ant");
    writeFileSync(join(folder, "_draft.yaml"), "nothing");
    const { assistants, problems } = await library().own();
    expect(assistants.map(({ name, file: one }) => [name, one.name])).toEqual([["b", "Bee"]]);
    expect(problems).toMatchObject([
      { name: "a.yml", problem: expect.stringContaining("instructions") },
    ]);
    expect(String(await assistants[0]?.readFile("facts.md"))).toBe("Bees hum.");
  });

  test("follows no link out of it, and reads nothing that is too large", async () => {
    const outside = mkdtempSync(join(tmpdir(), "bobbin-outside-"));
    writeFileSync(join(outside, "secret.txt"), "secret");
    symlinkSync(join(outside, "secret.txt"), join(folder, "link.txt"));
    writeFileSync(join(folder, "large.txt"), "x".repeat(1_001));
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "a.yaml"), "name: A\ninstructions: x");
    const [assistant] = (await library().own()).assistants;
    for (const name of ["link.txt", "missing.txt"]) {
      await expect(assistant?.readFile(name)).rejects.toMatchObject({ code: "not-found" });
    }
    await expect(assistant?.readFile("large.txt")).rejects.toMatchObject({
      code: "file-too-large",
    });
    rmSync(outside, { recursive: true });
  });

  test("the examples that come along can be read, each with all five parts", async () => {
    const templates = await createAssistantLibrary({
      folder: undefined,
      maxFileBytes: 1,
    }).templates();
    expect(templates.map(({ name }) => name)).toEqual([
      "customer-service",
      "data-analyst",
      "maths-tutor",
    ]);
    for (const { file: one } of templates) {
      expect(Object.keys(one.instructions)).toEqual([
        "role",
        "abilities",
        "rules",
        "format",
        "limits",
      ]);
    }
  });

  test("the admin's own stands before an example of the same name", async () => {
    writeFileSync(join(folder, "maths-tutor.yaml"), "name: Mine\ninstructions: x");
    const templates = await library().templates();
    expect(
      templates.filter(({ name }) => name === "maths-tutor").map((one) => one.file.name),
    ).toEqual(["Mine"]);
  });
});
