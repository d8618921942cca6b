import { createHmac } from "node:crypto";
import type { WireClock } from "./clock.ts";
import type { AttemptResult, Delivery, DeliveryRoute } from "./delivery.ts";
import { isObject, parsed, textAt } from "./json.ts";

const answerWithinMs = 3000;

/**
 * The way to an app's request URL: signed POSTs, an answer within three seconds, events again at
 * once, after a minute and after five (docs.slack.dev/apis/events-api).
 */
export class HttpRoute implements DeliveryRoute {
  readonly retryDelaysMs = [0, 60_000, 300_000];
  readonly #clock: WireClock;
  readonly #url: string;
  readonly #signingSecret: string;

  constructor(options: {
    readonly clock: WireClock;
    readonly url: string;
    readonly signingSecret: string;
  }) {
    this.#clock = options.clock;
    this.#url = options.url;
    this.#signingSecret = options.signingSecret;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  isReady(): boolean {
    return true;
  }

  /** What Slack does before it accepts a request URL. Throws in words when the app fails it. */
  async verify(): Promise<void> {
    const challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    const response = await this.#post(
      JSON.stringify({ token: "verification", challenge, type: "url_verification" }),
      { contentType: "application/json" },
    );
    const body = await response.text();
    const answered = textAt(parsed(body), "challenge") ?? body;
    if (!response.ok || answered !== challenge) {
      throw new Error(`the request URL answered the challenge with ${response.status}: ${body}`);
    }
  }

  async send(
    delivery: Delivery,
    retry: { readonly number: number; readonly reason: string },
  ): Promise<AttemptResult> {
    const { body, contentType } = encoded(delivery);
    const headers: Record<string, string> =
      retry.number > 0
        ? { "x-slack-retry-num": String(retry.number), "x-slack-retry-reason": retry.reason }
        : {};
    const abort = new AbortController();
    const cancel = this.#clock.after(answerWithinMs, () => abort.abort());
    try {
      const response = await this.#post(body, { contentType, headers, signal: abort.signal });
      const text = await response.text();
      if (response.ok) {
        return { type: "acknowledged", answer: parsed(text) ?? text, mayRetry: true };
      }
      return {
        type: "failed",
        reason: "http_error",
        status: response.status,
        mayRetry: response.headers.get("x-slack-no-retry") !== "1",
      };
    } catch {
      return {
        type: "failed",
        reason: abort.signal.aborted ? "http_timeout" : "connection_failed",
        mayRetry: true,
      };
    } finally {
      cancel();
    }
  }

  async #post(
    body: string,
    request: {
      readonly contentType: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly signal?: AbortSignal;
    },
  ): Promise<Response> {
    // The app compares with its own clock, so this one time is the machine's.
    const timestamp = String(Math.floor(Date.now() / 1000));
    return await fetch(this.#url, {
      method: "POST",
      body,
      redirect: "manual",
      signal: request.signal ?? null,
      headers: {
        "content-type": request.contentType,
        "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": signatureOf({ secret: this.#signingSecret, timestamp, body }),
        ...request.headers,
      },
    });
  }
}

/** The signature of a request (docs.slack.dev/authentication/verifying-requests-from-slack). */
export function signatureOf(request: {
  readonly secret: string;
  readonly timestamp: string;
  readonly body: string;
}): string {
  const digest = createHmac("sha256", request.secret)
    .update(`v0:${request.timestamp}:${request.body}`)
    .digest("hex");
  return `v0=${digest}`;
}

function encoded({ kind, payload }: Delivery): {
  readonly body: string;
  readonly contentType: string;
} {
  const form = "application/x-www-form-urlencoded";
  switch (kind) {
    case "events_api":
      return { body: JSON.stringify(payload), contentType: "application/json" };
    case "interactive":
      return {
        body: new URLSearchParams({ payload: JSON.stringify(payload) }).toString(),
        contentType: form,
      };
    case "slash_commands": {
      const fields = Object.entries(payload).filter(([, value]) => !isObject(value));
      return {
        body: new URLSearchParams(
          Object.fromEntries(fields.map(([name, value]) => [name, String(value)])),
        ).toString(),
        contentType: form,
      };
    }
  }
}
