import { think } from "./brain.ts";
import { checkCalls, checkResources, itemsOf, toTurn, wholeOf } from "./conversation.ts";
import { tokenCount } from "./events.ts";
import { Generation, type Pace } from "./generation.ts";
import { type DemoState, forgetOldest } from "./state.ts";
import { notFound, Refusal, type WireObject } from "./wire.ts";

/** How long a background response can be taken up as a stream. Later it can only be fetched. */
const streamableMs = 5 * 60_000;

/** How many responses can be fetched again; older ones are only remembered as a conversation. */
const maxFetchable = 500;

/** The Responses API, as far as a driver uses it. */
export class DemoResponses {
  readonly #state: DemoState;
  readonly #pace: Pace;
  readonly #generations = new Map<
    string,
    { readonly generation: Generation; readonly isBackground: boolean; readonly begunMs: number }
  >();
  readonly #attempts = new Map<string, number>();

  constructor(state: DemoState, pace: Pace) {
    this.#state = state;
    this.#pace = pace;
  }

  /** `POST /responses`. The answer is JSON, or a stream when the request says so. */
  async create(request: WireObject, signal: AbortSignal | undefined): Promise<Response> {
    const generation = this.#begin(request);
    const isBackground = request.background === true;
    if (request.stream === true) {
      const ended = isBackground ? () => undefined : () => generation.cancel();
      return streamOf(generation, { meetsFaults: true, signal, ended });
    }
    if (isBackground) return Response.json(generation.response);
    await orAborted(generation.finished, signal, () => generation.cancel());
    return Response.json(generation.response);
  }

  /** `GET /responses/{id}`. */
  retrieve(id: string): Response {
    return Response.json(this.#find(id).generation.response);
  }

  /** `GET /responses/{id}?stream=true&starting_after=n`. */
  resume(id: string, after: number, signal: AbortSignal | undefined): Response {
    const { generation, isBackground, begunMs } = this.#find(id);
    if (!isBackground) {
      throw new Refusal({
        status: 400,
        message:
          "This response cannot be streamed because it was not created with background=true.",
      });
    }
    if (this.#state.now() - begunMs > streamableMs) {
      throw new Refusal({
        status: 400,
        message: "This response can no longer be streamed because it is more than 5 minutes old.",
      });
    }
    return streamOf(generation, { after, meetsFaults: false, signal, ended: () => undefined });
  }

  /** `POST /responses/{id}/cancel`. */
  cancel(id: string): Response {
    const { generation, isBackground } = this.#find(id);
    if (!isBackground) {
      throw new Refusal({
        status: 400,
        message: "Only responses created with background=true can be cancelled.",
      });
    }
    generation.cancel();
    return Response.json(generation.response);
  }

  /** `DELETE /responses/{id}`. */
  remove(id: string): Response {
    const { generation } = this.#find(id);
    generation.cancel();
    this.#generations.delete(id);
    this.#state.memories.delete(id);
    return Response.json({ id, object: "response", deleted: true });
  }

  #begin(request: WireObject): Generation {
    const { items, before } = itemsOf(request, this.#state);
    const whole = wholeOf({ items, before });
    checkCalls(whole);
    checkResources(request, items, this.#state);
    const turn = toTurn(request, whole, this.#state);
    const plan = think(turn, (key) => this.#attempt(key));
    if (plan.type === "refuse") throw new Refusal(plan.error);
    const texts = turn.entries.map((entry) =>
      JSON.stringify(entry.type === "user" ? entry.text : entry),
    );
    const writing = {
      id: this.#state.newId("resp"),
      request,
      plan,
      inputTokens: tokenCount(turn.instructions + texts.join("")),
      state: this.#state,
    };
    const generation = new Generation(writing, this.#pace);
    if (request.store === false && request.background !== true) return generation;
    this.#keep(generation, request.background === true);
    const remembered = generation.finished.then(() => {
      const { status, output } = generation.response;
      if (status !== "completed" && status !== "incomplete") return;
      const said = Array.isArray(output) ? output : [];
      this.#state.remember(generation.id, { items: [...items, ...said], before });
    });
    remembered.catch(() => undefined);
    return generation;
  }

  #keep(generation: Generation, isBackground: boolean): void {
    const begunMs = this.#state.now();
    this.#generations.set(generation.id, { generation, isBackground, begunMs });
    forgetOldest(this.#generations, maxFetchable);
  }

  #find(id: string) {
    const found = this.#generations.get(id);
    // While a foreground response is being written nobody else can see it.
    if (!found || (!found.isBackground && !found.generation.isOver)) {
      throw notFound(`Response with id '${id}'`);
    }
    return found;
  }

  #attempt(key: string): number {
    const attempt = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempt);
    forgetOldest(this.#attempts, 1_000);
    return attempt;
  }
}

interface Reading {
  readonly after?: number;
  readonly meetsFaults: boolean;
  readonly signal: AbortSignal | undefined;
  /** Called once when nobody reads any more. */
  readonly ended: () => void;
}

/** The answer as server-sent events, with everything that can happen to a connection. */
function streamOf(generation: Generation, reading: Reading): Response {
  const gone = new AbortController();
  const signal = reading.signal ? AbortSignal.any([reading.signal, gone.signal]) : gone.signal;
  const beats = generation.read(reading, signal);
  const encoder = new TextEncoder();
  const leave = () => {
    gone.abort();
    reading.ended();
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value: beat, done } = await beats.next();
        if (done || (beat.type === "fault" && beat.fault === "cut")) {
          controller.close();
          leave();
          return;
        }
        if (beat.type === "event") {
          const data = { ...beat.event, sequence_number: beat.number };
          controller.enqueue(
            encoder.encode(`event: ${String(beat.event.type)}\ndata: ${JSON.stringify(data)}\n\n`),
          );
          return;
        }
        if (beat.fault === "reset") throw resetError("terminated");
        await aborted(signal);
      } catch (error) {
        controller.error(error);
        leave();
      }
    },
    cancel: leave,
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-request-id": `req_${generation.id.slice(-32)}`,
    },
  });
}

/** What undici throws when a connection breaks in the middle of a body. */
function resetError(message: string): TypeError {
  const cause = Object.assign(new Error("other side closed"), { code: "UND_ERR_SOCKET" });
  return new TypeError(message, { cause });
}

/** Rejects with the signal's reason once it is aborted; never resolves. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function orAborted(
  work: Promise<void>,
  signal: AbortSignal | undefined,
  stop: () => void,
): Promise<void> {
  if (!signal) return work;
  try {
    await Promise.race([work, aborted(signal)]);
  } catch (error) {
    stop();
    throw error;
  }
}
