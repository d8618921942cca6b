import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import type { ResponseCreateParamsStreaming } from "openai/resources/responses/responses";
import { serve, startedWith } from "./child.ts";

/** What the floor is started with. */
export interface FloorOptions {
  readonly baseUrl: string;
  /** The body Bobbin sent for such a message: the floor sends the same, with its own message in it. */
  readonly body: ResponseCreateParamsStreaming;
}

/**
 * The smallest honest bot: takes a message over HTTP, makes the same SDK call with the same inputs,
 * and shows the text in the same windows by the same events at the same 25 frames a second.
 *
 * What it does not do: it keeps nothing. No message, reply, thread, run, usage or cost is stored, and
 * nothing is journalled; a message posted twice is answered twice, one that is posted while another
 * is answered is answered beside it, and a crash loses all. No queue, no limits, no caps, no settings,
 * no tools, no citations, no log, no metrics, no history, no passwords, no deadline, no retries.
 */
const { baseUrl, body } = startedWith<FloorOptions>();
const client = new OpenAI({ apiKey: "none", baseURL: baseUrl, maxRetries: 0, logLevel: "off" });
const windows = new Set<ServerResponse>();
const frameMs = 40;
let messages = 0;

const server = createServer((request, response) => {
  if (request.method === "POST") {
    take(request, response).catch((error) => response.destroy(error));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  response.flushHeaders();
  windows.add(response);
  response.on("close", () => windows.delete(response));
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  serve({ url: `http://127.0.0.1:${port}/` }, {});
});

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let json = "";
  for await (const chunk of request) json += chunk;
  const { text, channel } = JSON.parse(json);
  messages += 1;
  const id = `m-${messages}`;
  const message = { id, channel, root: null, author: { kind: "person" }, text };
  publish({ type: "message", channel, message });
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ message }));
  await answer({ id, channel, text });
}

async function answer(question: { id: string; channel: string; text: string }): Promise<void> {
  const reply = new Reply(question.id, question.channel);
  const stream = await client.responses.create({
    ...body,
    input: [{ role: "user", content: [{ type: "input_text", text: question.text }] }],
  });
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") reply.show(event.delta);
    else if (event.type === "response.completed") reply.finish();
  }
}

/** The text so far, in memory, and in the windows at most once a frame. */
class Reply {
  readonly #root: string;
  readonly #channel: string;
  #text = "";
  #shown = 0;
  #isThere = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(root: string, channel: string) {
    this.#root = root;
    this.#channel = channel;
  }

  show(delta: string): void {
    this.#text += delta;
    if (this.#timer !== undefined) return;
    this.#draw("working");
    this.#timer = setTimeout(() => this.#nextFrame(), frameMs);
  }

  finish(): void {
    clearTimeout(this.#timer);
    this.#draw("completed");
  }

  #nextFrame(): void {
    this.#timer = undefined;
    if (this.#shown === this.#text.length) return;
    this.#draw("working");
    this.#timer = setTimeout(() => this.#nextFrame(), frameMs);
  }

  #draw(status: "working" | "completed"): void {
    const [id, channel, root] = [`r-${this.#root}`, this.#channel, this.#root];
    if (!this.#isThere) {
      const [author, text, reply] = [{ kind: "bot" }, this.#text, { status }];
      publish({ type: "message", channel, message: { id, channel, root, author, text, reply } });
    } else {
      const text = this.#text.slice(this.#shown);
      publish({ type: "delta", id, channel, from: this.#shown, text, patch: { set: { status } } });
    }
    this.#isThere = true;
    this.#shown = this.#text.length;
  }
}

function publish(event: object): void {
  const frame = `data: ${JSON.stringify(event)}\n\n`;
  for (const window of windows) window.write(frame);
}
