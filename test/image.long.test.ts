import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort } from "./wire/loopback.ts";

const root = join(import.meta.dirname, "..");
const isRoot = process.getuid?.() === 0;
/** "nobody": who owns nothing of what the image brings. */
const nobody = 65_534;

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

const dockerfile: readonly Instruction[] = readFileSync(join(root, "Dockerfile"), "utf8")
  .replaceAll(/\\\n\s*/g, " ")
  .split("\n")
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => ({ name: line.split(" ", 1)[0] ?? "", rest: line.slice(line.indexOf(" ") + 1) }));

function all(name: string): readonly string[] {
  return dockerfile.filter((one) => one.name === name).map(({ rest }) => rest);
}

function command(name: "CMD" | "HEALTHCHECK"): readonly string[] {
  const rest = all(name)[0] ?? "";
  return JSON.parse(rest.slice(rest.indexOf("["))) as string[];
}

const env = Object.fromEntries(
  all("ENV").flatMap((rest) => rest.split(" ").map((pair) => pair.split("=", 2))),
) as { readonly [name: string]: string };

let folder: string;
let app: string;
let data: string;
let node: string;

/** What the image's instructions do, in an empty folder: copy, install, take the rights away. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bobbin-image-"));
  chmodSync(folder, 0o755);
  app = join(folder, "app");
  data = join(folder, "data");
  mkdirSync(app);
  mkdirSync(data, { mode: 0o700 });
  // The image's Node: in a place that anybody may read.
  node = join(folder, "node");
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  for (const { name, rest } of dockerfile) {
    if (name === "COPY") copy(rest.split(" "));
    if (name === "RUN" && rest.startsWith("npm ")) install(rest);
  }
  if (isRoot) chownSync(data, nobody, nobody);
  execFileSync("chmod", ["-R", "a-w", app]);
}, 600_000);

afterAll(() => {
  execFileSync("chmod", ["-R", "u+w", folder]);
  rmSync(folder, { recursive: true });
});

function copy(words: readonly string[]): void {
  const to = words.at(-1) ?? ".";
  for (const from of words.slice(0, -1)) {
    const isFolder = statSync(join(root, from)).isDirectory();
    cpSync(join(root, from), join(app, isFolder ? to : join(to, from)), { recursive: true });
  }
}

function install(line: string): void {
  execFileSync("sh", ["-c", line], {
    cwd: app,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_ENV: "production" },
  });
}

function run(words: readonly string[], settings: { readonly [name: string]: string }) {
  const [program, ...args] = words;
  if (program !== "node") throw new Error(`the image runs ${program}`);
  const child = spawn(node, args, {
    cwd: app,
    env: { ...env, DATA_DIR: data, HOME: "/nonexistent", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
    ...(isRoot ? { uid: nobody, gid: nobody } : {}),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = once(child, "close").then(([code]) => code as number | null);
  return { child, exited, output: () => output };
}

describe("the image", () => {
  test("is built on the official Node 24 and not run as root", () => {
    expect(all("FROM")).toEqual([expect.stringMatching(/^node:24(-slim)?$/)]);
    expect(all("USER")).toEqual(["node"]);
    expect(all("VOLUME")).toEqual([env.DATA_DIR]);
    expect(dockerfile.findIndex(({ name }) => name === "USER")).toBeLessThan(
      dockerfile.findIndex(({ name }) => name === "CMD"),
    );
  });

  test("brings no development packages", () => {
    expect(existsSync(join(app, "node_modules/openai"))).toBe(true);
    for (const name of ["vitest", "typescript", "node", "@biomejs/biome", "playwright-core"]) {
      expect([name, existsSync(join(app, "node_modules", name))]).toEqual([name, false]);
    }
  });

  test("brings the packages of this machine that asking tables and drawing charts need", () => {
    const { platform, arch } = process;
    const here = [
      `@duckdb/node-bindings-${platform}-${arch}`,
      `@resvg/resvg-js-${platform}-${arch}`,
    ];
    const modules = join(app, "node_modules");
    for (const name of ["@duckdb/node-api", "vega-lite", "dejavu-fonts-ttf"]) {
      expect([name, existsSync(join(modules, name))]).toEqual([name, true]);
    }
    // Behind the name stands which C library it is made for.
    const installed = ["@duckdb", "@resvg"].flatMap((scope) =>
      readdirSync(join(modules, scope)).map((name) => `${scope}/${name}`),
    );
    for (const name of here) {
      expect([name, installed.some((one) => one.startsWith(name))]).toEqual([name, true]);
    }
  });

  test("answers /readyz as another user on a read-only tree, and ends when it is told to", async () => {
    const port = String(await freePort());
    const settings = { PORT: port, MODEL_BACKEND: "demo", CONSOLE_PASSWORD: "long-enough" };
    const bobbin = run(command("CMD"), settings);
    try {
      await vi.waitFor(
        async () => {
          const response = await fetch(`http://127.0.0.1:${port}/readyz`);
          expect([response.status, bobbin.output()]).toEqual([200, expect.any(String)]);
        },
        { timeout: 60_000, interval: 200 },
      );
      expect(await run(command("HEALTHCHECK"), { PORT: port }).exited).toBe(0);
      expect((await fetch(`http://127.0.0.1:${port}/console/api/state`)).status).toBe(401);
    } finally {
      bobbin.child.kill("SIGTERM");
    }
    expect([await bobbin.exited, bobbin.output()]).toEqual([0, expect.any(String)]);
    expect(await run(command("HEALTHCHECK"), { PORT: port }).exited).toBe(1);
  });

  test("refuses to start without a model or a password, and says both", async () => {
    const bobbin = run(command("CMD"), { PORT: String(await freePort()) });
    expect(await bobbin.exited).toBe(1);
    expect(bobbin.output()).toContain("CONSOLE_PASSWORD is not set");
    expect(bobbin.output()).toContain("OPENAI_API_KEY is not set");
  });
});
