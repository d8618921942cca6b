import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeBlock, escaped, link, toDiscord } from "../../../adapters/discord/markdown.ts";
import { Plan } from "../../../adapters/discord/plan.ts";

/** An answer as the messages of a reply show it. */
function shown(text: string): readonly string[] {
  const plan = new Plan(0);
  plan.feed(text);
  plan.end();
  return plan.parts.map((part) => toDiscord(part.text).trim());
}

describe("what Discord cannot show is shown otherwise:", () => {
  test.each([
    [
      "a narrow table is aligned",
      "| a | long |\n| - | -: |\n| x | 1 |\n| yy | 22 |",
      "```\na   long\n──  ────\nx      1\nyy    22\n```",
    ],
    [
      "deep headings are bold",
      "#### Deep\n##### **Deeper** ##\n### Third",
      "**Deep**\n**Deeper**\n### Third",
    ],
    [
      "tasks have boxes",
      "- [ ] open\n- [x] done\n  1. [X] nested",
      "- ☐ open\n- ☑ done\n  1. ☑ nested",
    ],
    ["rules are lines", "a\n\n---\n\nb\n\n* * *\n\n> ___", "a\n\n⎯⎯⎯\n\nb\n\n⎯⎯⎯\n\n> ⎯⎯⎯"],
    [
      "images are links",
      '![A cat](https://x.example/cat.png "Tom") and ![](https://x.example/b.png)',
      "[A cat](https://x.example/cat.png) and https://x.example/b.png",
    ],
    [
      "longer fences are Discord's",
      "````md\n```js\nlet a;\n```\n````",
      "```md\n``\u200b`js\nlet a;\n``\u200b`\n```",
    ],
    ["maths is Unicode where that is exact", "So \\(x^2 \\le 4\\) it is.", "So x² ≤ 4 it is."],
    ["line breaks of HTML are spaces", "one<br/>two", "one two"],
  ])("%s", (_what, markdown, expected) => {
    expect(shown(markdown)).toEqual([expected]);
  });

  test("a table wider than a phone is a list", () => {
    const wide = `| Name | Words |\n| - | - |\n| a | ${"x".repeat(70)} |`;
    expect(shown(wide)).toEqual([`- **Name:** a\n  **Words:** ${"x".repeat(70)}`]);
  });

  test("code is left as it is", () => {
    const code = "```md\n#### not a heading\n- [ ] not a task\n---\n![no](image)\n```";
    expect(shown(code)).toEqual([code]);
    expect(shown("Write `- [ ] task` or `![a](b)`.")).toEqual(["Write `- [ ] task` or `![a](b)`."]);
    const listed = "- first\n\n  ```\n  ---\n  #### x\n  ```\n- second";
    expect(shown(listed)).toEqual([listed]);
  });

  test("words that name another address than they lead to are replaced by it", () => {
    expect(toDiscord("[https://bank.example](https://evil.example/x)")).toBe(
      "<https://evil.example/x>",
    );
    expect(toDiscord("[bank.example](https://evil.example/x)")).toBe("<https://evil.example/x>");
    expect(toDiscord("[www.bank.example](https://bank.example/x)")).toBe(
      "[www.bank.example](https://bank.example/x)",
    );
    expect(toDiscord("[the bank](https://bank.example/x)")).toBe(
      "[the bank](https://bank.example/x)",
    );
  });
});

test("nothing gets longer", () => {
  const pieces = fc.constantFrom(
    "#### head\n",
    "- [ ] task\n",
    "---\n",
    "* * *\n",
    "![alt](https://a.example/b)",
    "> ",
    "1. ",
    "[a.example](https://b.example)",
    "`code`",
    "```\n",
    "text ",
    "\n",
    "<br>",
    "**",
    "[x](y)",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (list) => {
      const text = list.join("");
      expect(toDiscord(text).length).toBeLessThanOrEqual(text.length);
    }),
  );
});

test("every message of any answer fits, stands alone, and no word is missing", () => {
  const block = fc.oneof(
    fc
      .array(
        fc.constantFrom(
          "Wort",
          "漢字",
          "👩‍👩‍👧",
          "مرحبا",
          "**bold**",
          "`code`",
          "[l](https://l.example)",
        ),
        {
          minLength: 1,
          maxLength: 120,
        },
      )
      .map((words) => words.join(" ")),
    fc
      .integer({ min: 1, max: 120 })
      .map((lines) => `\`\`\`ts\n${"const x = `a`;\n".repeat(lines)}\`\`\``),
    fc
      .integer({ min: 1, max: 60 })
      .map((rows) => `| a | b |\n| - | - |\n${"| cell | 2 |\n".repeat(rows)}`),
    fc
      .integer({ min: 1, max: 40 })
      .map((items) =>
        Array.from({ length: items }, (_, at) => `${at + 1}. item\n   - [ ] nested`).join("\n"),
      ),
    fc.constant("#### Heading\n\n---"),
    fc.constant("x".repeat(5_000)),
    fc.constant("| a \\| b | `c \\| d` |\n| - | - |\n| one \\| two | three |"),
    fc.constant("````\n```\nfence in fence\n```\n````"),
  );
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 12 }), (blocks) => {
      const marked = blocks.map((one, at) => `begin${at}\n\n${one}\n\nend${at}`).join("\n\n");
      const parts = shown(marked);
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(1_900);
        expect((part.match(/^[ >\d.-]*```/gm) ?? []).length % 2).toBe(0);
      }
      const all = parts.join("\n");
      for (const word of ["Wort", "漢字", "cell", "item", "nested", "const x", "fence in fence"]) {
        expect(all.split(word).length).toBe(marked.split(word).length);
      }
      for (const at of blocks.keys()) {
        expect(all.split(new RegExp(`\\bbegin${at}\\b`))).toHaveLength(2);
        expect(all.split(new RegExp(`\\bend${at}\\b`))).toHaveLength(2);
      }
    }),
    { numRuns: 25 },
  );
});

describe("words of others inside of ours", () => {
  test("are no markup and notify nobody", () => {
    expect(escaped("**bold** [a](b) <@1> @everyone\n# x")).toBe(
      "\\*\\*bold\\*\\* \\[a\\]\\(b\\) \\<@\u200b1\\> @\u200beveryone # x",
    );
    expect(codeBlock("a ``` b")).toBe("```\na ``\u200b` b\n```");
    expect(link("words", "javascript:alert(1)")).toBe("words");
    expect(link("words", "https://a.example/b")).toBe("[words](<https://a.example/b>)");
  });
});
