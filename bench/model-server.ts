import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "./child.ts";
import { findScript, gatesOf, type Script, tokensOf } from "./script.ts";
import { nowMs } from "./statistics.ts";

/** What the model server noted of one reply; moments of the shared clock. */
export interface ModelNotes {
  /** The request had arrived whole. */
  readonly askedAtMs: number;
  /** Each token was about to be written. */
  readonly tokenAtMs: Float64Array;
  /** Characters up to and including each token. */
  readonly characters: Uint32Array;
}

/**
 * A model service in a process of its own: streams scripted replies as the Responses API does, with
 * the events, the order and the echo of the request that the real one sends. It notes when it was
 * asked and when it wrote each token.
 */
const notes = new Map<string, ModelNotes>();
const waiting = new Set<() => void>();
const tokensByShape = new Map<string, readonly string[]>();
let lastBody: unknown;

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.destroy(error));
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  serve(
    { baseUrl: `http://127.0.0.1:${port}/v1` },
    {
      /** Everything noted since the last time. */
      take: () => {
        const taken = [...notes];
        notes.clear();
        return taken;
      },
      /** How many streams wait at a gate. */
      waiting: () => waiting.size,
      /** Lets the streams that wait at a gate go on. */
      release: () => {
        const released = [...waiting];
        waiting.clear();
        for (const goOn of released) goOn();
      },
      /** The last request's body. */
      lastBody: () => lastBody,
    },
  );
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const askedAtMs = nowMs();
  const text = Buffer.concat(chunks).toString();
  const script = findScript(text);
  if (request.method !== "POST" || script === undefined) {
    response.writeHead(404, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { message: "There is nothing here." } }));
    return;
  }
  const body = JSON.parse(text);
  lastBody = body;
  await new Reply(response, script, body, askedAtMs).stream();
}

interface WireEvent {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** One streamed response. */
class Reply {
  readonly #response: ServerResponse;
  readonly #script: Script;
  readonly #base: { readonly [key: string]: unknown };
  readonly #itemId: string;
  readonly #notes: ModelNotes;
  readonly #tokens: readonly string[];
  #sequence = -1;

  constructor(
    response: ServerResponse,
    script: Script,
    body: { readonly [key: string]: unknown },
    askedAtMs: number,
  ) {
    this.#response = response;
    this.#script = script;
    const { input: _input, stream: _stream, include: _include, ...echoed } = body;
    this.#base = {
      id: `resp_${script.id}`,
      object: "response",
      created_at: Math.floor(Date.now() / 1000),
      error: null,
      incomplete_details: null,
      previous_response_id: null,
      parallel_tool_calls: true,
      ...echoed,
    };
    this.#itemId = `msg_${script.id}`;
    this.#tokens = tokensOfShape(script);
    this.#notes = {
      askedAtMs,
      tokenAtMs: new Float64Array(this.#tokens.length),
      characters: new Uint32Array(this.#tokens.length),
    };
    notes.set(script.id, this.#notes);
  }

  async stream(): Promise<void> {
    this.#response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    const response = { ...this.#base, status: "in_progress", output: [], usage: null };
    const item = {
      id: this.#itemId,
      type: "message",
      status: "in_progress",
      role: "assistant",
      content: [],
    };
    const part = { type: "output_text", text: "", annotations: [], logprobs: [] };
    this.#write(
      { type: "response.created", response },
      { type: "response.in_progress", response },
      { type: "response.output_item.added", output_index: 0, item },
      { type: "response.content_part.added", ...this.#place, part },
    );
    await this.#sendTokens();
    this.#end(item, part);
  }

  async #sendTokens(): Promise<void> {
    const { everyMs, tokensPerWrite, isGated } = this.#script;
    const gates = isGated ? gatesOf(this.#tokens.length) : [];
    let begunMs = nowMs();
    let writes = 0;
    let characters = 0;
    for (let sent = 0; sent < this.#tokens.length; ) {
      const gate = gates.find((at) => at > sent) ?? this.#tokens.length;
      const first = sent;
      const until = Math.min(first + tokensPerWrite, gate);
      let text = "";
      for (; sent < until; sent += 1) {
        const delta = this.#tokens[sent] ?? "";
        characters += delta.length;
        this.#notes.characters[sent] = characters;
        text += this.#frame({
          type: "response.output_text.delta",
          ...this.#place,
          delta,
          logprobs: [],
        });
      }
      this.#notes.tokenAtMs.fill(nowMs(), first, until);
      this.#response.write(text);
      if (gates.includes(sent)) {
        await new Promise<void>((goOn) => waiting.add(goOn));
        begunMs = nowMs();
        writes = 0;
      }
      // The end of a response follows its last token at once.
      if (sent === this.#tokens.length) return;
      writes += 1;
      await pause(everyMs === 0 ? 0 : begunMs + writes * everyMs - nowMs());
    }
  }

  #end(item: object, part: object): void {
    const text = this.#tokens.join("");
    const done = { ...part, text };
    const whole = { ...item, status: "completed", content: [done] };
    const usage = {
      input_tokens: 900,
      input_tokens_details: { cached_tokens: 800 },
      output_tokens: this.#tokens.length,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 900 + this.#tokens.length,
    };
    const response = { ...this.#base, status: "completed", output: [whole], usage };
    this.#write(
      { type: "response.output_text.done", ...this.#place, text, logprobs: [] },
      { type: "response.content_part.done", ...this.#place, part: done },
      { type: "response.output_item.done", output_index: 0, item: whole },
      { type: "response.completed", response },
    );
    this.#response.end();
  }

  get #place() {
    return { item_id: this.#itemId, output_index: 0, content_index: 0 };
  }

  #write(...events: readonly WireEvent[]): void {
    this.#response.write(events.map((event) => this.#frame(event)).join(""));
  }

  #frame(event: WireEvent): string {
    this.#sequence += 1;
    const data = JSON.stringify({ ...event, sequence_number: this.#sequence });
    return `event: ${event.type}\ndata: ${data}\n\n`;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms < 0.5) setImmediate(resolve);
    else setTimeout(resolve, ms);
  });
}

function tokensOfShape({ characters, isPlain = false }: Script): readonly string[] {
  const shape = `${characters} ${isPlain}`;
  const known = tokensByShape.get(shape) ?? tokensOf(characters, isPlain);
  tokensByShape.set(shape, known);
  return known;
}
