import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BobbinProcess, type ProcessOptions } from "./fakes/bobbin-process.ts";
import { listenOnLoopback } from "./wire/loopback.ts";

let folder: string;
let running: BobbinProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bobbin-main-"));
});

afterEach(async () => {
  await Promise.all(running.map((bobbin) => bobbin.end("SIGKILL")));
  running = [];
  rmSync(folder, { recursive: true, force: true });
});

function begin(options: Omit<ProcessOptions, "folder"> = {}): BobbinProcess {
  const bobbin = new BobbinProcess({ folder, ...options });
  running.push(bobbin);
  return bobbin;
}

async function start(options: Omit<ProcessOptions, "folder"> = {}): Promise<BobbinProcess> {
  const bobbin = begin(options);
  await bobbin.ready();
  return bobbin;
}

/** Runs one of an admin's commands to its end. */
async function run(
  ...args: readonly string[]
): Promise<{ code: unknown; out: string; err: string }> {
  const bobbin = begin({ args });
  const code = await bobbin.exit();
  return { code, out: bobbin.stdout, err: bobbin.stderr };
}

async function answersOf(bobbin: BobbinProcess, count: number) {
  return vi.waitFor(
    async () => {
      const answers = await bobbin.answers();
      expect(answers).toHaveLength(count);
      return answers;
    },
    { timeout: 60_000, interval: 50 },
  );
}

describe("npm start with nothing configured", () => {
  test("answers in the console, and says that no model is configured", async () => {
    const bobbin = await start();
    expect(bobbin.stderr).toContain("the demo brain, because no model is configured");
    expect((await bobbin.get("healthz")).status).toBe(200);
    expect(await (await bobbin.get("readyz")).json()).toEqual({
      isReady: true,
      parts: { bobbin: "ok", store: "ok", web: "ok" },
      role: "all",
    });
    await bobbin.say("calculate 6 * 7");
    const [answer] = await answersOf(bobbin, 1);
    expect(answer?.text).toContain("42");
    expect(answer?.text).toContain("no model is configured");

    // A run is counted once it is stored as ended, which is after its answer can be read.
    await vi.waitFor(
      async () => {
        const metrics = await (await bobbin.get("metrics")).text();
        expect(metrics).toContain(
          'bobbin_messages_received_total{platform="web",outcome="accepted"} 1',
        );
        expect(metrics).toContain(
          'bobbin_run_duration_seconds_count{platform="web",status="completed"} 1',
        );
        expect(metrics).toMatch(
          /bobbin_model_call_seconds_count\{operation="responses.create",outcome="ok"\} \d/,
        );
      },
      { timeout: 30_000, interval: 20 },
    );
  });

  test("logs JSON lines that tell a run's story without what was said", async () => {
    const bobbin = await start();
    await bobbin.say("calculate 1234 * 5678");
    await answersOf(bobbin, 1);
    expect(await bobbin.end("SIGTERM")).toBe(0);
    const lines = bobbin.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const ofRun = lines.filter((line) => typeof line.run === "string");
    for (const line of lines)
      expect(line).toMatchObject({ level: "info", msg: expect.any(String) });
    expect(ofRun.map((line) => line.msg)).toEqual(["run started", "run ended"]);
    expect(bobbin.stdout).not.toMatch(/1234|5678|7006652|7,006,652/);
  });

  test("keeps what it has to itself: nobody else on the machine can read it", async () => {
    await start();
    for (const name of ["data", "data/bobbin.db", "data/files", "data/control.sock"]) {
      expect([name, statSync(join(folder, name)).mode & 0o077]).toEqual([name, 0]);
    }
  });

  test("ends with 0 at SIGTERM and SIGINT, and leaves nothing open", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const bobbin = await start();
      expect(await bobbin.end(signal)).toBe(0);
      expect(readdirSync(join(folder, "data")).sort()).toEqual(["bobbin.db", "files"]);
    }
  });

  test("finishes what it is answering before it ends", async () => {
    const bobbin = await start();
    await bobbin.say("slow 2");
    await vi.waitFor(async () => {
      const messages = await bobbin.messages();
      expect(messages.some(({ author }) => author.kind === "bot")).toBe(true);
    });
    expect(await bobbin.end("SIGTERM")).toBe(0);
    const next = await start();
    const [answer] = await answersOf(next, 1);
    expect(answer?.reply?.revision).toBe(0);
  });

  test("goes on after kill -9 in the reply that was begun", async () => {
    const first = await start();
    await first.say("slow 3");
    const begun = await vi.waitFor(async () => {
      const reply = (await first.messages()).find(({ author }) => author.kind === "bot");
      expect(reply?.text.length).toBeGreaterThan(0);
      return reply;
    });
    await first.end("SIGKILL");
    const next = await start();
    const [answer, ...others] = await answersOf(next, 1);
    expect(others).toEqual([]);
    expect(answer?.id).toBe(begun?.id);
    const bots = (await next.messages()).filter(({ author }) => author.kind === "bot");
    expect(bots).toHaveLength(1);
  });
});

