import { describe, expect, test } from "vitest";
import { createLog } from "../../../adapters/pino/log.ts";

/** What a log wrote, line by line, parsed; and as it stands, for looking for what must not be there. */
function logged(
  write: (log: ReturnType<typeof createLog>) => void,
  options: { secrets?: readonly string[]; level?: "debug" | "info" | "warn" } = {},
) {
  let raw = "";
  const destination = {
    write(line: string) {
      raw += line;
    },
  };
  write(
    createLog({ level: options.level ?? "debug", destination, secrets: options.secrets ?? [] }),
  );
  const lines = raw.split("\n").filter((line) => line !== "");
  return { raw, lines: lines.map((line) => JSON.parse(line) as { [key: string]: unknown }) };
}

describe("the log", () => {
  test("writes one JSON line for an event, with its fields", () => {
    const { lines } = logged((log) => log.info({ run: "run_1", ms: 12 }, "run completed"));
    expect(lines).toEqual([
      { level: "info", time: expect.any(String), run: "run_1", ms: 12, msg: "run completed" },
    ]);
    expect(Date.parse(String(lines[0]?.time))).not.toBeNaN();
  });

  test("gives a child's fields to each of its lines", () => {
    const { lines } = logged((log) => {
      const child = log.child({ run: "run_1" });
      child.info({ step: 1 }, "step started");
      child.warn({ step: 1 }, "step failed");
    });
    expect(lines).toMatchObject([
      { run: "run_1", step: 1, msg: "step started", level: "info" },
      { run: "run_1", step: 1, msg: "step failed", level: "warn" },
    ]);
  });

  test("says nothing below its level", () => {
    const { lines } = logged(
      (log) => {
        log.debug({}, "noise");
        log.info({}, "noise");
        log.error({}, "trouble");
      },
      { level: "warn" },
    );
    expect(lines.map((line) => line.msg)).toEqual(["trouble"]);
  });

  test("takes an error apart: name, code, words, where, and why", () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), {
      code: "ECONNREFUSED",
    });
    const { lines } = logged((log) =>
      log.error({ error: new Error("cannot reach it", { cause }) }, "call failed"),
    );
    expect(lines[0]?.error).toMatchObject({
      name: "Error",
      message: "cannot reach it",
      at: expect.arrayContaining([expect.stringContaining("log.test.ts")]),
      cause: { code: "ECONNREFUSED" },
    });
  });

  test("survives a ring and what JSON does not know", () => {
    const ring: { self?: unknown } = {};
    ring.self = ring;
    const { lines } = logged((log) => log.info({ ring, big: 1n, bytes: new Uint8Array(3) }, "odd"));
    expect(lines[0]).toMatchObject({ big: "1", bytes: "(3 bytes)" });
  });
});

// Shaped like the real ones, put together here so that no scanner takes them for real.
const secrets = {
  "an OpenAI key": ["sk", "proj", "Ab3dEf6hIj9lMn0pQr2tUv5xYz8"].join("-"),
  "an OpenRouter key": ["sk", "or", "v1", "0123456789abcdef0123456789abcdef"].join("-"),
  "a Slack bot token": ["xoxb", "123456789012", "1234567890123", "AbCdEfGhIjKlMnOpQrStUvWx"].join(
    "-",
  ),
  "a Slack app token": ["xapp", "1", "A0123456789", "1234567890123", "abcdef0123456789"].join("-"),
  "a rotating Slack token": ["xoxe.xoxb", "1", "Mi0yLTEyMzQ1Njc4OTAxMi0xMjM0"].join("-"),
  "a Discord bot token": [
    "MTIzNDU2Nzg5MDEyMzQ1Njc4",
    "GaBcDe",
    "abcdefghijklmnopqrstuvwxyz01234567890A",
  ].join("."),
  "a JSON web token": [
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJzdWIiOiIxMjM0In0",
    "dozjgNryP4J3jVmNHl0w5N",
  ].join("."),
  "a GitHub token": `ghp_${"a1B2".repeat(9)}`,
} as const;

