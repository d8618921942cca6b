import fc from "fast-check";

const words = [
  "word",
  "a",
  "bot",
  "value",
  "Überlänge",
  "naïve",
  "日本語の文章です。",
  "漢字",
  "中文段落，没有空格。",
  "👩‍👩‍👧‍👦",
  "🇩🇪🇫🇷",
  "👍🏽",
  "é́",
  "שלום עולם",
  "مرحبا",
  "e\u0301",
  "क्षि",
  "3.",
  "12)",
  "1.",
  "-",
  "+",
  "*",
  "#",
  ">",
  "x<y",
  "a|b",
  "a\\|b",
  "don't",
  "e.g.",
  "Done.",
  "Really?",
  "😀",
  "_",
  "__init__",
  "snake_case",
  "5*3",
  "2 ** 3",
  "$5",
  "`",
  "``",
  "~~",
  "[",
  "]",
  "(",
  "<",
  "\\",
  "!",
  "\\(",
  "**",
  "~~~",
  "==",
  "---",
  "|",
];

const atoms = [
  "`code`",
  "``a ` b``",
  "`a b c d e f`",
  "[link](https://example.org/a_(b))",
  '[text with `code`](<u r l> "title")',
  "![alt text](https://example.org/i.png)",
  "<https://example.org/auto?q=1>",
  "https://example.org/bare/path?x=1&y=2",
  "<@U123>",
  "<#C42|general>",
  "<!date^1^{date} at|x y>",
  "</cmd:12>",
  "<br>",
  "[1]",
  "[ref][id]",
  "\\(x^2 + y_1\\)",
  "$$a \\le b$$",
  "\\[ \\frac{1}{2} \\]",
  "**bold text**",
  "*emphasis here*",
  "~~gone~~",
  "***both***",
  "**bold `code` in**",
  "[nested [brackets]](u)",
];

const word = fc.constantFrom(...words);
const atom = fc.constantFrom(...atoms);
const longWord = fc
  .tuple(
    fc.constantFrom("x", "ab", "漢", "👩‍👩‍👧‍👦", "e\u0301", "0", "😀"),
    fc.integer({ min: 5, max: 60 }),
  )
  .map(([unit, times]) => unit.repeat(times));
const noise = fc
  .array(
    fc.constantFrom(..."`~*_[]()<>$\\|#-+>!:. \t12aé".split(""), "\n", "\r\n", "\u200d", "\ud83d"),
    {
      maxLength: 40,
    },
  )
  .map((chars) => chars.join(""));

const inline = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: word },
      { weight: 4, arbitrary: atom },
      { weight: 1, arbitrary: longWord },
    ),
    { minLength: 1, maxLength: 10 },
  )
  .chain((pieces) =>
    fc
      .array(fc.constantFrom(" ", " ", " ", " ", "", "  ", "\t"), {
        minLength: pieces.length,
        maxLength: pieces.length,
      })
      .map((spaces) => pieces.map((piece, i) => piece + (spaces[i] ?? "")).join("")),
  );

const paragraph = fc
  .array(inline, { minLength: 1, maxLength: 3, size: "xsmall" })
  .map((lines) => lines.join("\n"));

const heading = fc
  .tuple(fc.integer({ min: 1, max: 6 }), word)
  .map(([level, text]) => `${"#".repeat(level)} ${text}`);

const setext = fc.tuple(word, fc.constantFrom("===", "---")).map(([a, b]) => `${a}\n${b}`);

const codeLine = fc.oneof(
  fc.constantFrom(
    "let a = 1",
    "",
    "  indented()",
    "// ``` not a fence",
    "```",
    "~~~",
    "| a | b |",
    "- item",
    "> q",
    "x = `y`",
    "\tTab",
    "# c",
    "1. x",
  ),
  longWord,
  noise.map((text) => text.replaceAll(/\r?\n/g, " ")),
);