describe("what an admin may watch", () => {
  test("traces tell of the run, its turns and its steps, and not what was said", async () => {
    const bodies: string[] = [];
    const collector = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      bodies.push(body);
      response.setHeader("content-type", "application/json").end("{}");
    });
    const port = await listenOnLoopback(collector);
    const bobbin = await start({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
    });
    await bobbin.say('call calculate {"expression": "1234 * 5678"}');
    await answersOf(bobbin, 1);
    expect(await bobbin.end("SIGTERM")).toBe(0);
    collector.close();
    const sent = bodies.join("\n");
    for (const name of ["invoke_agent", "chat demo", "execute_tool calculate"]) {
      expect(sent).toContain(`"name":"${name}`);
    }
    expect(sent).not.toMatch(/1234|7006652|7,006,652/);
  });

  test("metrics ask for the token, once there is one", async () => {
    const bobbin = await start({ env: { METRICS_TOKEN: "a-long-random-word" } });
    expect((await bobbin.get("metrics")).status).toBe(401);
    const authorization = "Bearer a-long-random-word";
    expect((await bobbin.get("metrics", { authorization })).status).toBe(200);
  });
});

describe("tools of one's own", () => {
  test("are offered beside the built-in ones, and a broken one is named and left out", async () => {
    const tools = join(folder, "tools");
    mkdirSync(tools);
    writeFileSync(
      join(tools, "greet.ts"),
      `export default {
        name: "greet_kindly",
        description: "Greets somebody",
        parameters: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
        run: async ({ name }: { name: string }) => \`Good day, \${name}!\`,
      };`,
    );
    writeFileSync(join(tools, "broken.ts"), "export default {");
    const bobbin = await start({ env: { TOOLS_DIR: "tools" } });
    expect(bobbin.stderr).toContain("the tool broken.ts is left out");
    await bobbin.say('call greet_kindly {"name": "Grace"}');
    const [answer] = await answersOf(bobbin, 1);
    expect(answer?.text).toContain("Good day, Grace!");
  });
});

describe("a start that cannot be", () => {
  test("names every problem at once, shows no secret, and leaves nothing behind", async () => {
    const bobbin = begin({
      env: {
        PORT: "http",
        HOST: "0.0.0.0",
        NODE_ENV: "production",
        LOG_LEVEL: "loud",
        METRICS_TOKEN: "s3cret",
        DATA_DIR: join(folder, "made"),
      },
    });
    expect(await bobbin.exit()).toBe(1);
    for (const variable of [
      "PORT",
      "LOG_LEVEL",
      "METRICS_TOKEN",
      "CONSOLE_PASSWORD",
      "OPENAI_API_KEY",
    ]) {
      expect(bobbin.stderr).toContain(`  ${variable} is`);
    }
    expect(bobbin.stderr).not.toContain("s3cret");
    expect(bobbin.stdout).toBe("");
    expect(existsSync(join(folder, "made/bobbin.db"))).toBe(false);
  });

  test("in production says in one line that a model is missing", async () => {
    const bobbin = begin({ env: { NODE_ENV: "production" } });
    expect(await bobbin.exit()).toBe(1);
    expect(bobbin.stderr).toContain("OPENAI_API_KEY is not set: it has to be in production");
  });

  test("says that the port is taken, and what to do", async () => {
    const other = createServer();
    const port = await listenOnLoopback(other);
    const bobbin = begin({ env: { PORT: String(port) } });
    expect(await bobbin.exit()).toBe(1);
    expect(bobbin.stderr).toContain(`127.0.0.1:${port} is in use. Set PORT to a free one`);
    other.close();
  });

  test("says that another process has the data", async () => {
    const first = await start();
    const second = begin();
    expect(await second.exit()).toBe(1);
    expect(second.stderr).toContain("is in use by another process");
    expect((await first.get("readyz")).status).toBe(200);
  });

  test("says that there is no such command", async () => {
    const { code, err } = await run("restore");
    expect(code).toBe(1);
    expect(err).toContain('there is no "restore"; there are backup, export, import');
  });

  test("warns of a name in .env that is no setting", async () => {
    writeFileSync(join(folder, ".env"), "OPENAI_APIKEY=x\nLOG_LEVEL=warn\n");
    const bobbin = await start();
    expect(bobbin.stderr).toContain("OPENAI_APIKEY in .env is no setting of Bobbin");
    expect(bobbin.stdout).toBe("");
  });
});

