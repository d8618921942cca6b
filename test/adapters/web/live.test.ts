import { describe, expect, test } from "vitest";
import { Live } from "../../../adapters/web/live.ts";
import type { LiveEvent } from "../../../adapters/web/wire.ts";
import { EventReader } from "./web-harness.ts";

describe("the live events", () => {
  test("reach every window in order", async () => {
    const live = new Live();
    const [first, second] = [windowOn(live), windowOn(live)];
    live.publish(removed("general", "m-1"));
    live.publish(removed("general", "m-2"));
    for (const window of [first, second]) {
      expect(await window.next()).toEqual({ type: "reset" });
      expect(await window.next()).toEqual(removed("general", "m-1"));
      expect(await window.next()).toEqual(removed("general", "m-2"));
    }
  });

  test("of a direct message reach its person alone", async () => {
    const live = new Live();
    const grace = windowOn(live, { mayRead: (channel) => channel !== "@ada" });
    live.publish(removed("@ada", "m-1"));
    live.publish(removed("general", "m-2"));
    await grace.next();
    expect(await grace.next()).toEqual(removed("general", "m-2"));
  });

  test("that a window missed are told when it comes back", async () => {
    const live = new Live();
    const window = windowOn(live);
    live.publish(removed("general", "m-1"));
    await window.nextOf("remove");
    await window.close();
    live.publish(removed("general", "m-2"));
    live.publish(removed("@ada", "m-3"));
    const back = windowOn(live, {
      lastEventId: window.lastEventId,
      mayRead: (channel) => channel !== "@ada",
    });
    live.publish(removed("general", "m-4"));
    expect(await back.next()).toEqual(removed("general", "m-2"));
    expect(await back.next()).toEqual(removed("general", "m-4"));
  });

  test("from before a restart are not known: the window loads anew", async () => {
    const before = new Live();
    const window = windowOn(before);
    before.publish(removed("general", "m-1"));
    await window.nextOf("remove");
    const back = windowOn(new Live(), { lastEventId: window.lastEventId });
    expect(await back.next()).toEqual({ type: "reset" });
  });

  test("too long ago are not known any more: the window loads anew", async () => {
    const live = new Live();
    const window = windowOn(live);
    live.publish(removed("general", "m-1"));
    await window.nextOf("remove");
    await window.close();
    for (let count = 0; count < 10_000; count += 1) live.publish(removed("general", `n-${count}`));
    const back = windowOn(live, { lastEventId: window.lastEventId });
    expect(await back.next()).toEqual({ type: "reset" });
  });

  test("end when the console closes", async () => {
    const live = new Live();
    const window = windowOn(live);
    await window.next();
    live.close();
    expect(await window.next()).toBeUndefined();
  });

  test("of a window that does not read are not kept for it without end", async () => {
    const live = new Live();
    const slow = windowOn(live);
    const large = "x".repeat(1024 * 1024);
    for (let count = 0; count < 40; count += 1) live.publish(removed("general", large));
    let received = 0;
    while (await slow.next()) received += 1;
    expect(received).toBeLessThan(40);
  });
});

function windowOn(
  live: Live,
  options: {
    readonly lastEventId?: string | undefined;
    readonly mayRead?: (channel: string) => boolean;
  } = {},
): EventReader {
  const { lastEventId, mayRead = () => true } = options;
  return new EventReader(
    live.subscribe({ lastEventId, mayRead, signal: new AbortController().signal }),
  );
}

function removed(channel: string, id: string): LiveEvent {
  return { type: "remove", channel, id };
}
