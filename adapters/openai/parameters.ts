import { refusedParameter } from "./failures.ts";

/** Fields that only tune an answer: it is better to get one without them than none. */
const optional = [
  "background",
  "context_management",
  "include",
  "max_completion_tokens",
  "max_output_tokens",
  "max_tokens",
  "metadata",
  "parallel_tool_calls",
  "prompt_cache_key",
  "reasoning",
  "reasoning_effort",
  "safety_identifier",
  "stream_options",
  "temperature",
  "top_p",
];

/** How many refusals one request may meet. */
const maxRefusals = 6;

/**
 * Remembers which optional fields a server refuses for a model (a 400 that names the field), and
 * leaves them out from then on. Servers and models differ too much to know it beforehand:
 * reasoning models refuse `temperature`, summaries need a verified organisation, and so on.
 */
export class ParameterMemory {
  readonly #refused = new Map<string, Set<string>>();

  /** Sends a body without what is known to be refused; learns and sends again on a refusal. */
  async send<Body extends { readonly model?: unknown }, Answer>(
    body: Body,
    post: (body: Body) => Promise<Answer>,
  ): Promise<Answer> {
    const model = String(body.model);
    const refused = this.#refused.get(model) ?? new Set<string>();
    for (let refusals = 0; ; refusals += 1) {
      try {
        return await post(without(body, refused));
      } catch (error) {
        const path = refusedParameter(error);
        const isNews = path !== undefined && isOptional(path) && !refused.has(path);
        if (!isNews || refusals >= maxRefusals) throw error;
        refused.add(path);
        this.#refused.set(model, refused);
      }
    }
  }
}

function isOptional(path: string): boolean {
  return optional.includes(rootOf(path));
}

function rootOf(path: string): string {
  return path.split(/[.[]/)[0] ?? path;
}

/** `reasoning.summary` takes only the summary away; a path into a list takes the whole field. */
function without<Body extends object>(body: Body, paths: ReadonlySet<string>): Body {
  if (paths.size === 0) return body;
  const rest: { [key: string]: unknown } = Object.fromEntries(Object.entries(body));
  for (const path of paths) {
    const [root = path, name] = path.split(".");
    const inner = rest[root];
    if (name === undefined || typeof inner !== "object" || inner === null) {
      delete rest[rootOf(path)];
      continue;
    }
    const { [name]: _, ...kept } = inner as { readonly [key: string]: unknown };
    if (Object.keys(kept).length === 0) delete rest[root];
    else rest[root] = kept;
  }
  return rest as Body;
}
