import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Config,
  dataPlaceOf,
  explainProblems,
  readConfig,
  systemFolders,
} from "../src/config.ts";
import { readEnvironment } from "../src/env-file.ts";

type Env = { readonly [name: string]: string };

function configOf(env: Env): Config {
  const result = readConfig(env);
  if (!result.ok) throw new Error(explainProblems(result.problems));
  return result.config;
}

function problemsOf(env: Env) {
  const result = readConfig(env);
  return result.ok ? [] : result.problems;
}

describe("readConfig", () => {
  test("needs no setting at all", () => {
    const config = configOf({});
    expect(config.server).toMatchObject({ host: "127.0.0.1", port: 3000, isLoopback: true });
    expect(config.model).toEqual({ type: "demo", isChosen: false });
    expect(config.data.directory).toBe(resolve("data"));
    expect(config.console).toEqual({ isEnabled: true, password: undefined });
    expect(config.limits.runDeadlineMs).toBe(600_000);
    expect(config.limits.streamIdleMs).toBe(90_000);
    expect(config.limits.approvalExpiryMs).toBe(1_800_000);
    expect(config.retention.days).toBeUndefined();
  });

  test("takes a role beside others only with the Redis that they share", () => {
    expect(configOf({}).role).toBe("all");
    const alone = problemsOf({ BOBBIN_ROLE: "worker" });
    expect(alone.map(({ variable }) => variable)).toEqual(["BOBBIN_ROLE"]);
    expect(alone[0]?.fix).toContain("REDIS_URL");
    const shared = { REDIS_URL: "redis://127.0.0.1:6379", HOST: "0.0.0.0" };
    expect(configOf({ ...shared, BOBBIN_ROLE: "worker" }).role).toBe("worker");
    // A gateway serves the console, so it has to ask who comes in.
    const open = problemsOf({ ...shared, BOBBIN_ROLE: "gateway" });
    expect(open.map(({ variable }) => variable)).toEqual(["CONSOLE_PASSWORD"]);
    expect(problemsOf({ BOBBIN_ROLE: "boss" })[0]?.seen).toContain("boss");
  });

  test("treats an empty value like one that is not set", () => {
    expect(configOf({ PORT: "", OPENAI_API_KEY: "  ", ADMINS: "" })).toEqual(configOf({}));
  });

  test("turns seconds, minutes and megabytes into ms and bytes", () => {
    const config = configOf({
      RUN_DEADLINE_SECONDS: "5",
      APPROVAL_EXPIRY_MINUTES: "2",
      FILE_MAX_MB: "0.5",
      SHUTDOWN_GRACE_SECONDS: "3",
    });
    expect(config.limits.runDeadlineMs).toBe(5_000);
    expect(config.limits.approvalExpiryMs).toBe(120_000);
    expect(config.files.maxBytes).toBe(500_000);
    expect(config.server.shutdownGraceMs).toBe(3_000);
  });

  test("reports every problem at once", () => {
    const problems = problemsOf({
      PORT: "http",
      LOG_LEVEL: "loud",
      RUN_CONCURRENCY: "0",
      FILE_MAX_MB: "ten",
      OPENAI_BASE_URL: "localhost:11434",
      ADMINS: "web:ada,bob",
      MODEL_PRICES: "{",
      HOST: "0.0.0.0",
    });
    expect(problems.map((problem) => problem.variable)).toEqual([
      "PORT",
      "LOG_LEVEL",
      "OPENAI_BASE_URL",
      "RUN_CONCURRENCY",
      "FILE_MAX_MB",
      "ADMINS",
      "MODEL_PRICES",
      "CONSOLE_PASSWORD",
    ]);
    for (const problem of problems) expect(problem.fix).not.toBe("");
  });

  test.each([
    ["PORT", "abc", "is not a whole number"],
    ["PORT", "3000.5", "is not a whole number"],
    ["PORT", "70000", "is more than 65535"],
    ["PORT", "0x10", "is not a whole number"],
    ["PORT", "1e3", "is not a whole number"],
    ["RUN_CONCURRENCY", "0", "is less than 1"],
    ["RETENTION_DAYS", "90d", "is not a whole number"],
    ["RUN_MAX_COST_USD", "-1", "is less than 0"],
    ["RUN_MAX_COST_USD", "$1", "is not a number"],
    ["LOG_LEVEL", "verbose", "is none of the values it can have"],
    ["MODEL_BACKEND", "gpt", "is none of the values it can have"],
    ["PUBLIC_URL", "bobbin.example.com", "is not an address"],
    ["OPENAI_BASE_URL", "ftp://example.com", "does not begin with http:// or https://"],
    ["ADMINS", "ada", 'contains "ada", which is not a person as platform:id, such as web:ada'],
    ["MODEL_PRICES", "[]", "is not an object of prices by model"],
    ["MODEL_PRICES", '{"m": {"input": 1}}', "lacks the price of input or output for m"],
    [
      "MODEL_PRICES",
      '{"m": {"input": 1, "output": "2"}}',
      'has a price "output" for m that is not a number of at least 0',
    ],
    [
      "MODEL_PRICES",
      '{"m": {"input": 1, "output": 2, "cached": 1}}',
      'has an unknown price "cached" for m',
    ],
  ])("refuses %s=%s: it %s", (variable, value, problem) => {
    expect(problemsOf({ [variable]: value })).toMatchObject([
      { variable, seen: `"${value}"`, problem },
    ]);
  });

  test.each([
    ["OPENAI_API_KEY", "sk-proj-abc def"],
    ["CONSOLE_PASSWORD", "hunter2"],
    ["METRICS_TOKEN", '"swordfish-and-more"'],
  ])("never shows the value of %s", (variable, value) => {
    const problems = problemsOf({ [variable]: value });
    expect(problems.map((problem) => problem.variable)).toEqual([variable]);
    expect(explainProblems(problems)).not.toContain(value);
    expect(problems[0]?.seen).toBe(`set (${value.length} characters, not shown)`);
  });

  test.each([
    ["garbage", "is not an address"],
    ["redis://:s3cret#1@host:6379", "is not an address"],
    ["http://host:6379", "does not begin with redis:// or rediss://"],
    ["redis:", "names no host"],
    ["redis://", "names no host"],
    ["redis://:s3cret%@host", "has a % in its user name or password that stands for nothing"],
    ["redis://host/zero", "ends in something that is not a database's number"],
    ["redis://host/-1", "ends in something that is not a database's number"],
    ["redis://host?db=1", "has a ? or a # in it"],
  ])("refuses REDIS_URL=%s: it %s", (value, problem) => {
    expect(problemsOf({ REDIS_URL: value })).toMatchObject([{ variable: "REDIS_URL", problem }]);
    expect(explainProblems(problemsOf({ REDIS_URL: value }))).not.toContain("s3cret");
    // A command that took the folder instead would read, or write, other data than was meant.
    expect(() => dataPlaceOf({ REDIS_URL: value })).toThrow(problem);
  });

  test.each(["redis://host", "rediss://me:a%40b@host:6380/3", "redis://[::1]:6379/"])(
    "takes REDIS_URL=%s",
    (value) => expect(configOf({ REDIS_URL: value }).data.redisUrl).toBe(value),
  );

  test("never shows the password inside an address", () => {
    const problems = problemsOf({ OPENAI_BASE_URL: "https://me:s3cret@example.com/v1" });
    expect(explainProblems(problems)).not.toContain("s3cret");
    expect(problems).toMatchObject([{ problem: "carries a user name or a password" }]);
  });
});

