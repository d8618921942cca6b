import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type SlackCrashOptions, SlackCrashWorld } from "./slack-crash-world.ts";

const count = 30;
/** Slack's limits let about so many grow before one's eyes at once; the others are posted in whole parts. */
const growing = 12;
const runs: readonly SlackCrashOptions[] = [
  { transport: "socket", streaming: "native" },
  { transport: "http", streaming: "native" },
  { transport: "socket", streaming: "update" },
  { transport: "http", streaming: "update" },
];

describe("a program killed in the middle of thirty answers, and again while it takes them up", () => {
  test.concurrent.each(runs)(
    "completes all of them, none doubled, no stream left open ($streaming, $transport)",
    async (options) => {
      await using world = await SlackCrashWorld.open(options);
      await world.start();
      const asked = Array.from({ length: count }, (_, at) => world.ask(at % 6 === 5 ? 1_500 : 700));
      await world.untilInMidStream(asked, growing);
      await world.kill();
      await world.start();
      await wait(Math.random() * 2_000);
      await world.kill();
      await world.start();
      await world.untilComplete(asked);
      expect(world.slack.complaints).toEqual([]);
    },
  );
});
