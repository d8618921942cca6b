import { describe, expect, test } from "vitest";
import { BotError } from "#domain/errors";
import { emptyView } from "#domain/reply-view";
import type { ReplyTarget } from "#ports/platform";
import { describePlatform, type PlatformHarness } from "../contracts/platform.ts";
import { FakeBot } from "./fake-bot.ts";
import { FakePlatform, FakeScreen } from "./fake-platform.ts";
import { MemoryJournal } from "./memory-journal.ts";

async function createHarness(charactersPerMessage?: number): Promise<PlatformHarness> {
  const screen = new FakeScreen();
  const options = { screen, ...(charactersPerMessage ? { charactersPerMessage } : {}) };
  let platform = new FakePlatform(options);
  let targets = 0;
  return {
    platform,
    async target() {
      targets += 1;
      return targetFor(`run${targets}`);
    },
    async seen(target) {
      const messages = screen.messages().filter((message) => message.runId === target.runId);
      return {
        messages: messages
          .filter((message) => !message.file)
          .map(({ id, text, view }) => ({
            id,
            text: text + view.notices.map((notice) => notice.text).join(""),
          })),
        fileNames: messages.flatMap((message) => (message.file ? [message.file.name] : [])),
      };
    },
    async restart() {
      platform.kill();
      platform = new FakePlatform(options);
      return platform;
    },
    writes: () => screen.writes.length,
    refuseWrites() {
      screen.onWrite = async () => {
        throw new BotError("reply-impossible", { detail: "The channel is archived." });
      };
    },
    async close() {},
  };
}

describePlatform("the fake platform", () => createHarness());
describePlatform("the fake platform with short messages", () => createHarness(990));

describe("the fake platform", () => {
  test("shows a long reply in several messages", async () => {
    const screen = new FakeScreen();
    const platform = new FakePlatform({ screen, charactersPerMessage: 10 });
    await platform.start(new FakeBot());
    const reply = platform.openReply(targetFor("run1"), new MemoryJournal("run1"));
    await reply.finish({ ...emptyView("run1"), text: "a".repeat(25), status: "completed" });
    expect(screen.reply("run1")).toMatchObject({
      text: "a".repeat(25),
      messageIds: ["m1", "m2", "m3"],
      view: { status: "completed" },
    });
  });
});

function targetFor(runId: string): ReplyTarget {
  return {
    runId,
    conversationKey: `fake:general:${runId}`,
    target: null,
    answers: [`fake:${runId}`],
    asker: { key: "fake:ada", name: "Ada" },
  };
}
