import type { Row, Section } from "../report.ts";

/** Slack's part of the report. The goals are delays and counts, which a busy machine hardly changes. */
export const slackSections: readonly Section[] = [
  {
    title: "Slack: one conversation at a time (ms)",
    rows: [
      { words: "event sent -> model asked, p50", figure: "slackAskP50", compare: "difference" },
      { words: "event sent -> model asked, p99", figure: "slackAskP99", compare: "difference" },
      { words: "last token -> whole text, p50", figure: "slackShownP50", compare: "difference" },
      { words: "last token -> whole text, p99", figure: "slackShownP99", compare: "difference" },
    ],
  },
  {
    title: "Slack: a burst of conversations, within Slack's limits",
    rows: [
      { words: "event sent -> model asked, p50 (ms)", figure: "slackBurstAskP50" },
      { words: "event sent -> model asked, p99 (ms)", figure: "slackBurstAskP99" },
      { words: "until the last is complete (s)", figure: "slackBurstSeconds", digits: 1 },
      { words: "CPU a reply (ms)", figure: "slackBurstCpu", compare: "ratio" },
      { words: "peak memory (MB)", figure: "slackBurstRssMb", digits: 0, compare: "ratio" },
      { words: "calls a reply", figure: "slackBurstCalls" },
      { words: "refused as too many (429)", figure: "slackBurstTooMany", digits: 0, goal: none() },
    ],
  },
  {
    title: "Slack: 20 replies side by side, 50 tokens a second each",
    rows: sideBySide("few", { lagSeconds: 0.9 }),
  },
  {
    title: "Slack: 200 replies side by side, 50 tokens a second each",
    rows: sideBySide("many", { lagSeconds: 5, lateSeconds: 5, calls: 3 }),
  },
  {
    title: "Slack: a long reply with tables and code",
    rows: [
      { words: "characters missing", figure: "slackLongMissing", digits: 0, goal: none() },
      { words: "messages", figure: "slackLongParts", digits: 0 },
      { words: "messages not balanced", figure: "slackLongUnbalanced", digits: 0, goal: none() },
      { words: "refused as too many (429)", figure: "slackLongTooMany", digits: 0, goal: none() },
      { words: "last token -> whole text (s)", figure: "slackLongLate", digits: 1 },
    ],
  },
];

function sideBySide(
  name: "few" | "many",
  goals: { readonly lagSeconds: number; readonly lateSeconds?: number; readonly calls?: number },
): readonly Row[] {
  const goal = (atMost: number | undefined) =>
    atMost === undefined ? {} : { goal: { atMost, of: "bobbin" } as const };
  return [
    {
      words: "shown behind the token, mean (s)",
      figure: `${name}Lag`,
      ...goal(goals.lagSeconds),
    },
    { words: "shown behind the token, p99 (s)", figure: `${name}LagP99` },
    {
      words: "last token -> whole text, the latest (s)",
      figure: `${name}Late`,
      ...goal(goals.lateSeconds),
    },
    { words: "calls a reply", figure: `${name}Calls`, ...goal(goals.calls) },
    { words: "refused as too many (429)", figure: `${name}TooMany`, digits: 0, ...goal(0) },
  ];
}

function none() {
  return { atMost: 0, of: "bobbin" } as const;
}
