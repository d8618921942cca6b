import { expect, test } from "vitest";
import { drawMaths } from "#domain/maths";

test.each([
  ["x^2 + y_1", "x² + y₁"],
  ["\\alpha \\le \\beta", "α ≤ β"],
  ["E = mc^2", "E = mc²"],
  ["x^{n+1}", "xⁿ⁺¹"],
  ["a_{ij}", "aᵢⱼ"],
  ["\\frac{1}{2}", "½"],
  ["\\frac{a}{b}", "a/b"],
  ["\\frac{a+b}{c}", "(a + b)/c"],
  ["\\frac{a}{b}c", "(a/b)c"],
  ["\\frac{a}{b}^2", "(a/b)²"],
  ["x\\frac{1}{2}", "x½"],
  ["-x", "−x"],
  ["a - b", "a − b"],
  ["f(x) = -x", "f(x) = −x"],
  ["\\sqrt{x}", "√x"],
  ["\\sqrt{x+1}", "√(x + 1)"],
  ["\\sqrt[3]{8}", "∛8"],
  ["\\sqrt{ab}", "√(ab)"],
  ["\\sum_{i=1}^{n} i", "∑ᵢ₌₁ⁿ i"],
  ["x \\in \\mathbb{R}", "x ∈ ℝ"],
  ["\\sin x + \\cos(y)", "sin x + cos(y)"],
  ["90^\\circ", "90°"],
  ["\\left( a, b \\right)", "(a, b)"],
  ["\\text{if } x > 0", "if x > 0"],
  ["f'(x)", "f′(x)"],
  ["\\vec{v} \\cdot \\hat{n}", "v⃗ · n̂"],
  ["|x|", "∣x∣"],
  ["\\{1, 2\\}", "{1, 2}"],
  ["A^T", "Aᵀ"],
  ["a*b", "a ∗ b"],
  ["10\\%", "10%"],
])("%s is shown as %s", (source, shown) => {
  expect(drawMaths(source, "inline")).toBe(shown);
});

test.each([
  ["x^{q}"],
  ["x_{b}"],
  ["\\begin{matrix} a & b \\end{matrix}"],
  ["\\lim_{x \\to 0} f"],
  ["\\sqrt[n]{x}"],
  ["\\unknown"],
  ["x^"],
  ["{x"],
  ["x}"],
  ["a_b_"],
  ["\\frac{a}"],
  [""],
  ["^2"],
])("%s is shown as code, since Unicode cannot say it exactly", (source) => {
  expect(drawMaths(source, "inline")).toBe(source === "" ? "" : `\`${source}\``);
});

test("maths with a backtick is code all the same", () => {
  expect(drawMaths("\\x `", "inline")).toBe("`` \\x ` ``");
});

test("display maths is a code block where it is not exact", () => {
  expect(drawMaths("\\lim_{x \\to 0} f", "block")).toBe("```latex\n\\lim_{x \\to 0} f\n```");
  expect(drawMaths("a = b \\\\ c = d", "block")).toBe("a = b\nc = d");
});

test("what would begin a list or a heading is code", () => {
  expect(drawMaths("+ y", "block")).toBe("```latex\n+ y\n```");
  expect(drawMaths("> 3", "inline")).toBe("`> 3`");
});
