import type {
  ChatChannel,
  ChatMessage,
  CompletionAnswer,
  ConsoleState,
  LiveEvent,
  MessagePage,
  PostAnswer,
  PostRequest,
  SessionAnswer,
  SettingsAnswer,
  ThreadListing,
  UploadAnswer,
  Words,
} from "../wire.ts";

/** A refusal in words for the person. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, words: string) {
    super(words);
    this.name = "Refused";
    this.status = status;
  }
}

export type Press =
  | { readonly type: "stop" | "retry" | "continue" | "answer-new-version" }
  | { readonly type: "feedback"; readonly good: boolean; readonly reason?: string };

export type DecisionMade =
  | { readonly type: "approve" }
  | { readonly type: "decline" }
  | { readonly type: "finish" }
  | { readonly type: "answer"; readonly answers: { readonly [id: string]: string } };

const apiBase = "/console/api/";
const retryMs = [300, 1000, 2000, 4000, 8000];

/** The console's HTTP API, speaking as one person. */
export class Api {
  readonly #as: string;

  constructor(as: string) {
    this.#as = as;
  }

  static async session(): Promise<SessionAnswer> {
    return call("GET", `${apiBase}session`);
  }

  static async login(password: string): Promise<void> {
    await call("POST", `${apiBase}login`, { password });
  }

  static async logout(): Promise<void> {
    await call("POST", `${apiBase}logout`, {});
  }

  state(): Promise<ConsoleState> {
    return call("GET", this.#url("state"));
  }

  messages(channel: string, root: string | null, before?: number): Promise<MessagePage> {
    return call(
      "GET",
      this.#url(`channels/${encodeURIComponent(channel)}/messages`, { root, before }),
    );
  }

  async message(id: string): Promise<ChatMessage> {
    const answer = await call<{ message: ChatMessage }>(
      "GET",
      this.#url(`messages/${encodeURIComponent(id)}`),
    );
    return answer.message;
  }

  async threads(): Promise<readonly ThreadListing[]> {
    const answer = await call<{ threads: readonly ThreadListing[] }>("GET", this.#url("threads"));
    return answer.threads;
  }

  /** Tries again while the connection is gone: the nonce makes it one message. */
  post(request: PostRequest): Promise<PostAnswer> {
    return insist(() => call("POST", this.#url("messages"), request));
  }

  edit(id: string, text: string, nonce: string): Promise<PostAnswer> {
    const body = { nonce, text };
    return insist(() => call("PATCH", this.#url(`messages/${encodeURIComponent(id)}`), body));
  }

  remove(id: string): Promise<void> {
    const body = { nonce: newNonce() };
    return insist(() => call("DELETE", this.#url(`messages/${encodeURIComponent(id)}`), body));
  }

  async createChannel(name: string): Promise<ChatChannel> {
    const answer = await call<{ channel: ChatChannel }>("POST", this.#url("channels"), { name });
    return answer.channel;
  }

  command(channel: string, root: string | null, text: string): Promise<Words> {
    const body = { nonce: newNonce(), channel, root, text };
    return insist(() => call("POST", this.#url("command"), body));
  }

  complete(channel: string, root: string | null, text: string): Promise<CompletionAnswer> {
    return call("GET", this.#url("complete", { channel, root, text }));
  }

  settings(channel: string, root: string | null): Promise<SettingsAnswer> {
    return call("GET", this.#url("settings", { channel, root }));
  }

  decide(requestId: string, decision: DecisionMade): Promise<Words> {
    return insist(() => call("POST", this.#url("decide"), { requestId, decision }));
  }

  /** `messageId`: the edited message whose new version is to be answered. */
  press(runId: string, press: Press, messageId?: string): Promise<Words> {
    const body = { nonce: newNonce(), runId, press, ...(messageId ? { messageId } : {}) };
    return insist(() => call("POST", this.#url("press"), body));
  }

  /** Where a message's file is. */
  fileUrl(messageId: string, fileId: string): string {
    return this.#url(
      `messages/${encodeURIComponent(messageId)}/files/${encodeURIComponent(fileId)}`,
    );
  }

  /** Uploads with progress from 0 to 1; the signal stops it. */
  upload(
    file: File,
    onProgress: (done: number) => void,
    signal: AbortSignal,
  ): Promise<UploadAnswer> {
    // fetch cannot tell how much of a body is sent.
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", this.#url("files", { name: file.name }));
      request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
      request.responseType = "json";
      request.upload.onprogress = (event) => {
        if (event.lengthComputable) onProgress(event.loaded / event.total);
      };
      request.onload = () => {
        if (request.status === 200) resolve(request.response as UploadAnswer);
        else reject(new Refused(request.status, wordsIn(request.response)));
      };
      request.onerror = () => reject(new Refused(0, "The connection broke. Please try again."));
      request.onabort = () => reject(new Refused(0, "Taken back."));
      signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(file);
    });
  }

  /**
   * Listens to what happens. The browser connects again by itself and names the last event it saw;
   * `onConnection` tells when it is away.
   */
  listen(onEvent: (event: LiveEvent) => void, onConnection: (isOpen: boolean) => void): () => void {
    let source: EventSource | undefined;
    let lastEventId = "";
    let retry: number | undefined;
    const connect = () => {
      source = new EventSource(this.#url("events", { after: lastEventId || undefined }));
      source.onopen = () => onConnection(true);
      source.onmessage = (message: MessageEvent<string>) => {
        lastEventId = message.lastEventId;
        onEvent(JSON.parse(message.data) as LiveEvent);
      };
      source.onerror = () => {
        onConnection(false);
        // An answer that is no stream (the server is starting) ends the browser's own tries.
        if (source?.readyState !== EventSource.CLOSED) return;
        retry = window.setTimeout(connect, 1000);
      };
    };
    const connectAgain = () => {
      window.clearTimeout(retry);
      source?.close();
      connect();
    };
    connect();
    // What was connected before the network went may never say that it is over.
    window.addEventListener("online", connectAgain);
    return () => {
      window.removeEventListener("online", connectAgain);
      window.clearTimeout(retry);
      source?.close();
    };
  }

  #url(
    path: string,
    query: { readonly [name: string]: string | number | null | undefined } = {},
  ): string {
    const url = new URL(apiBase + path, location.origin);
    url.searchParams.set("as", this.#as);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
    }
    return url.pathname + url.search;
  }
}

/** Unique per thing done, the same for every try at it. */
export function newNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function call<T>(method: string, url: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
  } catch {
    throw new Refused(0, "I cannot reach the server.");
  }
  const json: unknown = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new Refused(answer.status, wordsIn(json));
  return json as T;
}

/** Tries for about 15 seconds: a server that starts again is back by then. */
async function insist<T>(attempt: () => Promise<T>): Promise<T> {
  for (const wait of retryMs) {
    try {
      return await attempt();
    } catch (error) {
      const isAway = error instanceof Refused && (error.status === 0 || error.status === 503);
      if (!isAway) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  return attempt();
}

function wordsIn(json: unknown): string {
  if (typeof json === "object" && json !== null && "error" in json) return String(json.error);
  return "That did not work.";
}
