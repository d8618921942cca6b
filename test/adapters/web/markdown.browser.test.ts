import fc from "fast-check";
import type { Browser, JSHandle, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser, launchBrowser, openWindow, Stage } from "./console-stage.ts";

/** What the page's module offers; it is loaded in the browser. */
interface MarkdownModule {
  readonly MarkdownView: new (context: {
    readonly sourceCount: number;
    readonly names: readonly string[];
    readonly keepsLineBreaks: boolean;
    readonly onSource: (number: number) => void;
  }) => { readonly element: HTMLElement; show(text: string, isOpen: boolean): void };
}

const blocks = [
  "A paragraph with **bold**, `code` and \\(x^2\\).",
  "Another one\nover two lines.",
  "# A heading",
  "Setext\n======",
  "- one\n- two\n  - deeper\n- three",
  "- loose\n\n- list\n\n  with a paragraph",
  "- [ ] to do\n- [x] done",
  "1. first\n2. second\n\n   still second",
  "```python\nprint(1)\n\nprint(2)  # two\n```",
  "~~~\n```\nnot a fence\n~~~",
  "````md\n```js\nlet a\n```\n````",
  "| a | b |\n|--:|:-:|\n| 1 | 2 |\n| 3 | 4 |",
  "> a quote\n> over lines\n\n> and another",
  "\\[ \\frac{a}{b}\n= c \\]",
  "$$\na + b\n$$",
  "Costs $5 and $6, or $$y$$ inline.",
  "---",
  "    indented code",
  "A [link](https://example.com) and a [reference][ref].",
  "[ref]: https://example.com/ref",
  "Marks [1], [2] and [9].",
  "![image](https://example.com/a.png)",
  "Unclosed \\( maths and ``` ticks",
  "Emoji 🧵 and 中文字符.",
  "<b>no html</b>",
];

