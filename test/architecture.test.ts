import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, normalize, sep } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const source = globSync(["src/**/*.{ts,js}", "adapters/**/*.{ts,js}"], { cwd: root })
  .map((file) => file.split(sep).join("/"))
  .sort();
const tests = globSync(["test/**/*.ts", "bench/**/*.ts"], { cwd: root });

interface Import {
  /** As it is written. */
  readonly name: string;
  /** The file of ours it means, from the root; undefined for packages and Node's own modules. */
  readonly file: string | undefined;
}

function importsOf(file: string): readonly Import[] {
  return importsIn(readFileSync(join(root, file), "utf8"), file);
}

function importsIn(text: string, file: string): readonly Import[] {
  const code = withoutComments(text);
  const pattern =
    /(?:^|[\s;}])(?:import|export)\s*(?:type\s+)?(?:[\w*{][^"';=()]*?\sfrom\s*)?["']([^"'\n]+)["']|\bimport\s*\(\s*["']([^"'\n]+)["']\s*\)|new URL\(\s*["'](\.[^"'\n]+\.ts)["']/g;
  return [...code.matchAll(pattern)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? "";
    return { name, file: fileOf(name, file) };
  });
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`\\])\/\/.*$/gm, "$1");
}

function fileOf(name: string, from: string): string | undefined {
  if (name.startsWith("#")) return `src/${name.slice(1)}.ts`;
  if (!name.startsWith(".")) return undefined;
  return normalize(join(dirname(from), name))
    .split(sep)
    .join("/");
}

function packageOf(name: string): string {
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

/** A part of the source, and what it may import. */
interface Layer {
  readonly name: string;
  readonly files: RegExp;
  readonly mayImport: readonly RegExp[];
  readonly node: boolean;
  readonly packages: RegExp;
}

const domain = /^src\/domain\//;
const ports = /^src\/ports\//;
const none = /^$/;
/** What makes the adapters of the settings. */
const knowsEverything = /^src\/(main\.ts$|wiring\/)/;
/** How a program for hostile input is run apart: the one adapter that others build on. */
const confined = /^adapters\/confined\//;

const layers: readonly Layer[] = [
  {
    name: "src/domain",
    files: domain,
    mayImport: [domain],
    node: false,
    // A Markdown parser, where splitting needs one.
    packages: /^(mdast-util-.+|micromark.*|@types\/mdast|mdast)$/,
  },
  {
    name: "src/ports",
    files: ports,
    mayImport: [ports, domain],
    node: false,
    packages: none,
  },
  {
    name: "src/runs",
    files: /^src\/runs\//,
    mayImport: [/^src\/runs\//, ports, domain],
    node: true,
    packages: none,
  },
  {
    name: "src/tools",
    files: /^src\/tools\//,
    mayImport: [/^src\/tools\//, ports, domain],
    node: true,
    packages: /^(zod|csv-parse)$/,
  },
  {
    name: "src/desk",
    files: /^src\/desk\//,
    mayImport: [/^src\/desk\//, /^src\/runs\//, ports, domain],
    node: true,
    packages: none,
  },
  {
    name: "the files in src",
    files: /^src\/(?!main\.ts$)[^/]+\.(ts|js)$/,
    mayImport: [/^src\/(?!main\.ts$)[^/]+\.ts$/, /^src\/(runs|desk)\//, ports, domain],
    node: true,
    packages: none,
  },
];

const adapters = [
  ...new Set(source.filter((file) => file.startsWith("adapters/")).map((f) => f.split("/")[1])),
];

/** The packages an adapter may use: its own SDK, and what its job needs. The others use none. */
const sdks: { readonly [adapter: string]: RegExp } = {
  demo: /^(hono|csv-parse)$/,
  duckdb: /^(@duckdb\/node-api|csv-parse)$/,
  discord: /^(discord\.js|@discordjs\/.+|discord-api-types)$/,
  documents: /^(file-type|html-to-text|mammoth|read-excel-file|unpdf|csv-parse)$/,
  http: /^(hono|@hono\/node-server)$/,
  keyv: /^(keyv|@keyv\/.+)$/,
  openai: /^(openai|eventsource-parser)$/,
  opentelemetry: /^@opentelemetry\//,
  pino: /^pino$/,
  prices: /^@pydantic\/genai-prices$/,
  prometheus: /^prom-client$/,
  pyodide: /^zod$/,
  redis: /^(bullmq|redis|keyv|@keyv\/redis)$/,
  slack: /^(@slack\/.+|ws)$/,
  mcp: /^(@modelcontextprotocol\/client|yaml|zod)$/,
  vega: /^(vega|vega-lite|vega-interpreter|@resvg\/resvg-js)$/,
  "tool-files": /^(yaml|zod|csv-parse)$/,
  yaml: /^(yaml|zod)$/,
  web: /^(hono|zod|dompurify|highlight\.js|katex|markdown-it)$/,
};

const adapterLayers: readonly Layer[] = adapters.map((adapter) => ({
  name: `adapters/${adapter}`,
  files: new RegExp(`^adapters/${adapter}/`),
  mayImport: [new RegExp(`^adapters/${adapter}/`), confined, ports, domain],
  node: true,
  packages: sdks[adapter ?? ""] ?? none,
}));

describe("the arrows point one way", () => {
  test.each([...layers, ...adapterLayers])("$name imports only what it may", (layer) => {
    const wrong: string[] = [];
    for (const file of source.filter((path) => layer.files.test(path))) {
      for (const { name, file: target } of importsOf(file)) {
        const isAllowed =
          target !== undefined
            ? layer.mayImport.some((allowed) => allowed.test(target))
            : isBuiltin(name)
              ? layer.node
              : layer.packages.test(packageOf(name));
        if (!isAllowed) wrong.push(`${file} imports ${name}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("every file of the source belongs to a part with a rule", () => {
    const all = [...layers, ...adapterLayers];
    const homeless = source.filter(
      (file) => !knowsEverything.test(file) && !all.some((layer) => layer.files.test(file)),
    );
    expect(homeless).toEqual([]);
  });

  test("only the OpenAI drivers know the openai package, and only the data file's adapters SQLite", () => {
    const users = (name: string) =>
      source
        .filter((file) => importsOf(file).some((found) => packageOf(found.name) === name))
        .map((file) => file.split("/").slice(0, 2).join("/"));
    expect(new Set([...users("openai"), "adapters/openai"])).toEqual(new Set(["adapters/openai"]));
    for (const user of users("node:sqlite")) expect(user).toMatch(/^adapters\/(sqlite|keyv)$/);
  });

  test("the reader of imports sees every way to import", () => {
    const code = [
      '// import "commented-out";',
      '/* import x from "commented-out-too"; */',
      'import { readFileSync } from "node:fs";',
      'import type { Json } from "#domain/json";',
      "import {\n  one,\n  type Two,\n} from './a.ts';",
      'import three, * as four from "./b.ts";',
      'import "./c.ts";',
      'export * from "./d.ts";',
      'export { z } from "zod";',
      'const later = () => import("./e.ts");',
      'new Worker(new URL("./f.ts", import.meta.url));',
      'const text = "import x, of course, is a word from " + "nowhere";',
    ].join("\n");
    expect(importsIn(code, "src/x.ts")).toEqual([
      { name: "node:fs", file: undefined },
      { name: "#domain/json", file: "src/domain/json.ts" },
      { name: "./a.ts", file: "src/a.ts" },
      { name: "./b.ts", file: "src/b.ts" },
      { name: "./c.ts", file: "src/c.ts" },
      { name: "./d.ts", file: "src/d.ts" },
      { name: "zod", file: undefined },
      { name: "./e.ts", file: "src/e.ts" },
      { name: "./f.ts", file: "src/f.ts" },
    ]);
  });
});

