import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Annotation,
  type Rewrites,
  type TextPiece,
  TextSettler,
} from "../../../adapters/openai/citations.ts";

const everything: Rewrites = { webLinks: true, sandboxLinks: true, fileMarks: true };
const nothing: Rewrites = { webLinks: false, sandboxLinks: false, fileMarks: false };

function settler(rewrites: Rewrites): TextSettler {
  return new TextSettler(rewrites, (name) => ({ title: name }));
}

function shown(pieces: readonly TextPiece[]): string {
  return pieces
    .map((piece) => (piece.type === "text" ? piece.text : `[${piece.source.title}]`))
    .join("");
}

function web(url: string, start: number, end: number): Annotation {
  return { type: "web", source: { title: url, url }, start, end };
}

/** Feeds a text in pieces, its annotations as soon as the text they point at has come. */
function settle(
  pieces: readonly string[],
  annotations: readonly Annotation[] = [],
  rewrites: Rewrites = everything,
): string {
  const text = settler(rewrites);
  const waiting = [...annotations];
  const out: TextPiece[] = [];
  let received = 0;
  for (const piece of pieces) {
    out.push(...text.push(piece));
    received += piece.length;
    for (const one of waiting.splice(0)) {
      const at = one.type === "web" ? one.end : one.index;
      if (at <= received) out.push(...text.annotate(one));
      else waiting.push(one);
    }
  }
  for (const one of waiting) out.push(...text.annotate(one));
  out.push(...text.end());
  return shown(out);
}

