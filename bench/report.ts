import type { Figures } from "./measures.ts";
import { slackSections } from "./slack/rows.ts";
import { median } from "./statistics.ts";

/** Figures of every round, for each bot. */
export interface Rounds {
  readonly floor: readonly Figures[];
  readonly bobbin: readonly Figures[];
}

/** A line of the table. */
export interface Row {
  readonly words: string;
  readonly figure: string;
  readonly digits?: number;
  /** How the two are compared: what Bobbin adds, or how many times as much it is. */
  readonly compare?: "difference" | "ratio";
  readonly goal?: { readonly atMost: number; readonly of: "compared" | "bobbin" };
}

/** A table. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

const sections: readonly Section[] = [
  {
    title: "One conversation at a time (ms)",
    rows: [
      {
        words: "posted -> model asked, p50",
        figure: "askP50",
        compare: "difference",
      },
      { words: "posted -> model asked, p99", figure: "askP99", compare: "difference" },
      { words: "posted -> acknowledged, p50", figure: "acknowledgeP50", compare: "difference" },
      { words: "last token -> shown, p50", figure: "shownP50", compare: "difference" },
      { words: "last token -> shown, p99", figure: "shownP99", compare: "difference" },
      {
        words: "added before and after the model, p50",
        figure: "addedP50",
        compare: "difference",
        goal: { atMost: 3, of: "compared" },
      },
      {
        words: "the same from the acknowledgement on, p50",
        figure: "addedAfterAcceptanceP50",
        compare: "difference",
      },
    ],
  },
  {
    title: "A burst of conversations",
    rows: [
      { words: "replies a second", figure: "repliesPerSecond", digits: 0, compare: "ratio" },
      {
        words: "CPU a reply (ms)",
        figure: "cpuPerReply",
        compare: "ratio",
        goal: { atMost: 1.5, of: "compared" },
      },
      { words: "peak memory (MB)", figure: "peakRssMb", digits: 0, compare: "ratio" },
    ],
  },
  {
    title: "Streams side by side, 50 tokens a second each",
    rows: [
      { words: "CPU (% of one core)", figure: "streamCpuPercent", digits: 0, compare: "ratio" },
      { words: "CPU a token (us)", figure: "streamCpuPerToken", digits: 1, compare: "ratio" },
      { words: "shown behind the token, mean (ms)", figure: "lagMean", compare: "difference" },
      { words: "shown behind the token, p99 (ms)", figure: "lagP99", compare: "difference" },
    ],
  },
  {
    title: "Length of the reply (CPU of the bot, us a token)",
    rows: [
      {
        words: "first third of a long reply",
        figure: "firstThirdCpu",
        digits: 1,
        compare: "ratio",
      },
      { words: "last third of a long reply", figure: "lastThirdCpu", digits: 1, compare: "ratio" },
      {
        words: "last third / first third",
        figure: "thirdsRatio",
        goal: { atMost: 1.15, of: "bobbin" },
      },
      { words: "short replies", figure: "shortCpu", digits: 1, compare: "ratio" },
      { words: "long replies", figure: "longCpu", digits: 1, compare: "ratio" },
      { words: "long / short", figure: "lengthRatio", goal: { atMost: 1.15, of: "bobbin" } },
    ],
  },
  {
    title: "Splitting 30,000 characters for Discord (CPU, us a token)",
    rows: [
      { words: "first third", figure: "splitFirstCpu" },
      { words: "last third", figure: "splitLastCpu" },
      {
        words: "last third / first third",
        figure: "splitRatio",
        goal: { atMost: 1.15, of: "bobbin" },
      },
    ],
  },
  {
    title: "Searching in documents of 20 pages (the floor: plain FTS5)",
    rows: [
      {
        words: "documents indexed a second",
        figure: "indexedPerSecond",
        digits: 0,
        compare: "ratio",
      },
      { words: "a query, p50 (ms)", figure: "searchP50", digits: 1, compare: "ratio" },
      {
        words: "a query, p99 (ms)",
        figure: "searchP99",
        digits: 1,
        compare: "ratio",
        goal: { atMost: 50, of: "bobbin" },
      },
      { words: "CPU of a query, p50 (ms)", figure: "searchCpu", digits: 1, compare: "ratio" },
      { words: "the first query (ms)", figure: "searchFirst", digits: 0, compare: "ratio" },
      { words: "memory added at the peak (MB)", figure: "searchAddedMb", digits: 0 },
    ],
  },
  {
    title: "The same with a vector for each passage (the floor: plain FTS5, which has none)",
    rows: [
      { words: "a query, p50 (ms)", figure: "meaningP50", digits: 1, compare: "ratio" },
      {
        words: "a query, p99 (ms)",
        figure: "meaningP99",
        digits: 1,
        compare: "ratio",
        goal: { atMost: 50, of: "bobbin" },
      },
      { words: "CPU of a query, p50 (ms)", figure: "meaningCpu", digits: 1, compare: "ratio" },
      { words: "the first query (ms)", figure: "meaningFirst", digits: 0, compare: "ratio" },
      { words: "vectors taken in a second", figure: "vectorsPerSecond", digits: 0 },
      { words: "memory added by it at the peak (MB)", figure: "meaningAddedMb", digits: 0 },
    ],
  },
  {
    title: "SQL over a CSV file (the floor: DuckDB reading it in a process that is there)",
    rows: [
      { words: "a question, p50 (ms)", figure: "dataP50", digits: 0, compare: "ratio" },
      {
        words: "peak memory of DuckDB's process (MB)",
        figure: "dataPeakMb",
        digits: 0,
        compare: "ratio",
      },
      { words: "the file (MB)", figure: "dataMb", digits: 1 },
    ],
  },
  {
    title: "Discord: one conversation at a time (the floor: the smallest discord.js bot; ms)",
    rows: [
      { words: "posted -> model asked, p50", figure: "discordAskP50", compare: "difference" },
      { words: "posted -> model asked, p99", figure: "discordAskP99", compare: "difference" },
      {
        words: "last token -> whole answer, p50",
        figure: "discordShownP50",
        compare: "difference",
      },
      {
        words: "last token -> whole answer, p99",
        figure: "discordShownP99",
        compare: "difference",
      },
      { words: "calls of Discord a short answer", figure: "discordCalls", digits: 1 },
    ],
  },
  {
    title: "Discord: a burst of conversations in threads",
    rows: [
      { words: "until all are answered (s)", figure: "discordBurstSeconds", compare: "ratio" },
      { words: "CPU a reply (ms)", figure: "discordBurstCpu", compare: "ratio" },
      { words: "peak memory (MB)", figure: "discordPeakRssMb", digits: 0, compare: "ratio" },
      {
        words: "429s",
        figure: "discordBurstLimited",
        digits: 0,
        goal: { atMost: 0, of: "bobbin" },
      },
    ],
  },
  {
    title: "Discord: 20 streams of 50 tokens a second, each in a thread",
    rows: [
      {
        words: "shown behind the token, mean (ms)",
        figure: "threadsLag",
        digits: 0,
        compare: "ratio",
      },
      {
        words: "shown behind the token, p99 (ms)",
        figure: "threadsLagP99",
        digits: 0,
        compare: "ratio",
      },
      { words: "edits a reply", figure: "threadsEdits", digits: 1 },
      { words: "CPU (% of one core)", figure: "threadsCpu", digits: 0, compare: "ratio" },
      { words: "429s", figure: "threadsLimited", digits: 0, goal: { atMost: 0, of: "bobbin" } },
    ],
  },
  {
    title: "Discord: the same, all in one channel",
    rows: [
      {
        words: "shown behind the token, mean (ms)",
        figure: "channelLag",
        digits: 0,
        compare: "ratio",
      },
      {
        words: "shown behind the token, p99 (ms)",
        figure: "channelLagP99",
        digits: 0,
        compare: "ratio",
      },
      {
        words: "until all are answered (s)",
        figure: "channelSeconds",
        digits: 1,
        compare: "ratio",
      },
      { words: "edits a reply", figure: "channelEdits", digits: 1 },
      { words: "429s", figure: "channelLimited", digits: 0, goal: { atMost: 0, of: "bobbin" } },
    ],
  },
  {
    title: "Discord: a reply of 30,000 characters",
    rows: [
      {
        words: "words missing",
        figure: "longMissing",
        digits: 0,
        goal: { atMost: 0, of: "bobbin" },
      },
      {
        words: "messages with a torn fence",
        figure: "longTorn",
        digits: 0,
        goal: { atMost: 0, of: "bobbin" },
      },
      { words: "messages", figure: "longMessages", digits: 0 },
      {
        words: "last token -> all of it there (ms)",
        figure: "longAfterMs",
        digits: 0,
        compare: "difference",
      },
      { words: "429s", figure: "longLimited", digits: 0, goal: { atMost: 0, of: "bobbin" } },
    ],
  },
  {
    title: "Stored threads (Bobbin alone)",
    rows: [
      { words: "resident memory, none stored (MB)", figure: "emptyRssMb", digits: 1 },
      { words: "resident memory, all stored (MB)", figure: "fullRssMb", digits: 1 },
      {
        words: "added by them (MB)",
        figure: "addedRssMb",
        digits: 1,
        goal: { atMost: 20, of: "bobbin" },
      },
      {
        words: "added after answering and looking (MB)",
        figure: "addedBusyRssMb",
        digits: 1,
        goal: { atMost: 20, of: "bobbin" },
      },
      { words: "start, none stored (ms)", figure: "emptyStartMs", digits: 0 },
      { words: "start, all stored (ms)", figure: "fullStartMs", digits: 0 },
      { words: "data file (MB)", figure: "dataFileMb", digits: 0 },
    ],
  },
  ...slackSections,
];

/** The table as Markdown; medians of the rounds, ratios and differences of the medians. */
export function renderReport(rounds: Rounds, head: readonly string[]): string {
  const lines = [...head];
  for (const { title, rows } of sections) {
    const isMeasured = rows.some(({ figure }) => middle(rounds.bobbin, figure) !== undefined);
    if (!isMeasured) continue;
    lines.push("", `### ${title}`, "");
    const cells = [
      ["", "floor", "Bobbin", "Bobbin against the floor", "goal"],
      ...rows.map((row) => cellsOf(row, rounds)),
    ];
    const widths = [0, 1, 2, 3, 4].map((column) =>
      Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)),
    );
    const line = (row: readonly string[]) =>
      `| ${row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join(" | ")} |`;
    const [first = [], ...others] = cells;
    lines.push(line(first), `|${widths.map((width, i) => rule(width, i)).join("|")}|`);
    lines.push(...others.map(line));
  }
  return `${lines.join("\n")}\n`;
}

