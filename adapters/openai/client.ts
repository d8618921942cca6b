import OpenAI from "openai";

/** One HTTP call to a model API, for the metrics: `responses.create`, `ok`. */
export type OnCall = (operation: string, outcome: string, seconds: number) => void;

/** What it takes to reach a server. */
export interface ClientOptions {
  readonly apiKey: string;
  /** Absent: OpenAI itself. */
  readonly baseUrl?: string;
  /** Put under the SDK in place of the global one: the demo brain, or a recorder. */
  readonly fetch?: typeof globalThis.fetch;
  readonly onCall?: OnCall;
  /** How long to wait for the headers of an answer. */
  readonly headersTimeoutMs?: number;
  readonly headers?: { readonly [name: string]: string };
}

/** For calls that may be repeated without harm: reading, deleting, attaching what is attached already. */
export const retried = { maxRetries: 2 } as const;

/**
 * The SDK's client, set so that nothing is done behind our back.
 *
 * It never retries by itself: a second POST of a response would run a turn twice, since no
 * idempotency key is sent. Calls that are safe to repeat say so with {@link retried}.
 */
export function createClient(options: ClientOptions): OpenAI {
  return new OpenAI({
    apiKey: options.apiKey,
    baseURL: options.baseUrl ?? null,
    organization: null,
    project: null,
    maxRetries: 0,
    // Otherwise a malformed event is printed to the console.
    logLevel: "off",
    fetch: measured(options.fetch ?? globalThis.fetch, options.onCall),
    ...(options.headersTimeoutMs === undefined ? {} : { timeout: options.headersTimeoutMs }),
    ...(options.headers === undefined ? {} : { defaultHeaders: { ...options.headers } }),
  });
}

function measured(
  fetch: typeof globalThis.fetch,
  onCall: OnCall | undefined,
): typeof globalThis.fetch {
  if (onCall === undefined) return fetch;
  return async (input, init) => {
    const begun = performance.now();
    const ended = (outcome: string) =>
      onCall(operationOf(init?.method ?? "GET", String(input)), outcome, secondsSince(begun));
    try {
      const response = await fetch(input, init);
      ended(response.ok ? "ok" : String(response.status));
      return response;
    } catch (error) {
      ended(init?.signal?.aborted ? "aborted" : "error");
      throw error;
    }
  };
}

function secondsSince(begun: number): number {
  return (performance.now() - begun) / 1000;
}

/** The operation behind a method and a URL, as the SDK would call it; ids are left out. */
function operationOf(method: string, url: string): string {
  const segments = new URL(url).pathname.split("/").filter((segment) => segment !== "");
  const begin = segments.findIndex((segment) => roots.includes(segment));
  if (begin === -1) return "other";
  const names = segments.slice(begin).filter((segment, i) => i === 0 || words.includes(segment));
  const path = names.join(".").replace("chat.completions", "chat");
  if (segments.at(-1) === "cancel" || segments.at(-1) === "content") return path;
  const named = segments.at(-1) !== names.at(-1);
  const verb = { POST: "create", DELETE: "delete", GET: named ? "retrieve" : "list" }[method];
  return `${path}.${verb ?? method.toLowerCase()}`;
}

const roots = [
  "responses",
  "chat",
  "files",
  "vector_stores",
  "containers",
  "models",
  "audio",
  "embeddings",
];
const words = ["completions", "files", "content", "cancel", "transcriptions"];