describe.skipIf(!hasBrowser)("Markdown on the page", () => {
  let browser: Browser;
  let page: Page;
  let module: JSHandle<MarkdownModule>;
  const stage = new Stage();

  beforeAll(async () => {
    browser = await launchBrowser();
    await stage.start();
    ({ page } = await openWindow(browser, stage.url, "Ada"));
    await page.waitForSelector(".welcome");
    // As text: the test runner would rewrite an import it sees.
    module = await page.evaluateHandle<MarkdownModule>('import("/console/page/markdown.ts")');
  });
  afterAll(async () => {
    await browser.close();
    await stage.stop();
  });

  test("that came piece by piece ends the same as in one piece", async () => {
    const document = fc
      .array(fc.constantFrom(...blocks), { minLength: 1, maxLength: 12 })
      .map((parts) => parts.join("\n\n"));
    const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    const samples = fc.sample(fc.tuple(document, pieces), { numRuns: 150, seed: 7 });
    const different = await page.evaluate(
      ({ module: { MarkdownView }, all }) => {
        const context = { sourceCount: 2, names: [], keepsLineBreaks: false, onSource: () => {} };
        const wrong: { text: string; pieced: string; whole: string }[] = [];
        for (const [text, sizes] of all) {
          const whole = new MarkdownView(context);
          whole.show(text, false);
          const pieced = new MarkdownView(context);
          for (let end = 0, turn = 0; end < text.length; turn += 1) {
            end += sizes[turn % sizes.length] ?? 1;
            pieced.show(text.slice(0, end), true);
          }
          pieced.show(text, false);
          const [is, should] = [pieced.element.innerHTML, whole.element.innerHTML];
          if (is === should) continue;
          let at = 0;
          while (is[at] === should[at]) at += 1;
          const [from, to] = [Math.max(0, at - 40), at + 80];
          wrong.push({ text, pieced: is.slice(from, to), whole: should.slice(from, to) });
        }
        wrong.sort((a, b) => a.text.length - b.text.length);
        return wrong.slice(0, 1);
      },
      { module, all: samples },
    );
    expect(different).toEqual([]);
  });

  test("of 30,000 characters is drawn once: what is complete is never touched again", async () => {
    const text = Array.from({ length: 400 }, (_, index) => blocks[index % blocks.length])
      .join("\n\n")
      .repeat(3)
      .slice(0, 30_000);
    const drawn = await page.evaluate(
      async ({ module: { MarkdownView }, whole }) => {
        const context = { sourceCount: 2, names: [], keepsLineBreaks: false, onSource: () => {} };
        const view = new MarkdownView(context);
        document.body.append(view.element);
        let removed = 0;
        const observer = new MutationObserver((records) => {
          for (const record of records) {
            if (record.target === view.element) removed += record.removedNodes.length;
          }
        });
        observer.observe(view.element, { childList: true });
        const quarters: number[] = [];
        for (let end = 0; end < whole.length; end += 30) {
          view.show(whole.slice(0, end), true);
          if (end % 7_500 === 0 && end > 0) {
            await Promise.resolve();
            quarters.push(removed);
            removed = 0;
          }
        }
        await Promise.resolve();
        quarters.push(removed);
        const blocksShown = view.element.childElementCount;
        view.element.remove();
        return { quarters, blocksShown };
      },
      { module, whole: text },
    );
    expect(drawn.blocksShown).toBeGreaterThan(500);
    const [first = 0, ...later] = drawn.quarters;
    expect(later).toHaveLength(3);
    // The last quarter of the text costs what the first one did.
    for (const quarter of later) expect(quarter).toBeLessThan(first * 1.5);
  });

  test("of one long code block grows in place", async () => {
    const isSame = await page.evaluate(({ MarkdownView }) => {
      const context = { sourceCount: 0, names: [], keepsLineBreaks: false, onSource: () => {} };
      const view = new MarkdownView(context);
      let text = "```ts\n";
      view.show(text, true);
      const pre = view.element.querySelector("pre");
      for (let line = 0; line < 1000; line += 1) {
        text += `const value${line} = ${line};\n`;
        view.show(text, true);
      }
      const isKept = view.element.querySelector("pre") === pre;
      view.show(`${text}\`\`\`\n`, false);
      const shown = view.element.querySelector("code")?.textContent ?? "";
      return isKept && shown.trimEnd() === text.slice("```ts\n".length).trimEnd();
    }, module);
    expect(isSame).toBe(true);
  });

  test.each([
    ["half a formula", "The area is \\( \\pi r^", "The area is ∑ …"],
    ["half a displayed formula", "It is\n\n\\[ \\frac{a}{", "It is ∑ …"],
    ["half a piece of code", "Say `npm start", "Say npm start"],
    ["a mark of code alone", "Say `", "Say"],
    ["half a bold word", "It is **very imp", "It is very imp"],
    ["half of a closing mark", "It is **very*", "It is very"],
    ["bold text with code in it", "- one\n- It is **`a` and `b", "one It is a and b"],
    ["a bold cell", "| a | b |\n|--|--|\n| 1 | **tw", "a b 1 tw"],
    ["stars that mean nothing", "2 ** 3 is", "2 ** 3 is"],
    ["what was closed", "**a** `b` __c__ ~~d~~ e", "a b c d e"],
    ["half a closing fence", "```js\nlet a\n``", "js Copy let a"],
  ])("that ends in %s does not show it raw", async (_case, text, shown) => {
    const seen = await page.evaluate(
      ({ module: { MarkdownView }, whole }) => {
        const context = { sourceCount: 0, names: [], keepsLineBreaks: false, onSource: () => {} };
        const view = new MarkdownView(context);
        for (let end = 1; end <= whole.length; end += 1) view.show(whole.slice(0, end), true);
        document.body.append(view.element);
        const words = view.element.innerText;
        view.element.remove();
        return words.replace(/\s+/g, " ").trim();
      },
      { module, whole: text },
    );
    expect(seen).toBe(shown);
  });

  test("that grows letter by letter shows no mark at any moment", async () => {
    const text = [
      "**Tables**: attach a file, then `facts` or **`sum of amount`**.",
      "- One **bold** and ~~gone~~",
      "- Two, __under__ and **bold with `code` in it**",
    ].join("\n\n");
    const raw = await page.evaluate(
      ({ module: { MarkdownView }, whole }) => {
        const context = { sourceCount: 0, names: [], keepsLineBreaks: false, onSource: () => {} };
        const view = new MarkdownView(context);
        const found: string[] = [];
        for (let end = 1; end <= whole.length; end += 1) {
          view.show(whole.slice(0, end), true);
          const shown = view.element.textContent ?? "";
          if (/\*\*|__|~~|`/.test(shown)) found.push(whole.slice(0, end).slice(-20));
        }
        return found;
      },
      { module, whole: text },
    );
    expect(raw).toEqual([]);
  });
});
