import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { calculate, showFraction, toFraction } from "../../src/domain/arithmetic.ts";

describe("calculate", () => {
  test.each([
    ["1+2*3", "7"],
    ["(1+2)*3", "9"],
    ["0.1 + 0.2", "0.3"],
    ["-2^2", "-4"],
    ["2^3^2", "512"],
    ["2**10", "1024"],
    ["2^-3", "0.125"],
    ["2^200", "1606938044258990275541962092341162602522202993782792835301376"],
    ["15% of 80", "12"],
    ["20% - 5", "-4.8"],
    ["7 % 3", "1"],
    ["-7 mod 3", "2"],
    ["12 ÷ 4 × 3 − 1", "8"],
    ["1_000_000 * 3", "3000000"],
    ["2 + 2 =", "4"],
    ["5!", "120"],
    ["sqrt(144/25)", "2.4"],
    ["27^(2/3)", "9"],
    ["cbrt(-8)", "-2"],
    ["round(2.345, 2)", "2.35"],
    ["round(-2.5)", "-3"],
    ["round(1234, -2)", "1200"],
    ["floor(-1.5) + ceil(-1.5) + trunc(-1.5)", "-4"],
    ["max(1, 2.5, 2) - min(3, 1)", "1.5"],
    ["mean(1, 2, 4, 5)", "3"],
    ["median(9, 1, 4, 2)", "3"],
    ["gcd(12, 18) + lcm(4, 6)", "18"],
    ["log(1000)", "3"],
    ["log(8, 2)", "3"],
    ["abs(-3)", "3"],
    ["(-1)^1000000001", "-1"],
    ["1.5e3", "1500"],
    [".5 + 5.", "5.5"],
  ])("%s is exactly %s", (expression, value) => {
    expect(calculate(expression)).toEqual({ ok: true, value, exact: true });
  });

  test.each([
    ["1/3", "0.33333333333333333333", "1/3"],
    ["2/3", "0.66666666666666666667", "2/3"],
    ["-1/7000000000", "-1.4285714285714285714e-10", "-1/7000000000"],
  ])("%s is rounded to %s and keeps its fraction", (expression, value, fraction) => {
    expect(calculate(expression)).toEqual({ ok: true, value, exact: false, fraction });
  });

  test.each([
    ["sqrt(2)", "1.4142135623731"],
    ["2 * pi", "6.28318530717959"],
    ["sin(0)", "0"],
    ["ln(e)", "1"],
    ["exp(1)", "2.71828182845905"],
  ])("%s is %s and not called exact", (expression, value) => {
    expect(calculate(expression)).toEqual({
      ok: true,
      value: expect.stringContaining(value),
      exact: false,
    });
  });

  test.each([
    ["", "empty"],
    ["1/0", "division by zero"],
    ["0^-1", "division by zero"],
    ["sqrt(-1)", "not real"],
    ["(-1)^0.5", "not real"],
    ["2 +", "ends too early"],
    ["(2", "`)` is missing"],
    ["2 3", "`3` at position 3"],
    ["2 $ 3", "`$` at position 3"],
    ["foo(2)", "`foo` at position 1"],
    ["process.exit()", "`.` at position 8"],
    ["9^9^9^9", "too large"],
    ["exp(1000)", "too large"],
    ["3000!", "from 0 to 900"],
    ["sqrt(1, 2)", "one value"],
    ["1 = 2", "`=` at position 3"],
    ["5.5!", "whole numbers, not 5.5"],
  ])("%s is refused in words", (expression, words) => {
    expect(calculate(expression)).toEqual({ ok: false, problem: expect.stringContaining(words) });
  });

  test("deep nesting and long expressions are refused in words", () => {
    const deep = `${"(".repeat(400)}1${")".repeat(400)}`;
    expect(calculate(deep)).toEqual({ ok: false, problem: "It is nested deeper than 100 levels." });
    const long = "1+".repeat(2_000);
    expect(calculate(long)).toMatchObject({ problem: expect.stringContaining("at most 1000") });
  });

  test("sums and products of integers lose no digit", () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(), fc.bigInt(), (a, b, c) => {
        const value = calculate(`(${a}) * (${b}) + (${c})`);
        expect(value).toEqual({ ok: true, value: String(a * b + c), exact: true });
      }),
    );
  });

  test("whatever is written, there is an answer and no exception", () => {
    const pieces = [
      "1",
      "0",
      ".5",
      "9e9",
      "(",
      ")",
      "+",
      "-",
      "*",
      "/",
      "^",
      "%",
      "!",
      "sqrt",
      ",",
      " ",
      "pi",
      "of",
      "mod",
      "max(",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 30 }), (parts) => {
        const result = calculate(parts.join(""));
        expect(result.ok ? result.value : result.problem).not.toBe("");
      }),
      { numRuns: 1_000 },
    );
  });
});

test("a decimal is read and written back unchanged", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
      fc.nat(20),
      (digits, places) => {
        const sign = digits < 0n ? "-" : "";
        const text = String(digits < 0n ? -digits : digits).padStart(places + 1, "0");
        const cut = text.length - places;
        const decimal = (sign + text.slice(0, cut) + (places ? `.${text.slice(cut)}` : ""))
          .replace(/(\.\d*?)0+$/, "$1")
          .replace(/\.$/, "");
        const fraction = toFraction(decimal);
        expect(fraction && showFraction(fraction)).toBe(decimal);
      },
    ),
  );
});
