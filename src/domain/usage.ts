/** Tokens of one turn or one run, by OpenAI's names; details a server left out are 0. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly cached_tokens: number;
  readonly reasoning_tokens: number;
  /** Hosted tools that are billed by the call. */
  readonly web_searches: number;
  readonly file_searches: number;
}

export const noUsage: Usage = {
  prompt_tokens: 0,
  completion_tokens: 0,
  total_tokens: 0,
  cached_tokens: 0,
  reasoning_tokens: 0,
  web_searches: 0,
  file_searches: 0,
};

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    prompt_tokens: a.prompt_tokens + b.prompt_tokens,
    completion_tokens: a.completion_tokens + b.completion_tokens,
    total_tokens: a.total_tokens + b.total_tokens,
    cached_tokens: a.cached_tokens + b.cached_tokens,
    reasoning_tokens: a.reasoning_tokens + b.reasoning_tokens,
    web_searches: a.web_searches + b.web_searches,
    file_searches: a.file_searches + b.file_searches,
  };
}

/** What something cost, in US dollars. `null`: no price is known, and none is guessed. */
export type Cost = number | null;

/** A sum of costs is known only if every part is. */
export function addCost(a: Cost, b: Cost): Cost {
  return a === null || b === null ? null : a + b;
}