describe("folders", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bobbin-folders-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test("of data are made, for their owner alone", () => {
    const path = join(folder, "deep/data");
    expect(readConfig({ DATA_DIR: path }, systemFolders)).toMatchObject({ ok: true });
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  test("that cannot be used are told with everything else", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const env = { PORT: "x", DATA_DIR: join(file, "data"), TOOLS_DIR: join(folder, "nowhere") };
    const result = readConfig(env, systemFolders);
    expect(result).toMatchObject({
      ok: false,
      problems: [
        { variable: "PORT" },
        { variable: "DATA_DIR", problem: expect.stringContaining("ENOTDIR") },
        { variable: "TOOLS_DIR", problem: expect.stringContaining("ENOENT") },
      ],
    });
  });

  test("a file that names tool servers has to be there", () => {
    const mcp = (path: string) =>
      readConfig({ DATA_DIR: folder, MCP_SERVERS: path }, systemFolders);
    expect(mcp(join(folder, "nowhere.yaml"))).toMatchObject({
      problems: [{ variable: "MCP_SERVERS", problem: expect.stringContaining("ENOENT") }],
    });
    expect(mcp(folder)).toMatchObject({ problems: [{ problem: "is no file" }] });
    writeFileSync(join(folder, "servers.yaml"), "servers: {}");
    expect(mcp(join(folder, "servers.yaml"))).toMatchObject({ ok: true });
  });

  test("the folder of Python's packages counts only where Python is run", () => {
    const env = { DATA_DIR: folder, PYODIDE_PACKAGES: join(folder, "nowhere") };
    expect(readConfig(env, systemFolders)).toMatchObject({
      ok: true,
      config: { codeInterpreter: undefined },
    });
    expect(readConfig({ ...env, CODE_INTERPRETER: "local" }, systemFolders)).toMatchObject({
      problems: [{ variable: "PYODIDE_PACKAGES", problem: expect.stringContaining("ENOENT") }],
    });
    const local = { DATA_DIR: folder, CODE_INTERPRETER: "local", PYODIDE_PACKAGES: folder };
    expect(readConfig(local, systemFolders)).toMatchObject({
      config: {
        codeInterpreter: {
          packagesFolder: folder,
          timeoutMs: 60_000,
          maxMemoryBytes: 512_000_000,
        },
      },
    });
  });

  test("of tools have to be folders", () => {
    writeFileSync(join(folder, "tool.ts"), "");
    const env = { DATA_DIR: folder, TOOLS_DIR: join(folder, "tool.ts") };
    expect(readConfig(env, systemFolders)).toMatchObject({
      problems: [{ variable: "TOOLS_DIR", problem: "is no folder" }],
    });
  });
});

