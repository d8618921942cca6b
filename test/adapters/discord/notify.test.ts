import { expect, onTestFinished, test } from "vitest";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { startDiscordServer } from "../../wire/discord/discord-server.ts";
import { createDiscord } from "./discord-harness.ts";

test("people are told in a channel, with a file", async () => {
  const discord = await startDiscordServer();
  const platform = createDiscord(discord, { ledger: new MemoryLedger() });
  onTestFinished(async () => {
    await platform.stop();
    await discord.stop();
  });
  const support = discord.addChannel("support");
  await platform.notify?.({
    channel: support.id,
    text: "**Ada** needs a person: @everyone a refund",
    file: {
      name: "transcript.md",
      mimeType: "text/markdown",
      data: new TextEncoder().encode("**Ada**: My lamp is broken"),
    },
  });
  const [seen] = discord.replies(support);
  expect(seen?.text).toContain("**Ada** needs a person");
  expect(seen?.files).toMatchObject([{ name: "transcript.md" }]);
  expect(seen?.notified).toEqual([]);
});
