import { expect, test } from "vitest";
import { DiscordCrashWorld } from "./discord-crash-world.ts";

const create = { method: "POST", route: "/channels/:channel/messages" } as const;
const edit = { method: "PATCH", route: "/channels/:channel/messages/:message" } as const;

test("a program killed in the middle of thirty answers in Discord completes all, none doubled", async () => {
  await using world = await DiscordCrashWorld.open();
  await world.start();
  // Some messages and some edits are there without the program knowing when it dies.
  for (const call of [create, edit]) {
    world.discord.faults.next(call, { type: "silence", accepted: true }, 8);
  }
  // Every fourth answer is two messages long.
  const asked = Array.from({ length: 30 }, (_, at) => world.ask(at % 4 === 3 ? 2_500 : 700));
  await world.untilInMidReply(asked);
  const shownBefore = asked.map((one) => world.seen(one).map(({ id }) => id));

  await world.kill();
  expect(world.discord.faults.spent).toBeGreaterThanOrEqual(8);
  world.discord.faults.clear();
  await world.start();
  await world.untilComplete(asked);

  for (const [at, one] of asked.entries()) {
    const before = shownBefore[at] ?? [];
    expect(
      world
        .seen(one)
        .slice(0, before.length)
        .map(({ id }) => id),
    ).toEqual(before);
    expect(world.discord.typing(one.message.id)).toEqual([]);
  }
  expect(world.discord.complaints).toEqual([]);
});
