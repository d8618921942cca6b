import fc from "fast-check";
import type { Nodes, Root } from "mdast";
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";
import { expect } from "vitest";
import {
  discordProfile,
  profileOf,
  type SplitProfile,
  slackStreamProfile,
} from "#domain/markdown-profile";
import {
  createSplitter,
  type MarkdownSplitter,
  type Part,
  sourceOf,
  splitMarkdown,
} from "#domain/split-markdown";
import { markdownDocument } from "./markdown-documents.ts";

/** Room enough for the frames (fence marks, table headers) of what the documents hold. */
const limits = fc.integer({ min: 160, max: 600 });
const tinyLimits = fc.integer({ min: 16, max: 100 });
const deltaSizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });
const discord = limits.map((limit) => ({ ...discordProfile, limit }));
const stream = limits.map((limit) => ({ ...slackStreamProfile, limit, rowsPerTable: 3 }));
const plain = limits.map(profileOf);
const tiny = fc.oneof(
  tinyLimits.map(profileOf),
  tinyLimits.map((limit) => ({ ...discordProfile, limit })),
  tinyLimits.map((limit) => ({ ...slackStreamProfile, limit })),
);

/** What holds for every document and every profile, as properties. */
export const laws: readonly { readonly name: string; readonly property: fc.IProperty<unknown> }[] =
  [
    {
      name: "the parts are whole, fit, and stand alone",
      property: fc.property(markdownDocument, plain, (text, profile) => {
        const parts = splitMarkdown(text, profile);
        expectParts(text, parts, profile);
        expectBalancedFences(parts);
        expectWholeAtoms(text, parts, profile);
        expectWholeTables(text, parts, profile);
      }),
    },
    {
      name: "the parts are whole and fit the tiniest limit",
      property: fc.property(markdownDocument, tiny, (text, profile) => {
        expectParts(text, splitMarkdown(text, profile), profile);
      }),
    },
    {
      name: "what a platform draws differently fits, too, and gives back the source",
      property: fc.property(markdownDocument, discord, (text, profile) => {
        const parts = splitMarkdown(text, profile);
        expectParts(text, parts, profile);
        expectBalancedFences(parts);
        // With less room a single row may be too large to be drawn.
        if (profile.limit >= 400) for (const part of parts) expectNoTables(part);
      }),
    },
    {
      name: "deltas of any size give the parts of the whole text",
      property: fc.property(
        markdownDocument,
        fc.oneof(plain, discord, stream, tiny),
        deltaSizes,
        (text, profile, sizes) => {
          const parts = streamed(text, profile, sizes, () => {});
          expect(parts).toEqual(splitMarkdown(text, profile));
        },
      ),
    },
    {
      name: "the open part fits, stands alone, and is the rest of the text",
      property: fc.property(
        markdownDocument,
        fc.oneof(plain, discord),
        deltaSizes,
        (text, profile, sizes) => {
          let shows = 0;
          streamed(text, profile, sizes, (splitter, at) => {
            const { open } = splitter;
            expect([open.from, open.to >= at - 1]).toEqual([splitter.openFrom, true]);
            expect(sourceOf(open)).toBe(text.slice(open.from, open.to));
            expectFitting([open], profile);
            // Reading it with a whole parser is slow, so only now and then.
            if (shows++ % 8 === 0) expectBalancedFences([open]);
          });
        },
      ),
    },
    {
      name: "what is settled only grows, and the finished part begins with it",
      property: fc.property(markdownDocument, stream, deltaSizes, (text, profile, sizes) => {
        let settled: Part = { from: 0, to: 0, text: "", additions: [] };
        streamed(text, profile, sizes, (splitter, _at, finished) => {
          for (const part of finished) {
            if (part.from === settled.from) expectContinues(settled, part);
          }
          const now = splitter.settled;
          if (now.from === settled.from) expectContinues(settled, now);
          settled = now;
        });
      }),
    },
    {
      name: "parts cut at any moment are whole, fit, and stand alone",
      property: fc.property(
        markdownDocument,
        fc.oneof(plain, discord, stream),
        deltaSizes,
        fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 10 }),
        (text, profile, sizes, pauses) => {
          let step = 0;
          const parts = streamed(text, profile, sizes, (splitter) => {
            step++;
            if ((pauses[step % pauses.length] ?? 0) !== 1) return [];
            const { settled } = splitter;
            const cut = splitter.cut();
            if (cut[0] !== undefined && profile.appendOnly) expectContinues(settled, cut[0]);
            return cut;
          });
          expectParts(text, parts, profile);
          expectBalancedFences(parts);
        },
      ),
    },
  ];

function streamed(
  text: string,
  profile: SplitProfile,
  sizes: readonly number[],
  after: (
    splitter: MarkdownSplitter,
    at: number,
    finished: readonly Part[],
  ) => readonly Part[] | undefined,
): readonly Part[] {
  const splitter = createSplitter(profile);
  const parts: Part[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const next = at + (sizes[i % sizes.length] ?? 1);
    const finished = splitter.push(text.slice(at, next));
    at = Math.min(next, text.length);
    parts.push(...finished, ...(after(splitter, at, finished) ?? []));
  }
  const rest = splitter.finish();
  after(splitter, text.length, rest);
  return [...parts, ...rest];
}

function expectContinues(shown: Part, part: Part): void {
  if (part.text.startsWith(shown.text) && part.to >= shown.to) return;
  throw new Error(`${JSON.stringify(shown.text)} is not continued by ${JSON.stringify(part.text)}`);
}

function expectParts(text: string, parts: readonly Part[], profile: SplitProfile): void {
  expectWhole(text, parts);
  expectFitting(parts, profile);
  expectWholeLetters(text, parts, profile);
}

