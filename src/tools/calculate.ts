import { z } from "zod";
import { arithmeticFunctions, calculate, maxExpressionLength } from "#domain/arithmetic";
import { defineTool } from "./define-tool.ts";

/** Arithmetic without a rounding mistake. */
export const calculateTool = defineTool({
  name: "calculate",
  title: "Calculating",
  description: `Evaluates one arithmetic expression exactly (fractions and large integers keep every digit). Operators: + - * / ^ ! % mod, "15% of 80", parentheses. Functions: ${arithmeticFunctions.join(", ")}. Constants: pi, tau, e. Use it for any calculation that is not trivial.`,
  schema: z.object({
    expression: z
      .string()
      .max(maxExpressionLength)
      .describe("For example `(19.99 * 3) * 1.19` or `round(10/3, 2)`."),
  }),
  idempotent: true,
  timeoutMs: 5_000,
  run({ expression }) {
    const result = calculate(expression);
    if (!result.ok) return `This could not be calculated: ${result.problem}`;
    const { value, exact, fraction } = result;
    return JSON.stringify({ expression, result: value, exact, ...(fraction ? { fraction } : {}) });
  },
});
