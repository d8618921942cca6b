import { describe, expect, test } from "vitest";
import { type SlackCrashOptions, SlackCrashWorld } from "./slack-crash-world.ts";

/** Thirty in all; every fourth answer is three messages long. */
const runs: readonly (SlackCrashOptions & { readonly count: number })[] = [
  { transport: "socket", streaming: "native", count: 8 },
  { transport: "http", streaming: "native", count: 8 },
  { transport: "socket", streaming: "update", count: 7 },
  { transport: "http", streaming: "update", count: 7 },
];

describe("a program killed in the middle of its answers in Slack", () => {
  test.concurrent.each(runs)(
    "completes all $count of them, none doubled, no stream left open ($streaming, $transport)",
    async ({ count, ...options }) => {
      await using world = await SlackCrashWorld.open(options);
      await world.start();
      const asked = Array.from({ length: count }, (_, at) => world.ask(at % 4 === 3 ? 2_500 : 700));
      await world.untilInMidStream(asked);
      expect(world.slack.liveStreams).toHaveLength(options.streaming === "native" ? count : 0);
      await world.kill();
      await world.start();
      await world.untilComplete(asked);
      for (const { channel, ts } of asked) {
        expect(world.slack.replies(channel, ts).flatMap(({ controls }) => controls)).toEqual([
          "Good answer",
          "Bad answer",
        ]);
      }
      expect(world.slack.complaints).toEqual([]);
    },
  );

  test.concurrent.each(["socket", "http"] as const)(
    "answers once what it had stored and not acknowledged (%s)",
    async (transport) => {
      await using world = await SlackCrashWorld.open({ transport, streaming: "native" });
      await world.start();
      if (transport === "socket") world.slack.sockets.hearAcknowledgements(false);
      const asked = [world.ask(300), world.ask(300)];
      await world.untilAsked(asked.length);
      await world.kill();
      world.slack.sockets.hearAcknowledgements(true);
      await world.start();
      await world.deliverAgain();
      await world.untilComplete(asked);
      await world.deliverAgain();
      await world.untilComplete(asked);
      expect(world.slack.complaints).toEqual([]);
    },
  );
});