describe("secrets stay out of the log", () => {
  test.each(Object.entries(secrets))("%s, wherever it stands", (_what, secret) => {
    const { raw } = logged((log) => {
      log.info({ note: `used ${secret} to call` }, "in a string");
      log.info({ deep: { list: [{ header: secret }] } }, "in the depth");
      log.error({ error: new Error(`401 Incorrect API key provided: ${secret}.`) }, "in an error");
      log.error({ error: new Error("no", { cause: new Error(secret) }) }, "in a cause");
      log.child({ who: secret }).info({}, "in a child");
      log.warn({}, `in the event ${secret}`);
      log.info({ url: new URL(`https://example.com/?token=${secret}`) }, "in an address");
    });
    expect(raw).not.toContain(secret);
    expect(raw.split("\n")).toHaveLength(8);
  });

  test.each([
    ["authorization", "Bearer abcdef123456"],
    ["Authorization", "plain-opaque-value"],
    ["cookie", "session=opaque; theme=dark"],
    ["set-cookie", "session=opaque; HttpOnly"],
    ["password", "hunter2"],
    ["apiKey", "opaque-value"],
    ["x-api-key", "opaque-value"],
    ["metricsToken", "opaque-value"],
    ["signingSecret", "0123456789abcdef0123456789abcdef"],
  ])("what is called %s", (name, value) => {
    const { raw } = logged((log) => log.info({ headers: { [name]: value } }, "request"));
    expect(raw).not.toContain(value);
  });

  test.each([
    [
      "a header in a sentence",
      "sent Authorization: Bearer c2VjcmV0LXZhbHVl now",
      "c2VjcmV0LXZhbHVl",
    ],
    ["a cookie in a sentence", "got Set-Cookie: bobbin=s3cr3t-value; Path=/", "s3cr3t-value"],
    ["a password in an address", "redis://admin:s3cr3t-value@127.0.0.1:6379", "s3cr3t-value"],
    ["a signed address", "https://cdn.example.com/a.png?ex=66&hm=s3cr3tvalue&is=1", "s3cr3tvalue"],
    ["a webhook", "https://hooks.slack.com/services/T000/B000/s3cr3tvalue", "s3cr3tvalue"],
  ])("%s", (_what, text, secret) => {
    const { raw } = logged((log) => log.info({ note: text }, "note"));
    expect(raw).not.toContain(secret);
  });

  test("the very values that are set, though they look like words", () => {
    const { raw } = logged((log) => log.info({ note: "typed correct-horse again" }, "login"), {
      secrets: ["correct-horse"],
    });
    expect(raw).not.toContain("correct-horse");
  });
});

describe("message text stays out of the log", () => {
  test.each([
    "text",
    "content",
    "prompt",
    "instructions",
    "payload",
    "arguments",
    "output",
    "view",
  ])("under the name %s", (name) => {
    const { raw } = logged((log) => {
      log.info({ [name]: "my salary is 12345" }, "direct");
      log.info({ item: { [name]: { parts: ["my salary is 12345"] } } }, "nested");
    });
    expect(raw).not.toContain("12345");
  });

  test("in what a parser says of it", () => {
    const { raw, lines } = logged((log) => {
      try {
        JSON.parse("salary 12345");
      } catch (error) {
        log.error({ error }, "could not read");
      }
    });
    expect(raw).not.toContain("salary");
    expect(lines[0]?.error).toMatchObject({ name: "SyntaxError" });
  });

  test("when it is long, under any name", () => {
    const { raw } = logged((log) => log.info({ note: `${"x".repeat(600)}12345` }, "long"));
    expect(raw).not.toContain("12345");
    expect(raw).toContain("(605)");
  });

  test("while ids, keys and numbers are shown", () => {
    const fields = {
      run: "run_Ab3",
      conversation: "slack:T1:C1:1700000000.000100",
      person_key: "web:ada",
      tokens: 12,
      output: 34,
      ms: 5,
    };
    expect(logged((log) => log.info(fields, "ok")).lines[0]).toMatchObject(fields);
  });
});
