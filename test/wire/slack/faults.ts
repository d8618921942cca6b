import type { JsonObject } from "./json.ts";

/**
 * Something that goes wrong with a call. `accepted` means that the call was carried out before
 * the answer got lost: the message is there and the app does not know.
 */
export type Fault =
  | { readonly type: "refusal"; readonly error: string; readonly details?: JsonObject }
  | { readonly type: "rate-limit"; readonly retryAfterSeconds: number | undefined }
  | { readonly type: "http-error"; readonly status: number; readonly accepted: boolean }
  | { readonly type: "reset"; readonly accepted: boolean }
  /** A page of HTML with status 200, as proxies and sign-in pages answer. */
  | { readonly type: "html" }
  /** An empty object with status 200. */
  | { readonly type: "empty" }
  /** The answer comes this much later on the server's clock; carried out at once or only then. */
  | { readonly type: "slow"; readonly ms: number; readonly accepted: boolean }
  /** On its way until {@link FaultPlan.clear}, and carried out only then, whoever is still there. */
  | { readonly type: "late" }
  /** No answer until {@link FaultPlan.clear}, then a reset. */
  | { readonly type: "silence" };

interface PlannedFault {
  readonly method: string;
  readonly fault: Fault;
  readonly matches: (args: JsonObject) => boolean;
  times: number;
}

/** The faults a test has ordered, by method. */
export class FaultPlan {
  #planned: PlannedFault[] = [];
  #silent: (() => void)[] = [];
  #spent = 0;

  /** How many calls have gone wrong, or are going wrong at the moment. */
  get spent(): number {
    return this.#spent;
  }

  /** The next calls of a method (`*` for any) go wrong this way: once unless said otherwise. */
  next(
    method: string,
    fault: Fault,
    options: { readonly times?: number; readonly matches?: (args: JsonObject) => boolean } = {},
  ): void {
    const { times = 1, matches = () => true } = options;
    this.#planned.push({ method, fault, matches, times });
  }

  /** Every call of a method goes wrong this way, until {@link clear}. */
  always(method: string, fault: Fault, matches: (args: JsonObject) => boolean = () => true): void {
    this.next(method, fault, { times: Number.POSITIVE_INFINITY, matches });
  }

  /** All is well again; calls left without an answer are reset. */
  clear(): void {
    this.#planned = [];
    for (const end of this.#silent.splice(0)) end();
  }

  /** The fault for this call, spent. */
  take(method: string, args: JsonObject): Fault | undefined {
    const planned = this.#planned.find(
      (one) => one.times > 0 && (one.method === method || one.method === "*") && one.matches(args),
    );
    if (!planned) return undefined;
    planned.times -= 1;
    this.#spent += 1;
    return planned.fault;
  }

  /** Resolves at {@link clear}. */
  untilCleared(): Promise<void> {
    return new Promise((resolve) => this.#silent.push(resolve));
  }
}
