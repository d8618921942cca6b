import { type Skill, say } from "./skill.ts";

/** Every kind of Markdown a reply may hold. */
export const showcase: Skill = ({ text }) =>
  /^(showcase|markdown|demo|format(?:ting)?)[.!?]*$/i.test(text) ? say(page) : undefined;

const page = `## A showcase of Markdown

Text may be **bold**, *slanted*, ~~struck out~~ or \`code\`, and hold [a link](https://commonmark.org).

1. First of a numbered list
2. Second, with points of its own
   - one
   - another
     - deeper still
3. Third

- [x] something done
- [ ] something to do

> A quotation,
> on two lines.

| Planet | Diameter in km | Moons |
| :-- | --: | :-: |
| Mercury | 4,879 | 0 |
| Earth | 12,756 | 1 |
| Mars | 6,792 | 2 |

\`\`\`ts
/** The greatest common divisor, after Euclid. */
function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
\`\`\`

Maths in a line, \\(e^{i\\pi} + 1 = 0\\), and on its own:

\\[
\\sum_{k=1}^{n} k = \\frac{n(n+1)}{2}
\\]

---

That is the end of it.`;
