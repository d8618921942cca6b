import { expect, test } from "vitest";
import { BotError } from "#domain/errors";
import type { Attachment } from "#domain/message";
import { ManualClock } from "../../wire/discord/discord-server.ts";
import { stage } from "./reply-stage.ts";

const dayMs = 24 * 60 * 60_000;
const bytes = "a,b\n1,2\n";

/** What somebody attached, as the bot was handed it. */
async function attached() {
  const clock = new ManualClock();
  const world = await stage({ server: { clock } });
  const message = world.ada.mentions(world.general, "sum this up", {
    files: [
      { name: "sums.csv", bytes, contentType: "text/csv", description: "Two columns of numbers" },
    ],
  });
  await expect.poll(() => world.bot.messages.length).toBe(1);
  const [file] = world.bot.messages[0]?.attachments ?? [];
  if (!file) throw new Error("no attachment arrived");
  const read = (one: Attachment = file) =>
    world.platform.openFile(one, AbortSignal.timeout(10_000));
  return { ...world, clock, message, file, read };
}

async function detailOf(opened: Promise<unknown>): Promise<string | undefined> {
  const error = await opened.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof BotError)) throw new Error(`no BotError: ${String(error)}`);
  expect(error.code).toBe("file-unavailable");
  return error.detail;
}

test("an attached file is fetched, and known by name, kind, size and alt text before that", async () => {
  const { file, read } = await attached();
  expect(file).toMatchObject({
    name: "sums.csv",
    mimeType: "text/csv",
    bytes: bytes.length,
    description: "Two columns of numbers",
  });
  expect(await new Response(await read()).text()).toBe(bytes);
});

test("a link that has expired is asked for anew", async () => {
  const { clock, read, discord } = await attached();
  clock.advance(2 * dayMs);
  expect(await new Response(await read()).text()).toBe(bytes);
  expect(discord.requests("GET /channels/:channel/messages/:message")).toHaveLength(1);
});

test("a file whose message is gone is refused in words", async () => {
  const { clock, read, ada, message } = await attached();
  clock.advance(2 * dayMs);
  ada.deletes(message);
  expect(await detailOf(read())).toBe("The message sums.csv came with is gone.");
});

test("a file that was removed from its message is refused in words", async () => {
  const { clock, read, message } = await attached();
  clock.advance(2 * dayMs);
  message.attachments = [];
  expect(await detailOf(read())).toBe("sums.csv was removed from its message.");
});

test("a file that came with a command lives as long as its link", async () => {
  const { clock, file, read } = await attached();
  clock.advance(2 * dayMs);
  const source = { ...(file.source as object), message: null };
  expect(await detailOf(read({ ...file, source }))).toBe("Discord answered 404 for sums.csv.");
});

test("a link to nowhere is refused in words", async () => {
  const { discord, file, read } = await attached();
  await discord.stop();
  expect(await detailOf(read(file))).toBe("sums.csv could not be fetched.");
});
