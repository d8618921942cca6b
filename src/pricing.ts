import type { Config } from "./config.ts";

/** What prices are looked up with. */
export function pricing({ cost, model }: Config) {
  return {
    ownPrices: cost.ownPrices,
    baseUrl: model.type === "openai" ? model.baseUrl : undefined,
  };
}
