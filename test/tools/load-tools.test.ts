import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { defineTool } from "../../src/tools/define-tool.ts";
import { toResult, toTool } from "../../src/tools/foreign-tool.ts";
import { loadTools } from "../../src/tools/load-tools.ts";
import { outputOf, toolContext } from "../fakes/tool-context.ts";

const signal = new AbortController().signal;

async function folderOf(files: { readonly [name: string]: string }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tools-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const greet = `export default {
  name: "greet",
  description: "Greets somebody by name.",
  parameters: {
    type: "object",
    properties: { name: { type: "string" } },
    required: ["name"],
    additionalProperties: false,
  },
  run: ({ name }) => "Hello " + name,
};`;

describe("loadTools", () => {
  test("a module without any import of ours becomes a tool", async () => {
    const { tools, problems } = await loadTools({ folder: await folderOf({ "greet.mjs": greet }) });
    expect(problems).toEqual([]);
    const [tool] = tools;
    expect(tool).toMatchObject({
      spec: { name: "greet", description: "Greets somebody by name." },
      title: "Running greet",
      needsApproval: false,
      idempotent: false,
      timeoutMs: 30_000,
    });
    expect(tool?.check({ name: 7 })).toMatchObject({
      ok: false,
      problem: expect.stringContaining("at name"),
    });
    expect(tool?.check({ name: "Ada", more: 1 })).toMatchObject({ ok: false });
    const checked = tool?.check({ name: "Ada" });
    expect(checked).toEqual({ ok: true, value: { name: "Ada" } });
    expect(await tool?.run({ name: "Ada" }, toolContext(), signal)).toEqual({
      type: "output",
      output: "Hello Ada",
    });
  });

  test("TypeScript, named exports, lists and settings are understood", async () => {
    const folder = await folderOf({
      "one.ts": `type Args = { readonly n: number };
        export const tool = { name: "one", title: "Adding one", description: "Adds one.", idempotent: true,
          needsApproval: true, timeoutMs: 500, parameters: { type: "object", properties: { n: { type: "number" } }, required: ["n"] },
          async run({ n }: Args) { return { sum: n + 1 }; } };
        export default tool;`,
      "two.js": `export const tools = ["a", "b"].map((name) => ({ name, description: "Says " + name, run: () => name }));`,
      "_helper.ts": `throw new Error("never loaded");`,
      ".hidden.js": `throw new Error("never loaded");`,
      "one.test.ts": `throw new Error("never loaded");`,
      "types.d.ts": `throw new Error("never loaded");`,
      "README.md": "notes",
      "inner/three.js": `throw new Error("never loaded");`,
    });
    const { tools, problems } = await loadTools({ folder });
    expect(problems).toEqual([]);
    expect(tools.map((tool) => tool.spec.name)).toEqual(["one", "a", "b"]);
    expect(tools[0]).toMatchObject({
      title: "Adding one",
      idempotent: true,
      needsApproval: true,
      timeoutMs: 500,
    });
    expect(await tools[0]?.run({ n: 1 }, toolContext(), signal)).toEqual({
      type: "output",
      output: '{"sum":2}',
    });
  });

  test("broken modules are named all at once, and the others work", async () => {
    const folder = await folderOf({
      "good.mjs": greet,
      "again.mjs": greet.replace('"greet"', '"calculate"'),
      "nothing.mjs": "export const other = 1;",
      "syntax.mjs": "export default {",
      "throws.mjs": `throw new TypeError("no database");`,
      "waits.mjs": "await new Promise(() => {});",
      "wrong.mjs": `export default { name: "not a name", description: " ", parameters: { type: "string" }, timeoutMs: 0, idempotent: "yes" };`,
      "zz.mjs": greet,
    });
    const { tools, problems } = await loadTools({
      folder,
      taken: ["calculate"],
      importTimeoutMs: 2_000,
    });
    expect(tools.map((tool) => tool.spec.name)).toEqual(["greet"]);
    expect(problems.map(({ file, problem }) => `${file}: ${problem}`)).toEqual([
      "again.mjs: the name `calculate` is taken by a built-in function",
      "nothing.mjs: it exports no tool: use a default export, `tool` or `tools`",
      expect.stringMatching(/^syntax\.mjs: \w*Error: /),
      "throws.mjs: TypeError: no database",
      "waits.mjs: Error: it was not ready after 2 s",
      "wrong.mjs: `name` has to be 1 to 64 letters, digits, _ or -, not `not a name`",
      "wrong.mjs: `description` has to say what the tool does, for the model",
      "wrong.mjs: `run(args, context, signal)` is missing",
      "wrong.mjs: `idempotent` has to be true or false, not `yes`",
      "wrong.mjs: `timeoutMs` has to be a whole number from 1 to 3600000, not number",
      'wrong.mjs: `parameters` has to be a JSON schema of `"type": "object"`',
      "zz.mjs: the name `greet` is taken by good.mjs",
    ]);
  });

  test("a link that leads out of the folder is not loaded", async () => {
    const outside = await folderOf({ "outside.mjs": greet });
    const folder = await folderOf({ "good.mjs": greet });
    await symlink(join(outside, "outside.mjs"), join(folder, "link.mjs"));
    await symlink(join(folder, "good.mjs"), join(folder, "same.mjs"));
    const { tools, problems } = await loadTools({ folder });
    expect(tools).toHaveLength(1);
    expect(problems).toEqual([
      { file: "link.mjs", problem: "it is a link that leads out of the folder" },
      { file: "same.mjs", problem: "the name `greet` is taken by good.mjs" },
    ]);
  });

  test("plain Node loads TypeScript modules and names a slip of syntax", async () => {
    const folder = await folderOf({
      "greet.ts": greet.replace("({ name })", "({ name }: { readonly name: string })"),
      "syntax.mjs": "export default {",
    });
    const loader = new URL("../../src/tools/load-tools.ts", import.meta.url);
    const script = `const { loadTools } = await import(${JSON.stringify(loader.href)});
      const { tools, problems } = await loadTools({ folder: process.argv[1] });
      console.log(JSON.stringify([tools.map((tool) => tool.spec.name), problems]));`;
    const node = promisify(execFile);
    const { stdout } = await node(process.execPath, ["--input-type=module", "-e", script, folder]);
    expect(JSON.parse(stdout)).toEqual([
      ["greet"],
      [{ file: "syntax.mjs", problem: "SyntaxError: Unexpected end of input" }],
    ]);
  });

  test("nothing starts when not one module gives a tool, or there is no folder", async () => {
    const folder = await folderOf({ "a.mjs": "export {};", "b.mjs": "oops(" });
    await expect(loadTools({ folder })).rejects.toThrow(
      /a\.mjs: it exports no tool[\s\S]*b\.mjs: \w*Error/,
    );
    await expect(loadTools({ folder: join(folder, "none") })).rejects.toThrow("(ENOENT)");
    expect(await loadTools({ folder: await folderOf({}) })).toEqual({ tools: [], problems: [] });
  });
});

describe("toTool", () => {
  const base = { name: "t", description: "Does something.", run: () => "ok" };

  test("zod schemas describe and check the arguments", () => {
    const made = toTool({ ...base, schema: z.object({ a: z.string(), b: z.number().optional() }) });
    if (!made.ok) throw new Error(made.problems.join());
    expect(made.tool.spec.parameters).toMatchObject({
      required: ["a", "b"],
      additionalProperties: false,
    });
    expect(made.tool.check({ a: "x", b: null })).toEqual({ ok: true, value: { a: "x" } });
    expect(made.tool.check({ a: 1 })).toMatchObject({ ok: false });
  });

  test.each([
    [
      "safeParse",
      {
        safeParse: (v: unknown) =>
          v === 1 ? { success: true, data: 2 } : { success: false, error: new Error("not 1") },
      },
    ],
    [
      "parse",
      {
        parse: (v: unknown) => {
          if (v !== 1) throw new Error("not 1");
          return 2;
        },
      },
    ],
  ])("anything with %s checks, given parameters beside it", (_how, schema) => {
    const made = toTool({ ...base, schema, parameters: { type: "object", properties: {} } });
    if (!made.ok) throw new Error(made.problems.join());
    expect(made.tool.check(1)).toEqual({ ok: true, value: 2 });
    expect(made.tool.check(0)).toEqual({ ok: false, problem: "not 1" });
    expect(toTool({ ...base, schema })).toEqual({
      ok: false,
      problems: [expect.stringContaining("give `parameters`")],
    });
  });

  test("what defineTool made is taken as it is", () => {
    const tool = defineTool({ ...base, title: "T", schema: z.object({}) });
    expect(toTool(tool)).toEqual({ ok: true, tool });
  });

  test("what it returns becomes an output, whatever it is", () => {
    const data = new Uint8Array([1]);
    const form = { title: "?", fields: [{ id: "a", label: "A", type: "text" }] };
    expect(toResult(undefined)).toEqual({ type: "output", output: "done" });
    expect(outputOf(toResult([1, "b"]))).toBe('[1,"b"]');
    expect(toResult({ type: "ask", form })).toEqual({ type: "ask", form });
    const files = [{ name: "a", mimeType: "b", data }];
    expect(toResult({ type: "output", output: "x", files })).toEqual({
      type: "output",
      output: "x",
      files,
    });
    expect(() => toResult({ type: "output", output: "x", files: [{ name: "a" }] })).toThrow(
      "Uint8Array",
    );
    expect(() => toResult(() => 1)).toThrow("cannot return function");
  });
});

describe("defineTool", () => {
  const tool = defineTool({
    name: "look_up",
    title: "Looking up",
    description: "Looks something up.",
    schema: z.object({
      key: z.string(),
      limit: z.number().int().min(1).default(10),
      sort: z.enum(["up", "down"]).optional(),
      filter: z.object({ tag: z.string().optional() }).optional(),
      note: z.string().nullable(),
    }),
    run: (args) => JSON.stringify(args),
  });

  test("optional arguments are required and nullable to the model, so that strict mode takes them", () => {
    expect(tool.spec.parameters).toEqual({
      type: "object",
      properties: {
        key: { type: "string" },
        limit: { type: ["integer", "null"], minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
        sort: { anyOf: [{ type: "string", enum: ["up", "down"] }, { type: "null" }] },
        filter: {
          type: ["object", "null"],
          properties: { tag: { type: ["string", "null"] } },
          required: ["tag"],
          additionalProperties: false,
        },
        note: { type: ["string", "null"] },
      },
      required: ["key", "limit", "sort", "filter", "note"],
      additionalProperties: false,
    });
  });

  test("a null for an optional argument counts as left out; a wanted null stays", () => {
    const args = { key: "k", limit: null, sort: null, filter: { tag: null }, note: null };
    expect(tool.check(args)).toEqual({
      ok: true,
      value: { key: "k", limit: 10, filter: {}, note: null },
    });
    expect(tool.check({ key: null, note: null })).toMatchObject({ ok: false });
  });

  test("a name no model could call is refused", () => {
    expect(() =>
      defineTool({
        name: "look up",
        title: "",
        description: "",
        schema: z.object({}),
        run: () => "",
      }),
    ).toThrow("`look up`");
  });
});
