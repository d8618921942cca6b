import type { RefusalName } from "./refusal.ts";

/**
 * Something that goes wrong with a request. `accepted` means that it was carried out before the
 * answer got lost: the message is there and the bot does not know.
 */
export type Fault =
  | { readonly type: "refusal"; readonly name: RefusalName }
  | {
      readonly type: "rate-limit";
      readonly retryAfterSeconds: number;
      readonly scope: "user" | "global" | "shared";
    }
  | { readonly type: "http-error"; readonly status: number; readonly accepted: boolean }
  /** Something with status 200 that is not Discord's: a page of a proxy, nothing at all. */
  | { readonly type: "foreign"; readonly contentType: string; readonly body: string }
  /** The connection is reset, or closed politely; the real client repeats only after a reset. */
  | { readonly type: "reset" | "hang-up"; readonly accepted: boolean }
  /** On its way until {@link FaultPlan.clear}, and carried out only then, whoever is still there. */
  | { readonly type: "late" }
  /** No answer until {@link FaultPlan.clear}, then a reset. */
  | { readonly type: "silence"; readonly accepted: boolean };

/** The requests a fault is meant for; `route` is Discord's own notation, `/channels/:channel/messages`. */
export interface FaultTarget {
  readonly method?: string;
  readonly route?: string;
  /** Looks at the decoded path and the body. */
  readonly matches?: (request: { readonly path: string; readonly body: unknown }) => boolean;
}

/** The faults a test has ordered. */
export class FaultPlan {
  #planned: { readonly target: FaultTarget; readonly fault: Fault; times: number }[] = [];
  #silent: (() => void)[] = [];
  #spent = 0;

  /** How many requests have gone wrong, or are going wrong at the moment. */
  get spent(): number {
    return this.#spent;
  }

  /** The next requests to a target go wrong this way: once unless said otherwise. */
  next(target: FaultTarget, fault: Fault, times = 1): void {
    this.#planned.push({ target, fault, times });
  }

  /** Every request to a target goes wrong this way, until {@link clear}. */
  always(target: FaultTarget, fault: Fault): void {
    this.next(target, fault, Number.POSITIVE_INFINITY);
  }

  /** All is well again; requests left without an answer are reset. */
  clear(): void {
    this.#planned = [];
    for (const end of this.#silent.splice(0)) end();
  }

  /** The fault for this request, spent. */
  take(request: {
    readonly method: string;
    readonly route: string;
    readonly path: string;
    readonly body: unknown;
  }): Fault | undefined {
    const planned = this.#planned.find(
      ({ target, times }) =>
        times > 0 &&
        (target.method === undefined || target.method === request.method) &&
        (target.route === undefined || target.route === request.route) &&
        (target.matches === undefined || target.matches(request)),
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