describe("the source stays readable", () => {
  test.each([
    ["source", source, 600],
    ["tests", tests, 1_000],
  ])("no file of the %s is a heap", (_kind, files, maxLines) => {
    const tooLong = files
      .map((file) => ({ file, lines: readFileSync(join(root, file), "utf8").split("\n").length }))
      .filter(({ lines }) => lines > maxLines);
    expect(tooLong).toEqual([]);
  });

  test("nothing is left for later, and no test is left alone", () => {
    const marks = new RegExp(`\\b(${"TO"}${"DO"}|${"FIX"}${"ME"}|${"HA"}${"CK"})\\b`);
    const wrong = [...source, ...tests].filter((file) => {
      const code = readFileSync(join(root, file), "utf8");
      return marks.test(code) || /\b(test|describe|it)\.only[.(]/.test(code);
    });
    expect(wrong).toEqual([]);
  });
});

describe("the project speaks of itself alone", () => {
  const texts = globSync(
    ["*.{md,json,ts}", "docs/**/*.md", "src/**/*", "adapters/**/*", "test/**/*", "bench/**/*"],
    { cwd: root, withFileTypes: true },
  )
    .filter((entry) => entry.isFile() && /\.(md|json|ts|js|css|html)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));

  test("no path of anybody's machine stands in it", () => {
    const path = new RegExp(`["'\`\\s(](/${"work"}|/${"root"}|/${"home"}/\\w+|/${"Users"}/\\w+)/`);
    expect(texts.filter((file) => path.test(readFileSync(file, "utf8")))).toEqual([]);
  });

  test("the lockfile names versions and checksums, and no addresses", () => {
    const lock = readFileSync(join(root, "package-lock.json"), "utf8");
    expect(lock).not.toMatch(/"resolved"/);
    expect(lock).toMatch(/"integrity"/);
  });
});
