import { describe, expect, test, vi } from "vitest";
import { Budget } from "../../../adapters/discord/budget.ts";
import { Pace } from "../../../adapters/discord/pace.ts";
import { done, stage, viewOf } from "./reply-stage.ts";

describe("many answers at once", () => {
  test("in one channel are all complete, and none provokes a 429", async () => {
    const { discord, ada, general, openOn } = await stage();
    discord.denyBot(general, "CreatePublicThreads");
    const opened = Array.from({ length: 12 }, () =>
      openOn(general, ada.mentions(general, "hello")),
    );
    const words = "Words that grow while everybody else is writing as well. ".repeat(8);
    for (const length of [100, 200, 300]) {
      for (const { reply, target } of opened) {
        reply.show(viewOf(target, { text: words.slice(0, length) }));
      }
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    await Promise.all(
      opened.map(({ reply, target }) => reply.finish(viewOf(target, { text: words, ...done }))),
    );
    expect(discord.replies(general).map(({ text }) => text)).toEqual(
      Array.from({ length: 12 }, () => words.trim()),
    );
    expect(discord.requests().filter(({ status }) => status === 429)).toEqual([]);
  }, 60_000);

  test("in threads of their own stay below fifty requests a second", async () => {
    const { discord, open } = await stage();
    const opened = Array.from({ length: 40 }, () => open());
    const words = "Words that grow while everybody else is writing as well. ".repeat(6);
    for (const length of [50, 100, 150, 200, 250]) {
      for (const { reply, target } of opened) {
        reply.show(viewOf(target, { text: words.slice(0, length) }));
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await Promise.all(
      opened.map(({ reply, target }) => reply.finish(viewOf(target, { text: words, ...done }))),
    );
    for (const { seen } of opened) expect(seen().map(({ text }) => text)).toEqual([words.trim()]);
    expect(discord.requests().filter(({ status }) => status === 429)).toEqual([]);
  }, 60_000);
});

describe("the budget", () => {
  const later = (promise: Promise<unknown>) => {
    let isDone = false;
    promise.then(() => {
      isDone = true;
    });
    return () => isDone;
  };
  const tick = () => new Promise((resolve) => setImmediate(resolve));

  test("lets five through at once and the sixth five seconds after the first has its answer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    try {
      const budget = new Budget();
      const first = await budget.take("create", "c", "shown");
      for (let use = 0; use < 4; use += 1) await budget.take("create", "c", "shown");
      const sixth = later(budget.take("create", "c", "shown"));
      const elsewhere = later(budget.take("create", "d", "shown"));
      const edit = later(budget.take("edit", "c", "shown"));
      await tick();
      expect([sixth(), elsewhere(), edit()]).toEqual([false, true, true]);
      await vi.advanceTimersByTimeAsync(2_000);
      first();
      await vi.advanceTimersByTimeAsync(4_900);
      await tick();
      expect(sixth()).toBe(false);
      await vi.advanceTimersByTimeAsync(300);
      await tick();
      expect(sixth()).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });

  test("lets final texts go before interim ones", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    try {
      const budget = new Budget();
      const ends = await Promise.all(
        Array.from({ length: 5 }, () => budget.take("edit", "c", "shown")),
      );
      const order: string[] = [];
      for (const priority of ["decoration", "shown", "final"] as const) {
        budget.take("edit", "c", priority).then((end) => {
          order.push(priority);
          end();
        });
      }
      expect(budget.waitMs("edit", "c")).toBeGreaterThan(0);
      for (const end of ends) end();
      await vi.advanceTimersByTimeAsync(12_000);
      expect(order).toEqual(["final", "shown", "decoration"]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("heeds headers that say less than is usual", () => {
    let now = 1_000_000;
    const budget = new Budget(() => now);
    budget.told("edit", "c", { remaining: 0, resetAfterMs: 3_000 });
    expect(budget.waitMs("edit", "c")).toBeGreaterThanOrEqual(3_000);
    now += 3_100;
    expect(budget.waitMs("edit", "c")).toBe(0);
  });
});

describe("the pace", () => {
  test("is slower where several write, and after a limit was met, until it is calm", () => {
    let now = 0;
    const pace = new Pace(() => now);
    const leave = pace.join("c");
    expect(pace.everyMs("c")).toBe(1_200);
    const leaveToo = pace.join("c");
    expect(pace.everyMs("c")).toBe(2_500);
    leaveToo();
    pace.slowDown("c");
    expect(pace.everyMs("c")).toBe(2_400);
    expect(pace.everyMs("d")).toBe(1_200);
    now += 30_000;
    expect(pace.everyMs("c")).toBe(1_200);
    leave();
  });

  test("is shared by all channels when there are many", () => {
    const pace = new Pace();
    for (let channel = 0; channel < 300; channel += 1) pace.join(`${channel}`);
    expect(pace.everyMs("7")).toBe(10_000);
  });
});
