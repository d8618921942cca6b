import {
  calcPrice,
  findProvider,
  type PriceCalculationResult,
  type Provider,
} from "@pydantic/genai-prices";
import type { Cost, Usage } from "#domain/usage";
import type { Prices } from "#ports/prices";

/** How {@link Prices} are made. */
export interface PricesOptions {
  /** Go before the built-in ones; by the exact name of the model. US dollars by the million tokens. */
  readonly ownPrices: {
    readonly [model: string]: {
      readonly input: number;
      readonly output: number;
      readonly cached_input?: number;
      /** By the call, as is `file_search`. */
      readonly web_search?: number;
      readonly file_search?: number;
    };
  };
  /** The server that is asked; undefined: OpenAI's. Decides whose prices hold. */
  readonly baseUrl: string | undefined;
}

/**
 * Prices from the admin's own list, else from the catalogue that comes with `@pydantic/genai-prices`
 * (bundled, no network). A model of the same name on a server the catalogue does not know has no price.
 */
export function createPrices({ ownPrices, baseUrl }: PricesOptions): Prices {
  const provider = findProvider(
    baseUrl === undefined ? { providerId: "openai" } : { providerApiUrl: baseUrl },
  );
  const known = new Map<string, Provider>();
  return {
    costOf(model, usage) {
      const own = ownPrices[model];
      if (own) return ownCost(own, usage);
      if (provider === undefined) return null;
      const result = catalogueCost(known.get(model) ?? provider, model, usage);
      // Every call searches and checks all models of its provider: from now on only this one.
      if (result) known.set(model, { ...provider, models: [result.model] });
      return result === null ? null : result.total_price;
    },
  };
}

/** Prices of a brain that runs in this process: nothing is paid to anybody. */
export const noPrices: Prices = { costOf: () => 0 };

function ownCost(price: PricesOptions["ownPrices"][string], usage: Usage): Cost {
  if (usage.web_searches > 0 && price.web_search === undefined) return null;
  if (usage.file_searches > 0 && price.file_search === undefined) return null;
  const cached = Math.min(usage.cached_tokens, usage.prompt_tokens);
  const tokens =
    (usage.prompt_tokens - cached) * price.input +
    cached * (price.cached_input ?? price.input) +
    usage.completion_tokens * price.output;
  return (
    tokens / 1_000_000 +
    usage.web_searches * (price.web_search ?? 0) +
    usage.file_searches * (price.file_search ?? 0)
  );
}

function catalogueCost(provider: Provider, model: string, usage: Usage): PriceCalculationResult {
  try {
    const result = calcPrice(
      {
        input_tokens: usage.prompt_tokens,
        cache_read_tokens: Math.min(usage.cached_tokens, usage.prompt_tokens),
        output_tokens: usage.completion_tokens,
        ...(usage.web_searches > 0 ? { web_searches: usage.web_searches } : {}),
        ...(usage.file_searches > 0 ? { storage_searches: usage.file_searches } : {}),
      },
      model,
      { provider },
    );
    if (result === null) return null;
    const knows = (unit: string) => result.model_price[unit] !== undefined;
    if (usage.prompt_tokens > 0 && !knows("input_mtok")) return null;
    if (usage.completion_tokens > 0 && !knows("output_mtok")) return null;
    if (usage.web_searches > 0 && !knows("web_searches_kcount")) return null;
    if (usage.file_searches > 0 && !knows("storage_searches_kcount")) return null;
    return result;
  } catch {
    // Usage that contradicts itself has no price, and a price must never end a run.
    return null;
  }
}
