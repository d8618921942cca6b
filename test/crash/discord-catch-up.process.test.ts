import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BobbinProcess } from "../fakes/bobbin-process.ts";
import { type DiscordServer, startDiscordServer } from "../wire/discord/discord-server.ts";

const patience = { timeout: 60_000, interval: 50 } as const;

let folder: string;
let discord: DiscordServer;
const running: BobbinProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "bobbin-discord-"));
  discord = await startDiscordServer();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((bobbin) => bobbin.end("SIGKILL")));
  await discord.stop();
  rmSync(folder, { recursive: true, force: true });
});

function begin(token = discord.token): BobbinProcess {
  const env = { CONSOLE: "off", DISCORD_TOKEN: token, DISCORD_API_URL: discord.apiUrl };
  const bobbin = new BobbinProcess({ folder, env });
  running.push(bobbin);
  return bobbin;
}

/** What was answered in a place, once it is that many. */
const answers = (place: () => string | undefined, count: number) =>
  vi.waitFor(() => {
    const id = place();
    const shown = id === undefined ? [] : discord.replies(id);
    expect(shown.filter(({ controls }) => controls.includes("Good answer"))).toHaveLength(count);
    return shown;
  }, patience);

test("what is said in Discord while the program is dead is answered once when it lives again", async () => {
  const ada = discord.addPerson("ada");
  const general = discord.addChannel("general");
  const first = begin();
  await first.ready();
  const known = ada.mentions(general, "hello");
  await answers(() => discord.threadOn(known)?.id, 1);
  const thread = discord.threadOn(known);
  if (!thread) throw new Error("no thread was opened");
  ada.directMessage("hello directly");
  await answers(() => ada.directChannel().id, 1);

  await first.end("SIGKILL");
  const missed = ada.mentions(general, "are you there?");
  ada.posts(thread, "and here?");
  ada.directMessage("and directly?");
  ada.posts(general, "nobody is asked here");
  const second = begin();
  await second.ready();

  await answers(() => discord.threadOn(missed)?.id, 1);
  await answers(() => thread.id, 2);
  await answers(() => ada.directChannel().id, 2);
  expect(discord.replies(general)).toEqual([]);
  expect(discord.complaints).toEqual([]);

  // A third start finds nothing left to answer.
  await second.end("SIGTERM");
  const third = begin();
  await third.ready();
  const last = ada.mentions(general, "still there?");
  await answers(() => discord.threadOn(last)?.id, 1);
  await answers(() => thread.id, 2);
  await answers(() => ada.directChannel().id, 2);
});

test("the program says how to invite it, and whether it hears Discord", async () => {
  const bobbin = begin();
  await bobbin.ready();
  expect(bobbin.stderr).toContain(
    `https://discord.com/oauth2/authorize?client_id=${discord.world.applicationId}`,
  );
  const ready = async () => (await bobbin.get("readyz")).json() as Promise<object>;
  expect(JSON.stringify(await ready())).toContain('"discord":"ok"');
  discord.gateway.settings.isDown = true;
  discord.gateway.cut();
  await vi.waitFor(async () => {
    expect(JSON.stringify(await ready())).toContain('"discord":"not connected"');
  }, patience);
  expect(bobbin.stdout + bobbin.stderr).not.toContain(discord.token);
});

test("a wrong token ends the start with what to do", async () => {
  const bobbin = begin("a.wrong.token");
  expect(await bobbin.exit()).toBe(1);
  expect(bobbin.stderr).toMatch(/does not accept DISCORD_TOKEN.*reset it on the Bot page/);
  expect(bobbin.stdout + bobbin.stderr).not.toContain("a.wrong.token");
});
