import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fetchPackages } from "../../../adapters/pyodide/fetch-packages.ts";
import { readLock } from "../../../adapters/pyodide/packages.ts";
import { writeWheels } from "../../fakes/wheels.ts";
import { listenOnLoopback } from "../../wire/loopback.ts";

let published: string;
let folder: string;
let server: Server;
let from: string;
let asked: string[];
beforeEach(async () => {
  published = mkdtempSync(join(tmpdir(), "bobbin-published-"));
  folder = mkdtempSync(join(tmpdir(), "bobbin-fetched-"));
  asked = [];
  server = createServer((request, response) => {
    const name = (request.url ?? "/").slice(1);
    asked.push(name);
    if (readdirSync(published).includes(name)) response.end(readFileSync(join(published, name)));
    else response.writeHead(404).end();
  });
  from = `http://127.0.0.1:${await listenOnLoopback(server)}`;
});
afterEach(() => {
  server.close();
  for (const one of [published, folder]) rmSync(one, { recursive: true });
});

function publish(forged?: string) {
  writeWheels(published, [
    ...["numpy", "matplotlib"].map((name) => ({ name, files: {}, isForged: name === forged })),
    { name: "pandas", depends: ["numpy", "six"], files: {} },
    { name: "six", files: {} },
    { name: "unwanted", files: {} },
  ]);
  return readLock(readFileSync(join(published, "pyodide-lock.json"), "utf8"));
}

const wheel = (name: string) => `${name}-1.0-py3-none-any.whl`;
const wanted = ["numpy", "six", "pandas", "matplotlib"].map(wheel);

test("what is wanted and what that needs is fetched once, and said", async () => {
  const lock = publish();
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  await fetchPackages({ folder, from, lock, print });
  expect(asked).toEqual(wanted);
  expect(readdirSync(folder).sort()).toEqual([...wanted].sort());
  expect(lines.at(-1)).toMatch(/^4 packages for Pyodide 314\.\d+\.\d+, 0\.0 MB, are in /);
  writeFileSync(join(folder, wheel("six")), "damaged");
  await fetchPackages({ folder, from, lock, print });
  expect(asked.slice(4)).toEqual([wheel("six")]);
  expect(readFileSync(join(folder, wheel("six")))).toEqual(
    readFileSync(join(published, wheel("six"))),
  );
});

test("what cannot be had is said with its address and the reason", async () => {
  const lock = publish("matplotlib");
  const fetching = () => fetchPackages({ folder, from, lock, print: () => {} });
  await expect(fetching()).rejects.toThrow(
    /127\.0\.0\.1:\d+\/matplotlib-1\.0-py3-none-any\.whl is not what Pyodide [\d.]+ names in its lock/,
  );
  expect(readdirSync(folder)).not.toContain(wheel("matplotlib"));
  rmSync(join(published, wheel("matplotlib")));
  await expect(fetching()).rejects.toThrow(/cannot be fetched: the server answered 404/);
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  await expect(fetching()).rejects.toThrow(/cannot be fetched: .*(ECONNREFUSED|refused)/);
});
