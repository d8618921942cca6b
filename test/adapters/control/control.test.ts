import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  askRunning,
  type ControlRequest,
  type ControlServer,
  controlPathOf,
  startControl,
} from "../../../adapters/control/control.ts";
import { silentLog } from "../../fakes/silent-log.ts";

let folder: string;
let server: ControlServer | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bobbin-control-"));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

async function listen(handle: (request: ControlRequest) => Promise<string>): Promise<string> {
  const path = controlPathOf(folder);
  server = await startControl({ path, handle, log: silentLog });
  return path;
}

describe("the control socket", () => {
  test("hands over a request and gives the words back", async () => {
    const seen: ControlRequest[] = [];
    const path = await listen(async (request) => {
      seen.push(request);
      return "Saved.";
    });
    const answer = await askRunning(path, { type: "backup", to: "/somewhere/else" });
    expect(answer).toEqual({ ok: true, words: "Saved." });
    expect(seen).toEqual([{ type: "backup", to: "/somewhere/else" }]);
  });

  test("tells what went wrong, in words", async () => {
    const path = await listen(() => Promise.reject(new Error("the disk is full")));
    expect(await askRunning(path, { type: "backup", to: "x" })).toEqual({
      ok: false,
      words: "the disk is full",
    });
  });

  test("belongs to its owner alone", async () => {
    const path = await listen(async () => "");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("says that nobody is there when nobody is", async () => {
    expect(await askRunning(controlPathOf(folder), { type: "backup", to: "x" })).toBeUndefined();
  });

  test("takes the place of what a dead process left", async () => {
    writeFileSync(controlPathOf(folder), "");
    const path = await listen(async () => "here");
    expect(await askRunning(path, { type: "backup", to: "x" })).toMatchObject({ ok: true });
  });

  test("leaves nothing behind when it is closed", async () => {
    const path = await listen(async () => "");
    await server?.close();
    server = undefined;
    expect(await askRunning(path, { type: "backup", to: "x" })).toBeUndefined();
    expect(() => statSync(path)).toThrow("ENOENT");
  });

  test("answers what is under way before it closes", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    const path = await listen(() => {
      begun.resolve();
      return promise;
    });
    const answer = askRunning(path, { type: "backup", to: "x" });
    await begun.promise;
    const closed = server?.close();
    server = undefined;
    resolve("done");
    expect(await answer).toEqual({ ok: true, words: "done" });
    await closed;
  });

  test.each([
    ["is not JSON", "hello"],
    ["asks for something unknown", '{"type":"format","to":"x"}'],
    ["is endless", `"${"x".repeat(70_000)}"`],
  ])("refuses a request that %s", async (_case, text) => {
    let isHandled = false;
    const path = await listen(async () => {
      isHandled = true;
      return "";
    });
    const socket = connect({ path, allowHalfOpen: true });
    socket.end(text);
    let answer = "";
    for await (const chunk of socket) answer += chunk;
    expect(JSON.parse(answer)).toMatchObject({ ok: false });
    expect(isHandled).toBe(false);
  });
});

describe("controlPathOf", () => {
  test("stays within what a socket's name may be, however deep the folder", () => {
    const deep = join(folder, "x".repeat(200));
    expect(Buffer.byteLength(controlPathOf(deep))).toBeLessThanOrEqual(104);
    expect(controlPathOf(deep)).toBe(controlPathOf(deep));
    expect(controlPathOf(deep)).not.toBe(controlPathOf(`${deep}y`));
  });
});
