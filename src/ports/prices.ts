import type { Cost, Usage } from "#domain/usage";

/** What a turn cost, in US dollars. `null` where no price is known: none is ever guessed. */
export interface Prices {
  costOf(model: string, usage: Usage): Cost;
}
