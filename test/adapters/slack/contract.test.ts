import { expect } from "vitest";
import type { ReplyTarget } from "#ports/platform";
import { describePlatform, type PlatformHarness } from "../../contracts/platform.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { type SlackServer, startSlackServer } from "../../wire/slack/slack-server.ts";
import { createSlack, targetFor } from "./slack-harness.ts";

for (const streaming of ["auto", "update"] as const) {
  describePlatform(`Slack (${streaming})`, () => slackHarness(streaming));
}

async function slackHarness(streaming: "auto" | "update"): Promise<PlatformHarness> {
  const slack = await startSlackServer();
  const ada = slack.addPerson("ada");
  const ledger = new MemoryLedger();
  let platform = createSlack(slack, { ledger, streaming });
  let channels = 0;
  return {
    platform,
    async target() {
      channels += 1;
      const channel = slack.addChannel(`room-${channels}`, { members: [ada] });
      const message = ada.posts(channel, "hello");
      return targetFor(slack, { channel, message, person: ada });
    },
    seen: async (target) => seenIn(slack, target),
    async restart() {
      await platform.stop();
      platform = createSlack(slack, { ledger, streaming });
      return platform;
    },
    writes: () => slack.calls().filter(({ method }) => method !== "conversations.replies").length,
    refuseWrites() {
      slack.faults.always("*", { type: "refusal", error: "is_archived" });
    },
    async close() {
      await platform.stop();
      await slack.stop();
      expect(slack.complaints).toEqual([]);
    },
  };
}

function seenIn(slack: SlackServer, { target }: ReplyTarget) {
  const { channel, threadTs } = target as { channel: string; threadTs: string };
  const replies = slack.replies(channel, threadTs);
  return {
    messages: replies
      .filter(({ files }) => files.length === 0)
      .map(({ ts, text }) => ({ id: ts, text })),
    fileNames: replies.flatMap(({ files }) => files.map(({ name }) => name)),
  };
}
