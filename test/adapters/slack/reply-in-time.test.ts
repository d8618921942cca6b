import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { emptyView } from "#domain/reply-view";
import { tokensOf } from "../../../bench/script.ts";
import { CountingSlack, callMs, openReply } from "./counting-slack.ts";

/** In a time of its own: what a busy machine adds is not in it. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a reply that is finished while an earlier view is drawn", () => {
  test("is finished once, and its session last", async () => {
    const slack = new CountingSlack();
    const { reply, runId } = openReply(slack, 1);
    const table = "| a | b |\n| - | - |\n| 1 | 2 |\n\n";
    const view = { ...emptyView(runId), text: "A beginning that is long enough to be streamed. " };
    reply.show(view);
    await vi.advanceTimersByTimeAsync(500 + callMs / 2);
    expect(slack.methods()).toEqual(["chat.startStream"]);
    const text = `${view.text}\n\n${table}${table}The end.`;
    const finished = reply.finish({ ...view, text, status: "completed" });
    await vi.advanceTimersByTimeAsync(10_000);
    await finished;
    const states = slack.calls.flatMap(({ method, args }) => {
      if (method === "assistant.threads.setStatus")
        return args.status === "" ? "active" : "processing";
      return method === "chat.stopStream" ? String(args.session_status) : [];
    });
    expect(states.length).toBeGreaterThan(1);
    expect(states.at(-1)).toBe("active");
    expect(states.filter((state) => state === "active")).toHaveLength(1);
  });
});

/** So many answers of ten seconds at 50 tokens a second; seconds of lag and calls in the mean. */
async function rush(count: number) {
  const slack = new CountingSlack();
  const tokens = tokensOf(3_000, true).slice(0, 500);
  const ends = tokens.map((_, at) => tokens.slice(0, at + 1).join(""));
  const sizes = ends.map((text) => text.replace(/\s/g, "").length);
  const open = Array.from({ length: count }, (_, at) => openReply(slack, at));
  const shown = open.map(() => [] as { readonly atMs: number; readonly characters: number }[]);
  const begunMs = Date.now();
  const look = () => {
    for (const [at, { channel }] of open.entries()) {
      const characters = slack.readable(channel);
      if (characters > (shown[at]?.at(-1)?.characters ?? 0)) {
        shown[at]?.push({ atMs: Date.now(), characters });
      }
    }
  };
  let finished = 0;
  for (const [step, text] of ends.entries()) {
    for (const { reply, runId } of open) reply.show({ ...emptyView(runId), text });
    await vi.advanceTimersByTimeAsync(20);
    if (step % 5 === 0) look();
  }
  const endMs = Date.now();
  for (const { reply, runId } of open) {
    const text = ends.at(-1) ?? "";
    void reply
      .finish({ ...emptyView(runId), text, status: "completed", actions: ["feedback"] })
      .then(() => {
        finished += 1;
      });
  }
  while (finished < count) {
    await vi.advanceTimersByTimeAsync(20);
    look();
  }
  const lags = shown.flatMap((states) => {
    let state = 0;
    return sizes.map((wanted, token) => {
      while ((states[state]?.characters ?? Number.POSITIVE_INFINITY) < wanted) state += 1;
      return (states[state]?.atMs ?? Number.NaN) - (begunMs + (token + 1) * 20);
    });
  });

  return {
    lag: lags.reduce((sum, lag) => sum + lag, 0) / lags.length / 1_000,
    late: (Date.now() - endMs) / 1_000,
    calls: slack.calls.length / count,
    tooMany: slack.tooMany,
  };
}

/** What `npm run bench -- slack` measures with real clients; there names and titles cost calls, too. */
test.each([
  { count: 20, lag: 0.95, calls: 9 },
  { count: 60, lag: 2.1, calls: 5.5 },
  { count: 200, lag: 4.1, calls: 2.75 },
])(
  "$count answers at once are shown $lag s behind their words at most, with $calls calls each, and none is too many",
  async (most) => {
    const figures = await rush(most.count);
    expect(figures.tooMany).toBe(0);
    expect(figures.late).toBeLessThan(1);
    expect(figures.lag).toBeLessThan(most.lag);
    expect(figures.calls).toBeLessThan(most.calls);
  },
  60_000,
);
