import fc from "fast-check";
import { expect, test } from "vitest";
import { maxPassageCharacters, toPassages } from "#domain/passage";

const words = fc.array(
  fc.constantFrom("lamp ", "order.\n", "Paragraph\n\n", "ü🙂", "x".repeat(300)),
  {
    maxLength: 400,
  },
);

test("every word of a document stands in one of its passages, whole, on its own page", () => {
  fc.assert(
    fc.property(words, words, (first, second) => {
      const pages = [first, second].map((parts, index) => ({
        page: index + 1,
        text: parts.join(""),
      }));
      const passages = toPassages({ pages, truncated: false });
      for (const { page, text } of pages) {
        const own = passages.filter((passage) => passage.page === page);
        expect(own.every((passage) => text.includes(passage.text))).toBe(true);
        expect(own.every((passage) => passage.text.length <= maxPassageCharacters)).toBe(true);
        // Each goes on where the ones before end, or begins in them; what repeats fits where it reaches furthest.
        let at = 0;
        for (const passage of own) {
          const gap = text.slice(at).search(/\S|$/);
          const from = text.lastIndexOf(passage.text, at + gap);
          expect(from).toBeGreaterThanOrEqual(0);
          at = Math.max(at, from + passage.text.length);
        }
        expect(text.slice(at).trim()).toBe("");
      }
    }),
    { numRuns: 60 },
  );
});

test("a passage ends at a paragraph where one is near", () => {
  const paragraph = `${"word ".repeat(200).trim()}\n\n`;
  const passages = toPassages({ pages: [{ text: paragraph.repeat(3) }], truncated: false });
  expect(passages[0]?.text).toBe(paragraph.trim());
});