describe("the console", () => {
  test.each([
    ["HOST beyond loopback", { HOST: "0.0.0.0" }],
    ["an IPv6 HOST beyond loopback", { HOST: "::" }],
    ["a PUBLIC_URL, as behind a proxy", { PUBLIC_URL: "https://bobbin.example.com" }],
  ])("needs a password with %s", (_case, env) => {
    expect(problemsOf(env).map((problem) => problem.variable)).toEqual(["CONSOLE_PASSWORD"]);
    expect(problemsOf({ ...env, CONSOLE_PASSWORD: "long-enough" })).toEqual([]);
    expect(problemsOf({ ...env, CONSOLE: "off" })).toEqual([]);
  });

  test.each(["127.0.0.1", "127.0.1.1", "localhost", "::1"])("needs none on %s", (HOST) => {
    expect(configOf({ HOST }).server.isLoopback).toBe(true);
  });
});

describe("the model", () => {
  test("writes recordings down with OpenAI's model there, and elsewhere with the one that is named", () => {
    const own = { OPENAI_BASE_URL: "http://127.0.0.1:11434/v1", OPENAI_MODEL: "llama" };
    const modelOf = (env: { readonly [name: string]: string }) => {
      const { model } = configOf(env);
      return model.type === "openai" ? model.transcriptionModel : "none";
    };
    expect(modelOf(own)).toBeUndefined();
    expect(modelOf({ ...own, OPENAI_TRANSCRIPTION_MODEL: "whisper" })).toBe("whisper");
    expect(
      modelOf({ OPENAI_API_KEY: "sk-test", OPENAI_TRANSCRIPTION_MODEL: "off" }),
    ).toBeUndefined();
  });

  test("is OpenAI's as soon as there is a key", () => {
    expect(configOf({ OPENAI_API_KEY: "sk-test" }).model).toEqual({
      type: "openai",
      apiKey: "sk-test",
      baseUrl: undefined,
      model: "gpt-5.5",
      api: "auto",
      background: "auto",
      transcriptionModel: "gpt-4o-mini-transcribe",
    });
  });

  test("is a local server's without any key", () => {
    const env = { OPENAI_BASE_URL: "http://127.0.0.1:11434/v1/", OPENAI_MODEL: "llama3.2" };
    expect(configOf(env).model).toMatchObject({
      type: "openai",
      apiKey: undefined,
      baseUrl: "http://127.0.0.1:11434/v1",
      model: "llama3.2",
    });
  });

  test("has to be named for a server of one's own", () => {
    expect(problemsOf({ OPENAI_BASE_URL: "http://127.0.0.1:11434/v1" })).toMatchObject([
      { variable: "OPENAI_MODEL", seen: undefined },
    ]);
  });

  test("has to be there in production, unless the demo brain is asked for", () => {
    expect(problemsOf({ NODE_ENV: "production" })).toMatchObject([{ variable: "OPENAI_API_KEY" }]);
    const chosen = configOf({ NODE_ENV: "production", MODEL_BACKEND: "demo" });
    expect(chosen.model).toEqual({ type: "demo", isChosen: true });
  });

  test("needs a key when it is asked for by name", () => {
    expect(problemsOf({ MODEL_BACKEND: "openai" })).toMatchObject([{ variable: "OPENAI_API_KEY" }]);
  });

  test("OpenAI's own Assistants API has ended, and is refused before anybody asks it", () => {
    for (const at of [{}, { OPENAI_BASE_URL: "https://api.openai.com/v1" }]) {
      expect(
        problemsOf({ OPENAI_API: "assistants", OPENAI_API_KEY: "sk-test", ...at }),
      ).toMatchObject([{ variable: "OPENAI_API", problem: expect.stringContaining("2026-08-26") }]);
    }
    const elsewhere = { OPENAI_BASE_URL: "http://127.0.0.1:9/v1", OPENAI_MODEL: "m" };
    expect(configOf({ OPENAI_API: "assistants", ...elsewhere }).model).toMatchObject({
      api: "assistants",
    });
  });
});

