import { describe, expect, test } from "vitest";
import { createPrices, noPrices } from "../../../adapters/prices/prices.ts";
import { noUsage, type Usage } from "../../../src/domain/usage.ts";

const million: Usage = {
  ...noUsage,
  prompt_tokens: 1_000_000,
  completion_tokens: 1_000_000,
  total_tokens: 2_000_000,
};
const catalogue = createPrices({ ownPrices: {}, baseUrl: undefined });

describe("a price", () => {
  test("comes from the catalogue, for a dated model too", () => {
    expect(catalogue.costOf("gpt-5", million)).toBeCloseTo(1.25 + 10);
    expect(catalogue.costOf("gpt-5-2025-08-07", million)).toBeCloseTo(1.25 + 10);
  });

  test("is lower for what came from the cache", () => {
    const usage = { ...million, cached_tokens: 500_000 };
    expect(catalogue.costOf("gpt-5", usage)).toBeCloseTo(0.5 * 1.25 + 0.5 * 0.125 + 10);
  });

  test("counts searches", () => {
    const usage = { ...million, web_searches: 3, file_searches: 2 };
    expect(catalogue.costOf("gpt-5", usage)).toBeCloseTo(1.25 + 10 + 3 * 0.01 + 2 * 0.0025);
  });

  test.each([
    ["a model nobody knows", undefined, "gpt-99-imaginary"],
    ["a known name on an unknown server", "http://127.0.0.1:11434/v1", "gpt-5"],
  ])("is not guessed for %s", (_case, baseUrl, model) => {
    expect(createPrices({ ownPrices: {}, baseUrl }).costOf(model, million)).toBeNull();
  });

  test("is not guessed for usage that contradicts itself", () => {
    const usage = { ...million, prompt_tokens: Number.NaN };
    expect(catalogue.costOf("gpt-5", usage)).toBeNull();
  });

  test("is that of the server asked", () => {
    const openrouter = createPrices({ ownPrices: {}, baseUrl: "https://openrouter.ai/api/v1" });
    expect(openrouter.costOf("meta-llama/llama-3.3-70b-instruct", million)).toBeGreaterThan(0);
    expect(catalogue.costOf("meta-llama/llama-3.3-70b-instruct", million)).toBeNull();
  });

  test("is nothing in this very process", () => {
    expect(noPrices.costOf("demo", million)).toBe(0);
  });
});

describe("a price of one's own", () => {
  const ownPrices = {
    "gpt-5": { input: 1, output: 2 },
    local: { input: 0, output: 0 },
    searching: { input: 0, output: 0, cached_input: 0, web_search: 0.5 },
    cached: { input: 4, output: 0, cached_input: 1 },
  };
  const own = createPrices({ ownPrices, baseUrl: "http://127.0.0.1:11434/v1" });

  test.each([
    ["goes before the catalogue", "gpt-5", million, 3],
    ["may be nothing", "local", million, 0],
    ["counts cached tokens", "cached", { ...million, cached_tokens: 500_000 }, 2.5],
    ["counts searches by the call", "searching", { ...million, web_searches: 3 }, 1.5],
    ["is unknown for searches without one", "local", { ...million, web_searches: 1 }, null],
    [
      "is unknown for file searches without one",
      "searching",
      { ...million, file_searches: 1 },
      null,
    ],
  ])("%s", (_rule, model, usage, cost) => {
    expect(own.costOf(model, usage)).toBe(cost);
  });
});
