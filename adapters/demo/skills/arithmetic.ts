import { calculate } from "#domain/arithmetic";
import { type Skill, say } from "./skill.ts";

/** `what is 15% of 80`, `calculate 2^64`, or just an expression. */
export const arithmetic: Skill = ({ text }) => {
  const asked =
    /^(?:(?:please\s+)?(?:calculate|compute|eval(?:uate)?|how much is|what(?:'s| is)))\s*:?\s+(.+?)\s*\??$/is.exec(
      text,
    );
  const expression = asked?.[1] ?? text.replace(/[?=]\s*$/, "").trim();
  const looksLikeOne =
    /\d/.test(expression) &&
    /[-+*/^%!×÷(]|\b(of|mod)\b/.test(expression) &&
    expression.length < 1_000;
  if (!looksLikeOne) return undefined;
  const result = calculate(expression);
  if (!result.ok) {
    // A sentence with a number in it is no expression; only who asked for a result is told why not.
    return /^(calculate|compute|eval)/i.test(text)
      ? say(`I cannot calculate \`${expression.replaceAll("`", "'")}\`. ${result.problem}`)
      : undefined;
  }
  const shown = expression.replaceAll("`", "'");
  const note = result.exact
    ? ""
    : result.fraction
      ? ` (rounded; exactly ${result.fraction})`
      : " (rounded to double precision)";
  return say(`\`${shown}\` ${result.exact ? "=" : "≈"} **${result.value}**${note}`);
};
