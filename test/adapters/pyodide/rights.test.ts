import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runConfined } from "../../../adapters/confined/confined.ts";

test("who breaks out of Python finds a process without rights", async () => {
  const end = await runConfined(
    {
      file: new URL("./without-rights.ts", import.meta.url),
      reads: ["adapters/pyodide/", "test/adapters/pyodide/"],
      flags: ["--frozen-intrinsics"],
    },
    {
      request: { file: fileURLToPath(new URL("./without-rights.ts", import.meta.url)) },
      limits: {
        timeoutMs: 60_000,
        heapBytes: 64_000_000,
        memoryBytes: 200_000_000,
        outputBytes: 100_000,
      },
    },
    new AbortController().signal,
  );
  if (end.status !== "ended") throw new Error(end.limit);
  const { globals, ...found } = JSON.parse(end.output.toString("utf8"));
  expect(found).toEqual({
    before: true,
    environment: [],
    reading: "ERR_ACCESS_DENIED",
    looking: "ERR_ACCESS_DENIED",
    writing: "ERR_ACCESS_DENIED",
    spawning: "ERR_ACCESS_DENIED",
    threading: "ERR_ACCESS_DENIED",
    code: expect.stringContaining("Code generation from strings disallowed"),
    polluting: expect.stringMatching(/^TypeError/),
  });
  for (const name of ["process", "fetch", "WebSocket", "EventSource", "Buffer", "require"]) {
    expect([name, globals.includes(name)]).toEqual([name, false]);
  }
});