describe("text that may still be rewritten", () => {
  test.each([
    [
      "plain text is left alone",
      "Nothing to see [here] (or there)!",
      "Nothing to see [here] (or there)!",
    ],
    ["a marker of file search becomes a citation", "Blue【4:0†sky.pdf】.", "Blue[sky.pdf]."],
    ["a marker without a name goes", "Blue【12†source】.", "Blue."],
    ["brackets of other languages stay", "【重要】 read 【this】", "【重要】 read 【this】"],
    ["an unfinished marker is text", "Blue【4:0†sky", "Blue【4:0†sky"],
    [
      "a link into the sandbox keeps its words",
      "Take [the table](sandbox:/mnt/data/a.csv).",
      "Take the table (a.csv).",
    ],
    [
      "a link that is named like its file is not named twice",
      "Take [a.csv](sandbox:/mnt/data/a.csv).",
      "Take a.csv.",
    ],
    ["a picture in the sandbox goes", "Here:\n![x](sandbox:/mnt/data/x.png)\nSo.", "Here:\n\nSo."],
    [
      "a bare address in the sandbox becomes a name",
      "It is sandbox:/mnt/data/my%20a.csv .",
      "It is my a.csv .",
    ],
    [
      "parentheses in a file's name are part of it",
      "[a](sandbox:/mnt/data/a(1).csv)!",
      "a (a(1).csv)!",
    ],
    [
      "an ordinary link stays",
      "See [docs](https://a.test/x) there.",
      "See [docs](https://a.test/x) there.",
    ],
    ["a word that begins like sandbox stays", "sand in the sandbox", "sand in the sandbox"],
    ["an unfinished link is text", "See [docs](https://a.te", "See [docs](https://a.te"],
  ])("%s", (_rule, text, expected) => {
    expect(settle([text])).toBe(expected);
    expect(settle([...text])).toBe(expected);
  });

  test("a web link becomes a citation when its annotation comes", () => {
    const text = "It rains ([a.test](https://a.test/?utm_source=openai)). Bye";
    const end = text.indexOf(". Bye");
    const annotation = web("https://a.test/", 9, end);
    expect(settle([text], [annotation])).toBe("It rains[https://a.test/]. Bye");
    expect(settle([...text], [annotation])).toBe("It rains[https://a.test/]. Bye");
  });

  test("a web link whose annotation never comes is not waited for without end", () => {
    const text = settler(everything);
    const out = [...text.push("It rains ([a](https://a.test)).")];
    expect(shown(out)).toBe("It rains");
    out.push(...text.push(" And on it goes.".repeat(30)));
    expect(shown(out)).toContain("([a](https://a.test)). And on it goes.");
  });

  test("an annotation that comes after its link was shown does not say it twice", () => {
    const text = settler(everything);
    const out = [...text.push(`It rains ([a](https://a.test)).${" And on.".repeat(60)}`)];
    out.push(...text.annotate(web("https://a.test", 9, 30)), ...text.end());
    expect(shown(out).split("https://a.test")).toHaveLength(2);
  });

  test("a source without a link in the text is cited where its range ends", () => {
    expect(settle(["It rains. ", "Bye."], [web("https://a.test", 0, 9)])).toBe(
      "It rains.[https://a.test] Bye.",
    );
  });

  test.each([
    ["exactly there", ["It is blue.", " Bye."], 11, "It is blue.[sky] Bye."],
    ["before the white space it came after", ["It is blue. ", "Bye."], 11, "It is blue.[sky] Bye."],
    [
      "at the end of the word when the text ran ahead",
      ["It is blue. Good", "bye all."],
      11,
      "It is blue. Goodbye[sky] all.",
    ],
    ["further on", ["It is", " blue. Bye."], 11, "It is blue.[sky] Bye."],
    ["at the end when it points behind it", ["Blue."], 99, "Blue.[sky]"],
  ])("a file citation stands %s", (_where, pieces, index, expected) => {
    const source = { title: "sky" };
    const text = settler(everything);
    const [first = "", ...rest] = pieces;
    const out = [...text.push(first), ...text.annotate({ type: "file", source, index })];
    for (const piece of rest) out.push(...text.push(piece));
    out.push(...text.end());
    expect(shown(out)).toBe(expected);
  });

  const fragments = fc.constantFrom(
    "word",
    " ",
    ". ",
    "\n",
    "[",
    "]",
    "(",
    ")",
    "!",
    "【",
    "】",
    "†",
    "4:0",
    "sandbox:",
    "s",
    "sand",
    "/mnt/data/a.csv",
    "https://a.test/x",
    "[a](sandbox:/mnt/data/a.csv)",
    "【4:0†a.pdf】",
    " ([b](https://b.test))",
    "🦜",
    "\u0301",
  );
  const texts = fc.array(fragments, { maxLength: 30 }).map((parts) => parts.join(""));
  const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 20 });

  test("however a text is cut into pieces, the same is shown", () => {
    fc.assert(
      fc.property(texts, cuts, (text, at) => {
        const places = [...new Set(at.map((n) => n % (text.length + 1)))].sort((a, b) => a - b);
        const pieces = [0, ...places].map((from, i) => text.slice(from, places[i] ?? text.length));
        expect(pieces.join("")).toBe(text);
        expect(settle(pieces)).toBe(settle([text]));
      }),
      { numRuns: 3000 },
    );
  });

  test("with nothing to rewrite, text passes at once and unchanged", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (pieces) => {
        const text = settler(nothing);
        for (const piece of pieces) {
          expect(shown(text.push(piece))).toBe(piece);
        }
        expect(text.end()).toEqual([]);
      }),
    );
  });

  test("its state is all there is to it: another goes on at any character", () => {
    fc.assert(
      fc.property(texts, fc.nat(), (text, cut) => {
        const at = cut % (text.length + 1);
        const one = settler(everything);
        const out = [...one.push(text.slice(0, at))];
        const state = JSON.parse(JSON.stringify(one.state)) as typeof one.state;
        const other = new TextSettler(everything, (name) => ({ title: name }), state);
        out.push(...other.push(text.slice(at)), ...other.end());
        expect(shown(out)).toBe(settle([text]));
      }),
      { numRuns: 1000 },
    );
  });
});