function expectNoTables(part: Part): void {
  const table = nodesOf(parse(part.text)).find((node) => node.type === "table");
  if (table !== undefined) throw new Error(`a table in ${JSON.stringify(part.text)}`);
}

/** The ranges join to the text without gap or overlap, and each part shows its range. */
function expectWhole(text: string, parts: readonly Part[]): void {
  let at = 0;
  for (const part of parts) {
    expect(part.from).toBe(at);
    expect(part.to).toBeGreaterThan(part.from);
    expect(sourceOf(part)).toBe(text.slice(part.from, part.to));
    at = part.to;
  }
  expect(at).toBe(text.length);
}

/** Every part is within the limit, in the profile's own unit. */
function expectFitting(parts: readonly Part[], profile: SplitProfile): void {
  for (const part of parts) expect(profile.measure(part.text)).toBeLessThanOrEqual(profile.limit);
}

/** No letter (grapheme cluster) is cut, unless it alone is too large for a part. */
function expectWholeLetters(text: string, parts: readonly Part[], profile: SplitProfile): void {
  const cuts = new Set(parts.slice(1).map((part) => part.from));
  for (const { index, segment } of segmenter.segment(text)) {
    if (profile.measure(segment) > profile.limit / 8) continue;
    for (let at = index + 1; at < index + segment.length; at++) {
      if (cuts.has(at)) throw new Error(`cut at ${at} inside ${JSON.stringify(segment)}`);
    }
  }
}

/** Read by another parser, every fenced code block in every part is closed. */
function expectBalancedFences(parts: readonly Part[]): void {
  for (const part of parts) {
    for (const node of nodesOf(parse(part.text))) {
      if (node.type !== "code" || node.position === undefined) continue;
      const source = part.text.slice(node.position.start.offset, node.position.end.offset);
      const marker = /^(`{3,}|~{3,})/.exec(source)?.[1];
      if (marker === undefined) continue;
      const last =
        /(?:^|\n)[\s>]*(`{3,}|~{3,})[ \t]*$/.exec(source.slice(marker.length))?.[1] ?? "";
      if (!last.startsWith(marker)) throw new Error(`open fence in ${JSON.stringify(part.text)}`);
    }
  }
}

/**
 * Read by another parser, no link, image, code span or address is cut that could have been whole.
 * Where one alone is too large for a part, the rest of its paragraph is read anew after the cut,
 * so such paragraphs promise nothing; nor do those with maths, which that parser does not know, or
 * tags that go over several lines, which no platform reads as such.
 */
function expectWholeAtoms(text: string, parts: readonly Part[], profile: SplitProfile): void {
  const cuts = parts.slice(1).map((part) => part.from);
  if (cuts.length === 0) return;
  for (const block of nodesOf(parse(text))) {
    if (!["paragraph", "heading", "tableCell"].includes(block.type)) continue;
    const source = text.slice(block.position?.start.offset, block.position?.end.offset);
    if (/\$\$|\\\[|\\\(/.test(source)) continue;
    const atoms = nodesOf(block)
      .filter((node) => ["link", "image", "inlineCode", "html"].includes(node.type))
      .map((node) => ({
        type: node.type,
        from: node.position?.start.offset ?? 0,
        to: node.position?.end.offset ?? 0,
      }))
      .filter(({ type, from, to }) => type !== "html" || !text.slice(from, to).includes("\n"));
    if (atoms.some(({ from, to }) => profile.measure(text.slice(from, to)) > profile.limit / 2))
      continue;
    for (const { type, from, to } of atoms) {
      const cut = cuts.find((at) => at > from && at < to);
      if (cut !== undefined) throw new Error(`${type} cut at ${cut}: ${text.slice(from, to)}`);
    }
  }
}

/**
 * Read by another parser, a row of a table is a row of a table with the same header in its part.
 * That parser takes display maths right below a table for more of its rows.
 */
function expectWholeTables(text: string, parts: readonly Part[], profile: SplitProfile): void {
  for (const table of nodesOf(parse(text))) {
    if (table.type !== "table") continue;
    const [header, ...rows] = table.children;
    if (header === undefined) continue;
    const lines = text.slice(header.position?.start.offset, rows[0]?.position?.start.offset);
    for (const row of rows) {
      const from = row.position?.start.offset ?? 0;
      const to = row.position?.end.offset ?? 0;
      const above = text.slice(table.position?.start.offset, from);
      if (/^[\s>]*(?:\$\$|\\\[)/m.test(above) || /\$\$|\\\[/.test(text.slice(from, to))) continue;
      if (profile.measure(lines) * 2 + profile.measure(text.slice(from, to)) > profile.limit / 2)
        continue;
      const part = parts.find((part) => part.from <= from && part.to >= to);
      if (part === undefined) throw new Error(`row cut: ${JSON.stringify(text.slice(from, to))}`);
      const shown = nodesOf(parse(part.text)).filter((node) => node.type === "table");
      const found = shown.some(
        (other) =>
          contentOf(other.children[0]) === contentOf(header) &&
          other.children.slice(1).some((child) => contentOf(child) === contentOf(row)),
      );
      if (!found) throw new Error(`row without header: ${JSON.stringify(part.text)}`);
    }
  }
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function parse(text: string): Root {
  return fromMarkdown(text, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
}

function nodesOf(node: Nodes): readonly Nodes[] {
  return "children" in node
    ? [node, ...node.children.flatMap((child) => nodesOf(child as Nodes))]
    : [node];
}

function contentOf(node: Nodes | undefined): string {
  if (node === undefined) return "";
  if ("children" in node) return node.children.map((child) => contentOf(child as Nodes)).join("|");
  return "value" in node ? node.value.trim() : node.type;
}