const fence = fc
  .record({
    marker: fc.constantFrom("```", "````", "~~~", "~~~~", "``````"),
    info: fc.constantFrom("", "ts", 'python title="a b"', " sh", "md {1,2}"),
    lines: fc.array(codeLine, { maxLength: 8 }),
    closed: fc.boolean().chain((often) => (often ? fc.constant(true) : fc.boolean())),
  })
  .map(({ marker, info, lines, closed }) =>
    [marker + info, ...lines, ...(closed ? [marker] : [])].join("\n"),
  );

const cell = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "b c",
    "1,234",
    "x \\| y",
    "`a \\| b`",
    "**b**",
    "日本語",
    "👍🏽",
    "[l](u)",
    "\\(x^2\\)",
    "a long cell with several words",
  ),
);

const table = fc
  .integer({ min: 1, max: 6 })
  .chain((columns) =>
    fc.record({
      rows: fc.array(fc.array(cell, { minLength: columns, maxLength: columns + 1 }), {
        minLength: 1,
        maxLength: 6,
      }),
      align: fc.array(fc.constantFrom("---", ":--", "--:", ":-:"), {
        minLength: columns,
        maxLength: columns,
      }),
      bars: fc.boolean(),
    }),
  )
  .map(({ rows, align, bars }) => {
    const line = (cells: readonly string[]) =>
      bars || cells.length < 2
        ? `| ${cells.join(" | ")} |`
        : cells.map((text) => text || "x").join(" | ");
    const [header = [], ...body] = rows;
    return [line(header.slice(0, align.length)), line(align), ...body.map(line)].join("\n");
  });

const maths = fc.constantFrom(
  "$$\nx = \\frac{a}{b}\n- y\n$$",
  "\\[\n\\sum_{i=1}^n i\n\\]",
  "$$ x^2 $$",
  "\\[ a \\le b \\]",
  "$$\nunclosed\n",
  "\\[\nunclosed\n\nafter",
);

const leaf = fc.oneof(
  { weight: 5, arbitrary: paragraph },
  { weight: 2, arbitrary: fence },
  { weight: 2, arbitrary: table },
  { weight: 1, arbitrary: heading },
  { weight: 1, arbitrary: setext },
  { weight: 1, arbitrary: maths },
  {
    weight: 1,
    arbitrary: fc.constantFrom("---", "***", "", "\n\n", "    indented code\n    more", "\t"),
  },
  { weight: 1, arbitrary: noise },
);

const { block } = fc.letrec<{ block: string; list: string; quote: string }>((tie) => ({
  block: fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf, tie("list"), tie("quote")),
  list: fc
    .record({
      items: fc.array(fc.array(tie("block"), { minLength: 1, maxLength: 2 }), {
        minLength: 1,
        maxLength: 3,
      }),
      marker: fc.constantFrom("-", "*", "1.", "1)", "count"),
      loose: fc.boolean(),
    })
    .map(({ items, marker, loose }) =>
      items
        .map((blocks, index) => {
          const mark = marker === "count" ? `${index + 1}. ` : `${marker} `;
          return mark + indented(blocks.join("\n\n"), " ".repeat(mark.length));
        })
        .join(loose ? "\n\n" : "\n"),
    ),
  quote: fc.tuple(tie("block"), fc.constantFrom("> ", ">")).map(([text, mark]) => {
    // Without its space the mark would take one from an indentation, on some lines only.
    const safe = /\n[ \t]/.test(text) ? "> " : mark;
    return safe + indented(text, safe);
  }),
}));

function indented(text: string, by: string): string {
  return text.replaceAll("\n", `\n${by}`);
}

/** Markdown as models write it, and much worse: every construct, nested, unclosed, in every script. */
export const markdownDocument: fc.Arbitrary<string> = fc
  .record({
    blocks: fc.array(fc.tuple(block, fc.constantFrom("\n\n", "\n\n", "\n", "\n\n\n")), {
      minLength: 1,
      maxLength: 6,
    }),
    crlf: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    end: fc.constantFrom("", "\n", " "),
  })
  .map(({ blocks, crlf, end }) => {
    const text = blocks.map(([text, gap], i) => text + (i < blocks.length - 1 ? gap : "")).join("");
    const whole = text + end;
    return crlf ? whole.replaceAll(/\r?\n/g, "\r\n") : whole;
  });
