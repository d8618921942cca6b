import type { ReplyTarget } from "#ports/platform";
import { describePlatform, type PlatformHarness } from "../../contracts/platform.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import {
  type DiscordServer,
  type SeenMessage,
  startDiscordServer,
} from "../../wire/discord/discord-server.ts";
import { createDiscord, targetFor } from "./discord-harness.ts";

describePlatform("Discord", discordHarness);

async function discordHarness(): Promise<PlatformHarness> {
  const discord = await startDiscordServer();
  const ada = discord.addPerson("ada");
  const ledger = new MemoryLedger();
  let platform = createDiscord(discord, { ledger });
  let channels = 0;
  return {
    platform,
    async target() {
      channels += 1;
      const channel = discord.addChannel(`room-${channels}`);
      const message = ada.mentions(channel, "hello");
      return targetFor({ channel, message, person: ada });
    },
    seen: async (target) => seenIn(discord, target),
    async restart() {
      await platform.stop();
      platform = createDiscord(discord, { ledger });
      return platform;
    },
    writes: () => discord.requests().filter(({ method }) => method !== "GET").length,
    refuseWrites() {
      discord.faults.always({}, { type: "refusal", name: "missingPermissions" });
    },
    async close() {
      await platform.stop();
      await discord.stop();
    },
  };
}

function seenIn(discord: DiscordServer, { target }: ReplyTarget) {
  const { channel, message } = target as { channel: string; message: string };
  const isThere = discord.world.channels.has(message);
  const replies = discord.replies(isThere ? message : channel);
  return {
    messages: replies.map((reply, index) => ({
      id: reply.id,
      text: readOn(reply, replies[index - 1]),
    })),
    fileNames: replies.flatMap(({ files }) =>
      files.map(({ name }) => name).filter((name) => name !== "answer.md"),
    ),
  };
}

/** What a person reads who opens the file of a long answer where the message before it ends. */
function readOn(reply: SeenMessage, before: SeenMessage | undefined): string {
  const file = reply.files.find(({ name }) => name === "answer.md");
  if (!file) return reply.text;
  const whole = Buffer.from(file.bytes).toString();
  const last = before?.text.match(/\bw\d+\b/g)?.at(-1);
  const at = last === undefined ? 0 : whole.search(new RegExp(`\\b${last}\\b`)) + last.length;
  return whole.slice(at);
}