describe("readEnvironment", () => {
  test("puts the process before the .env file and names what is no setting", () => {
    const folder = mkdtempSync(join(tmpdir(), "bobbin-env-"));
    try {
      writeFileSync(join(folder, ".env"), 'PORT=4000\nLOG_LEVEL="warn"\nOPENAI_APIKEY=sk-x\n');
      const { env, unused } = readEnvironment(folder, { PORT: "5000" });
      expect(env).toMatchObject({ PORT: "5000", LOG_LEVEL: "warn" });
      expect(unused).toEqual([
        "OPENAI_APIKEY in .env is no setting of Bobbin; it is not used. Did you mean OPENAI_API_KEY?",
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("names the lines that are none, without what stands in them", () => {
    const folder = mkdtempSync(join(tmpdir(), "bobbin-env-"));
    const lines = [
      "# PORT: 1",
      "OPENAI_API_KEY: sk-secret",
      "",
      "export LOG_LEVEL=warn",
      'TOOL_SECRET_PEM="-----BEGIN-----',
      "abc",
      '-----END-----"',
      "PORT 4000",
      "OPENAI_MODEL=it's",
      "  lost",
    ];
    writeFileSync(join(folder, ".env"), lines.join("\r\n"));
    const { env, unused } = readEnvironment(folder, {});
    rmSync(folder, { recursive: true });
    expect(Object.keys(env).sort()).toEqual(["LOG_LEVEL", "OPENAI_MODEL", "TOOL_SECRET_PEM"]);
    expect(unused).toEqual(
      [2, 8, 10].map((line) => `line ${line} of .env is not NAME=value; it is not used.`),
    );
  });

  test("does without the file", () => {
    const folder = mkdtempSync(join(tmpdir(), "bobbin-env-"));
    expect(readEnvironment(folder, { A: "1" })).toEqual({ env: { A: "1" }, unused: [] });
    rmSync(folder, { recursive: true });
  });
});

describe("Slack for many workspaces", () => {
  const many = {
    SLACK_CLIENT_ID: "1.2",
    SLACK_CLIENT_SECRET: "a-client-secret",
    SLACK_SIGNING_SECRET: "a-signing-secret",
    SLACK_INSTALLATIONS_KEY: Buffer.alloc(32, 7).toString("base64"),
    PUBLIC_URL: "https://bobbin.example",
    CONSOLE: "off",
  };

  test("is read whole", () => {
    const read = readConfig(many);
    expect(read.ok && read.config.slack?.access).toEqual({
      type: "oauth",
      clientId: "1.2",
      clientSecret: "a-client-secret",
      key: Buffer.alloc(32, 7),
      redirectUrl: "https://bobbin.example/slack/oauth_redirect",
    });
  });

  test.each([
    "SLACK_CLIENT_ID",
    "SLACK_CLIENT_SECRET",
    "SLACK_SIGNING_SECRET",
    "SLACK_INSTALLATIONS_KEY",
    "PUBLIC_URL",
  ])("misses %s when it is left out", (name) => {
    const read = readConfig({ ...many, [name]: undefined });
    expect(!read.ok && read.problems.map(({ variable }) => variable)).toEqual([name]);
  });

  test("refuses a key of another length, and does not show it", () => {
    const short = Buffer.alloc(33, 7).toString("base64");
    const read = readConfig({ ...many, SLACK_INSTALLATIONS_KEY: short });
    expect(!read.ok && read.problems).toMatchObject([
      { variable: "SLACK_INSTALLATIONS_KEY", problem: "holds 33 bytes, not 32" },
    ]);
    expect(JSON.stringify(read)).not.toContain(short);
  });
});
