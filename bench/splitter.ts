import { discordProfile } from "../src/domain/markdown-profile.ts";
import { createSplitter } from "../src/domain/split-markdown.ts";
import type { Figures } from "./measures.ts";
import { gatesOf, tokensOf } from "./script.ts";

/** How often the open part is drawn: 25 times a second where 500 tokens come. */
const tokensPerFrame = 20;
/** Replies side by side: a third of one is too short to be measured. */
const replies = 4;

/**
 * Splitting a reply of 30,000 characters for Discord while it grows: each token is pushed, the open
 * part drawn once a frame. CPU in us a token; of a few rounds the least, so that others on the
 * machine do not count.
 */
export function measureSplitter(): Figures {
  const tokens = tokensOf(30_000);
  const rounds = Array.from({ length: 3 }, () => thirdsOf(tokens));
  const least = (third: number) =>
    Math.min(...rounds.map((thirds) => thirds[third] ?? Number.POSITIVE_INFINITY));
  return { splitFirstCpu: least(0), splitLastCpu: least(2), splitRatio: least(2) / least(0) };
}

function thirdsOf(tokens: readonly string[]): readonly number[] {
  const [, ...ends] = gatesOf(tokens.length);
  const splitters = Array.from({ length: replies }, () => createSplitter(discordProfile));
  let shown = 0;
  let at = 0;
  const thirds = ends.map((end) => {
    const from = at;
    const begun = process.cpuUsage();
    for (; at < end; at += 1) {
      for (const splitter of splitters) {
        for (const part of splitter.push(tokens[at] ?? "")) shown += part.text.length;
        if (at % tokensPerFrame === 0) shown += splitter.open.text.length;
      }
    }
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / ((end - from) * replies);
  });
  if (shown === 0) throw new Error("nothing was split");
  return thirds;
}