describe("a backup", () => {
  test("of a running process is a data folder that can be started", async () => {
    const bobbin = await start();
    await bobbin.say("calculate 6 * 7");
    await answersOf(bobbin, 1);
    const { code, out } = await run("backup", join(folder, "copy"));
    expect([code, out]).toEqual([
      0,
      `Backed up everything, with 0 files, to ${join(folder, "copy")}\n`,
    ]);
    await bobbin.say("calculate 1 + 1");
    await answersOf(bobbin, 2);

    const restored = await start({ env: { DATA_DIR: "copy" } });
    const [answer, ...others] = await restored.answers();
    expect(others).toEqual([]);
    expect(answer?.text).toContain("42");
  });

  test("works without a running process, goes into the data folder by itself, and overwrites nothing", async () => {
    const bobbin = await start();
    await bobbin.end("SIGTERM");
    const { code, out } = await run("backup");
    expect(code).toBe(0);
    const [name] = readdirSync(join(folder, "data/backups"));
    expect(out).toContain(join(folder, "data/backups", name ?? ""));
    const again = await run("backup", join(folder, "data/backups", name ?? ""));
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining("is not empty") });
  });

  test("of nothing is refused", async () => {
    expect(await run("backup")).toMatchObject({
      code: 1,
      err: expect.stringContaining("there is no data in"),
    });
  });
});

describe("an export", () => {
  test("of a running process is imported elsewhere, where the conversation goes on", async () => {
    const bobbin = await start();
    await bobbin.say("calculate 6 * 7");
    await answersOf(bobbin, 1);
    const exported = await run("export", join(folder, "all.jsonl"));
    expect(exported).toMatchObject({ code: 0, err: "" });
    expect(statSync(join(folder, "all.jsonl")).mode & 0o077).toBe(0);
    expect(readdirSync(join(folder, "data")).filter((name) => name.startsWith("export-"))).toEqual(
      [],
    );
    for (const line of readFileSync(join(folder, "all.jsonl"), "utf8").trim().split("\n"))
      JSON.parse(line);
    await bobbin.end("SIGTERM");

    rmSync(join(folder, "data"), { recursive: true });
    expect(await run("import", join(folder, "all.jsonl"))).toMatchObject({ code: 0, err: "" });
    const moved = await start();
    expect((await moved.answers())[0]?.text).toContain("42");
    await moved.say("calculate 1 + 1");
    await answersOf(moved, 2);
  });

  test("does not overwrite a file", async () => {
    writeFileSync(join(folder, "all.jsonl"), "mine");
    expect(await run("export", "all.jsonl")).toMatchObject({ code: 1 });
    expect(readFileSync(join(folder, "all.jsonl"), "utf8")).toBe("mine");
  });
});

describe("an import", () => {
  async function exportOf(): Promise<string> {
    const bobbin = await start();
    await bobbin.end("SIGTERM");
    await run("export", "all.jsonl");
    return join(folder, "all.jsonl");
  }

  test("refuses to touch data that is there, unless told to, and keeps that aside", async () => {
    const file = await exportOf();
    expect(await run("import", file)).toMatchObject({
      code: 1,
      err: expect.stringContaining("add --replace"),
    });
    const replaced = await run("import", file, "--replace");
    expect(replaced).toMatchObject({ code: 0, err: "" });
    const names = readdirSync(join(folder, "data"));
    expect(names.some((name) => name.startsWith("replaced-"))).toBe(true);
    expect(names.some((name) => name.startsWith("import-"))).toBe(false);
    await start();
  });

  test("is refused while a process works on the data", async () => {
    const file = await exportOf();
    await start();
    expect(await run("import", file, "--replace")).toMatchObject({
      code: 1,
      err: expect.stringContaining("is in use by another process"),
    });
  });

  test("of a file that was cut short changes nothing", async () => {
    const file = await exportOf();
    const lines = readFileSync(file, "utf8").trim().split("\n");
    writeFileSync(file, lines.slice(0, -1).join("\n"));
    rmSync(join(folder, "data"), { recursive: true });
    expect(await run("import", file)).toMatchObject({
      code: 1,
      err: expect.stringContaining("nothing was changed: the file ends early"),
    });
    expect(readdirSync(join(folder, "data"))).toEqual([]);
  });
});
