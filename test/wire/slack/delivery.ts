import type { WireClock } from "./clock.ts";
import type { JsonObject } from "./json.ts";

/** The three kinds of thing Slack sends to an app. */
export type DeliveryKind = "events_api" | "slash_commands" | "interactive";

/** How one attempt to hand something to the app went. */
export type AttemptResult =
  | { readonly type: "acknowledged"; readonly answer: unknown; readonly mayRetry: true }
  | {
      readonly type: "failed";
      readonly reason: "http_timeout" | "connection_failed" | "http_error";
      readonly status?: number;
      /** False when the app asked not to be tried again. */
      readonly mayRetry: boolean;
    };

/** One attempt, as it is recorded. */
export interface Attempt {
  readonly retry: number;
  readonly atMs: number;
  readonly result: AttemptResult;
}

/** Something Slack sends to the app, and what became of it. */
export interface Delivery {
  readonly kind: DeliveryKind;
  readonly payload: JsonObject;
  readonly attempts: readonly Attempt[];
  readonly state: "pending" | "acknowledged" | "failed";
  /** Resolves when it is acknowledged or given up. */
  readonly finished: Promise<Delivery>;
}

/** A way to the app: Socket Mode or its request URL. */
export interface DeliveryRoute {
  /** Waiting times before the second, third and fourth attempt of an event. */
  readonly retryDelaysMs: readonly number[];
  /** Resolves when there is somebody to send to. */
  ready(): Promise<void>;
  isReady(): boolean;
  send(
    delivery: Delivery,
    retry: { readonly number: number; readonly reason: string },
  ): Promise<AttemptResult>;
}

interface OpenDelivery extends Delivery {
  attempts: Attempt[];
  state: "pending" | "acknowledged" | "failed";
}

/**
 * Hands what happens to the app: events with up to three retries, interactions once. Tests make it
 * deliver late, in another order or more than once.
 */
export class Dispatcher {
  readonly #clock: WireClock;
  #route: DeliveryRoute;
  readonly #deliveries: OpenDelivery[] = [];
  #held: (() => void)[] | undefined;
  readonly #paused = new Set<() => void>();
  #copies = 1;

  constructor(clock: WireClock, route: DeliveryRoute) {
    this.#clock = clock;
    this.#route = route;
  }

  /** Everything sent so far, oldest first. */
  get all(): readonly Delivery[] {
    return this.#deliveries;
  }

  useRoute(route: DeliveryRoute): void {
    this.#route = route;
  }

  /** Keeps events back until {@link release}. */
  hold(): void {
    this.#held ??= [];
  }

  /** Lets go of what was held, in this order. */
  release(order: "as-sent" | "reversed" = "as-sent"): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const send of order === "reversed" ? held.toReversed() : held) send();
  }

  /** Every event from now on arrives this many times, with the same event id. */
  deliverEachEvent(times: number): void {
    this.#copies = times;
  }

  /** Sends an event again, as if nobody had acknowledged it. */
  redeliver(delivery: Delivery): Delivery {
    return this.#start(delivery.kind, delivery.payload, 1);
  }

  /** Makes every retry that waits for its minute happen now. */
  retryNow(): void {
    for (const go of [...this.#paused]) go();
  }

  send(kind: DeliveryKind, payload: JsonObject): Delivery {
    const [first] = Array.from({ length: kind === "events_api" ? this.#copies : 1 }, () =>
      this.#start(kind, payload, 0),
    );
    if (!first) throw new Error("an event is delivered at least once");
    return first;
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    for (;;) {
      const open = this.#deliveries.filter(({ state }) => state === "pending");
      if (open.length === 0) return;
      await Promise.all(open.map(({ finished }) => finished));
    }
  }

  #start(kind: DeliveryKind, payload: JsonObject, firstRetry: number): Delivery {
    const { promise, resolve } = Promise.withResolvers<Delivery>();
    const delivery: OpenDelivery = {
      kind,
      payload,
      attempts: [],
      state: "pending",
      finished: promise,
    };
    this.#deliveries.push(delivery);
    const send = () => {
      const work =
        kind === "events_api" ? this.#attempts(delivery, firstRetry) : this.#once(delivery);
      work.then(
        () => resolve(delivery),
        () => {
          delivery.state = "failed";
          resolve(delivery);
        },
      );
    };
    if (this.#held && kind === "events_api") this.#held.push(send);
    else send();
    return delivery;
  }

  async #once(delivery: OpenDelivery): Promise<void> {
    const result = this.#route.isReady()
      ? await this.#attempt(delivery, { number: 0, reason: "" })
      : ({ type: "failed", reason: "connection_failed", mayRetry: false } as const);
    delivery.state = result.type === "acknowledged" ? "acknowledged" : "failed";
  }

  async #attempts(delivery: OpenDelivery, firstRetry: number): Promise<void> {
    let reason = firstRetry > 0 ? "http_timeout" : "";
    for (let number = firstRetry; number <= 3; number += 1) {
      if (number > 0) await this.#pause(this.#route.retryDelaysMs[number - 1] ?? 0);
      await this.#route.ready();
      const result = await this.#attempt(delivery, { number, reason });
      if (result.type === "acknowledged") {
        delivery.state = "acknowledged";
        return;
      }
      if (!result.mayRetry) break;
      reason = result.reason;
    }
    delivery.state = "failed";
  }

  async #attempt(
    delivery: OpenDelivery,
    retry: { readonly number: number; readonly reason: string },
  ): Promise<AttemptResult> {
    const atMs = this.#clock.now();
    const result = await this.#route.send(delivery, retry);
    delivery.attempts.push({ retry: retry.number, atMs, result });
    return result;
  }

  #pause(delayMs: number): Promise<void> {
    if (delayMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const go = (): void => {
        this.#paused.delete(go);
        cancel();
        resolve();
      };
      const cancel = this.#clock.after(delayMs, go);
      this.#paused.add(go);
    });
  }
}
