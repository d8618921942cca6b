import { once } from "node:events";
import { createServer } from "node:net";
import { createClient } from "redis";
import { describe, expect, onTestFinished, test } from "vitest";
import { openRedisData } from "../../../adapters/redis/shared-data.ts";
import { openRedisStore } from "../../../adapters/redis/store.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import { hasRedis, RedisServer } from "./server.ts";

const password = "s3cret/pass";
const written = encodeURIComponent(password);

/** What an admin reads of a Redis that does not take the bot in. */
async function wordsFor(url: string): Promise<string> {
  const options = { url, leaseMs: 5_000, log: silentLog, warn: () => undefined };
  const opened = openRedisStore(options).then((store) => store[Symbol.asyncDispose]());
  return opened.then(
    () => "it was opened",
    (error) => String(error.message),
  );
}

async function startServer(settings: readonly string[] = []): Promise<RedisServer> {
  const server = await RedisServer.start(settings);
  onTestFinished(() => server.remove());
  return server;
}

async function send(server: RedisServer, command: readonly string[]): Promise<void> {
  const client = createClient({ url: server.url });
  await client.connect();
  await client.sendCommand(command);
  await client.close();
}

/** Something that listens and is no Redis. */
async function listen(answer: string | undefined): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    if (answer !== undefined) socket.on("data", () => socket.end(answer));
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it does not listen");
  return `127.0.0.1:${address.port}`;
}

describe.skipIf(!hasRedis)("a Redis that cannot be used is named with what to do:", () => {
  test("one that asks for a password, for another one, or for none", async () => {
    const server = await startServer();
    const own = server.url;
    const place = `the Redis of REDIS_URL (${own})`;
    const withPassword = own.replace("//", `//:${written}@`);
    await expect(wordsFor(withPassword)).resolves.toContain(
      `${place} has no password: leave it out`,
    );
    await send(server, ["CONFIG", "SET", "requirepass", "another"]);
    await expect(wordsFor(own)).resolves.toContain(`${place} asks for a password: write it into`);
    const wrong = await wordsFor(withPassword);
    expect(wrong).toContain(`${place} does not know that user name and password: correct them`);
    expect(wrong).not.toMatch(/s3cret/);
  });

  test("one without that database", async () => {
    const server = await startServer();
    const words = await wordsFor(`${server.url}/99`);
    expect(words).toContain(`(${server.url}/99) has no such database: correct the number`);
  });

  test("one that allows its user too little", async () => {
    const server = await startServer();
    const all = ["ACL", "SETUSER", "bob", "on", `>${password}`, "~*", "+@all"];
    await send(server, [...all, "resetchannels"]);
    const url = server.url.replace("//", `//bob:${written}@`);
    const words = await wordsFor(url);
    expect(words).toContain("allows that user too little: give it all commands");
    expect(words).toContain("channels");
    expect(words).not.toMatch(/s3cret|bob:/);
    await send(server, [...all, "resetkeys", "~{bobbin}:*", "&{bobbin}:*"]);
    await expect(wordsFor(url)).resolves.toBe("it was opened");
  });

  test("a cluster, ready or not", async () => {
    const server = await startServer(["--cluster-enabled", "yes"]);
    await expect(wordsFor(server.url)).resolves.toContain("is a cluster: set REDIS_URL to");
    await send(server, ["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    await expect
      .poll(() => wordsFor(server.url), { timeout: 20_000 })
      .toMatch("it is a cluster; set");
  });

  test("a replica", async () => {
    const primary = await startServer();
    const { port } = new URL(primary.url);
    const server = await startServer(["--replicaof", `127.0.0.1 ${port}`]);
    await expect(wordsFor(server.url)).resolves.toContain("it is a replica and takes no writes");
  });

  test("one that is not there", async () => {
    const server = await startServer();
    await server.kill();
    const words = await wordsFor(server.url);
    expect(words).toContain("does not run, or not there: start it, or correct host and port");
    await expect(openRedisData(server.url)).rejects.toThrow(words);
  });
});

describe("what is no Redis is named with what to do:", () => {
  test("another service", async () => {
    const place = await listen("HTTP/1.1 400 Bad Request\r\n\r\n");
    await expect(wordsFor(`redis://${place}`)).resolves.toContain(
      `the Redis of REDIS_URL (redis://${place}) does not speak as a Redis does`,
    );
  });

  test("one that repeats what it was sent", async () => {
    const place = await listen(`-ERR unknown command 'HELLO', with args: '${password}'\r\n`);
    const words = await wordsFor(`redis://:${written}@${place}`);
    expect(words).toContain("cannot be used (ERR unknown command");
    expect(words).not.toMatch(/s3cret/);
  });

  test("a host nobody knows", async () => {
    await expect(wordsFor("redis://nobody.invalid:1234")).resolves.toContain(
      "cannot be found: correct the host",
    );
  });

  test("one that listens and never answers", async () => {
    const place = await listen(undefined);
    const words = await wordsFor(`redis://${place}`);
    expect(words).toContain("does not answer: correct host and port");
  }, 20_000);
});
