import type { Person } from "#domain/conversation";
import { emptyView, type ReplyView } from "#domain/reply-view";
import type { lookAgainLater } from "../../src/runs/late-looks.ts";
import { ada } from "./test-world.ts";

type Run = Parameters<typeof lookAgainLater>[1];

/** A run that has ended, as far as its late look needs it: one message, begun by an earlier holder. */
export function lateRun(options: {
  /** Absent: nobody slept through it. */
  readonly lateUntilMs?: number;
  readonly nowMs: number;
  readonly runId?: string;
  readonly conversationKey?: string;
  readonly asker?: Person;
  readonly view?: Partial<ReplyView>;
  readonly createdAtMs?: number;
}): Run {
  const { lateUntilMs, nowMs, runId = "run1", conversationKey = "talk", asker = ada } = options;
  const segment = {
    index: 0,
    id: "m1",
    content: { type: "text", from: 0, to: 3 },
    revision: 0,
    closed: true,
  } as const;
  const work = {
    lease: lateUntilMs === undefined ? {} : { lateUntilMs },
    task: { runId, place: { platform: "fake" } },
    view: { ...emptyView(runId), text: "all", ...options.view },
    state: { createdAtMs: options.createdAtMs ?? 5 },
    replyTarget: { runId, conversationKey, asker },
  };
  const left = () => ({ segments: [segment], inherited: ["m1"], intentPrefix: "abc." });
  return { work, journal: { left }, nowMs } as unknown as Run;
}