function cellsOf(row: Row, { floor, bobbin }: Rounds): readonly string[] {
  const digits = row.digits ?? 2;
  const [low, ours] = [middle(floor, row.figure), middle(bobbin, row.figure)];
  const compared = comparedOf(row, low, ours);
  return [
    row.words,
    low === undefined ? "" : low.toFixed(digits),
    ours === undefined ? "" : ours.toFixed(digits),
    compared === undefined ? "" : comparedWords(row, compared, digits),
    goalWords(row, compared, ours),
  ];
}

function middle(rounds: readonly Figures[], figure: string): number | undefined {
  const values = rounds.flatMap((round) => round[figure] ?? []);
  return values.length === 0 ? undefined : median(values);
}

function comparedOf(
  { compare }: Row,
  low: number | undefined,
  ours: number | undefined,
): number | undefined {
  if (compare === undefined || low === undefined || ours === undefined) return undefined;
  return compare === "ratio" ? ours / low : ours - low;
}

function comparedWords({ compare }: Row, compared: number, digits: number): string {
  if (compare === "ratio") return `${compared.toFixed(2)} times`;
  return `${compared < 0 ? "-" : "+"}${Math.abs(compared).toFixed(digits)}`;
}

function goalWords(
  { goal, compare }: Row,
  compared: number | undefined,
  ours: number | undefined,
): string {
  if (!goal) return "";
  const value = goal.of === "compared" ? compared : ours;
  const limit =
    goal.of === "bobbin"
      ? `at most ${goal.atMost}`
      : compare === "ratio"
        ? `at most ${goal.atMost} times`
        : `at most +${goal.atMost}`;
  if (value === undefined || Number.isNaN(value)) return `${limit}: not measured`;
  return `${limit}: ${value <= goal.atMost ? "met" : "missed"}`;
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 || column === 4 ? cell.padEnd(width) : cell.padStart(width);
}

function rule(width: number, column: number): string {
  const dashes = "-".repeat(width + 1);
  return column === 0 || column === 4 ? `${dashes}-` : `${dashes}:`;
}
