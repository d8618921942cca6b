import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hasRedis, RedisServer } from "./adapters/redis/server.ts";
import { BobbinProcess } from "./fakes/bobbin-process.ts";

describe.skipIf(!hasRedis)("npm start with REDIS_URL", () => {
  let folder: string;
  let server: RedisServer;
  let running: BobbinProcess[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bobbin-shared-"));
    server = await RedisServer.start();
  });

  afterEach(async () => {
    await Promise.all(running.map((bobbin) => bobbin.end("SIGKILL")));
    running = [];
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  function begin(args: readonly string[] = []): BobbinProcess {
    const bobbin = new BobbinProcess({ folder, args, env: { REDIS_URL: server.url } });
    running.push(bobbin);
    return bobbin;
  }

  async function start(): Promise<BobbinProcess> {
    const bobbin = begin();
    await bobbin.ready();
    return bobbin;
  }

  async function answers(bobbin: BobbinProcess, count: number): Promise<readonly string[]> {
    return vi.waitFor(
      async () => {
        const shown = await bobbin.answers();
        expect(shown).toHaveLength(count);
        return shown.map(({ text }) => text);
      },
      { timeout: 60_000, interval: 50 },
    );
  }

  test("answers, and knows the conversation in another process, after a kill too", async () => {
    const first = await start();
    expect(first.stderr).toContain("Redis");
    await first.say("calculate 6 * 7");
    expect((await answers(first, 1))[0]).toContain("42");
    await first.end("SIGKILL");
    const second = await start();
    await second.say("calculate 6 * 8");
    const [before, after] = await answers(second, 2);
    expect(before).toContain("42");
    expect(after).toContain("48");
    expect(await second.end("SIGTERM")).toBe(0);
  });

  test("answers after a kill of Redis what was said before it", async () => {
    const bobbin = await start();
    await bobbin.say("calculate 6 * 7");
    await answers(bobbin, 1);
    await server.kill();
    await server.run();
    await vi.waitFor(async () => expect((await bobbin.get("readyz")).status).toBe(200), {
      timeout: 20_000,
      interval: 100,
    });
    await bobbin.say("calculate 6 * 8");
    expect((await answers(bobbin, 2))[1]).toContain("48");
  });

  test("keeps what it is at work on for LEASE_SECONDS, and records with their version", async () => {
    await server.kill();
    await server.run(["--appendonly", "no", "--save", "3600 1"]);
    const bobbin = new BobbinProcess({
      folder,
      env: { REDIS_URL: `${server.url}/7`, LEASE_SECONDS: "100" },
    });
    running.push(bobbin);
    await bobbin.ready();
    expect(bobbin.stderr).toContain("the Redis of REDIS_URL may lose data: appendonly is no");
    const redis = createClient({ url: `${server.url}/7` });
    await redis.connect();
    try {
      await bobbin.say("slow 600");
      const leaseMs = async () => {
        const [lock] = await redis.keys("{bobbin}:wake:*:lock");
        return lock === undefined ? 0 : redis.pTTL(lock);
      };
      await expect.poll(leaseMs, { timeout: 60_000 }).toBeGreaterThan(40_000);
      expect(await leaseMs()).toBeLessThanOrEqual(100_000);
      await bobbin.say("calculate 6 * 7", "Bob");
      await expect
        .poll(async () => (await bobbin.answers("Bob")).length, { timeout: 60_000 })
        .toBe(1);
      const records = await redis.keys("{bobbin}:record:*");
      expect(records).not.toEqual([]);
      for (const value of await redis.mGet(records)) expect(value).toContain('"$version":1');
      // Nothing has gone to another database.
      expect((await redis.info("keyspace")).match(/^db\d+/gm)).toEqual(["db7"]);
    } finally {
      redis.destroy();
    }
  });

  test("refuses a Redis that throws keys away, in words", async () => {
    await server.kill();
    await server.run(["--maxmemory-policy", "allkeys-lru"]);
    const bobbin = begin();
    expect(await bobbin.exit()).toBe(1);
    expect(bobbin.stderr).toContain("maxmemory-policy is allkeys-lru");
    expect(bobbin.stderr).toContain("set it to noeviction");
  });

  test("refuses a Redis that it may not use in one line, without the password", async () => {
    const REDIS_URL = server.url.replace("//", "//:s3cret-of-ours@");
    for (const args of [[], ["export", "there.jsonl"]]) {
      const { code, out, err } = await run(args, { REDIS_URL });
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toMatch(/^Bobbin: the Redis of REDIS_URL \(.+\) has no password: .+\n$/);
      expect(err).not.toContain("s3cret");
    }
  });

  async function run(args: readonly string[], env: { readonly [name: string]: string }) {
    const command = new BobbinProcess({ folder, args, env });
    running.push(command);
    return { code: await command.exit(), out: command.stdout, err: command.stderr };
  }

  test("moves from the data file to Redis and back, and goes on in the conversation", async () => {
    const here = { REDIS_URL: server.url };
    const inFile = new BobbinProcess({ folder });
    running.push(inFile);
    await inFile.ready();
    await inFile.say("calculate 6 * 7");
    await answers(inFile, 1);
    await inFile.end("SIGTERM");
    expect(await run(["export", "there.jsonl"], {})).toMatchObject({ code: 0, err: "" });
    expect(await run(["import", "there.jsonl"], here)).toMatchObject({ code: 0, err: "" });

    const inRedis = await start();
    await inRedis.say("calculate 6 * 8");
    expect((await answers(inRedis, 2))[0]).toContain("42");
    const early = await run(["export", "back.jsonl"], here);
    expect(early).toMatchObject({ code: 1, err: expect.stringContaining("stop all of them") });
    await inRedis.end("SIGTERM");
    const again = await run(["import", "there.jsonl"], here);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining("there is data") });
    expect(await run(["export", "back.jsonl"], here)).toMatchObject({ code: 0, err: "" });

    rmSync(join(folder, "data"), { recursive: true });
    expect(await run(["import", "back.jsonl"], {})).toMatchObject({ code: 0, err: "" });
    const back = new BobbinProcess({ folder });
    running.push(back);
    await back.ready();
    await back.say("calculate 6 * 9");
    expect(await answers(back, 3)).toEqual(
      ["42", "48", "54"].map((number) => expect.stringContaining(number)),
    );
  });

  test("refuses a backup of what is in Redis, in words", async () => {
    const backup = await run(["backup"], { REDIS_URL: server.url });
    expect(backup).toMatchObject({ code: 1, err: expect.stringContaining("is for the data file") });
  });
});
