import type { FormRequest } from "#domain/run-event";
import { startHttpServer } from "../../adapters/http/server.ts";
import type { WebPlatform } from "../../adapters/web/platform.ts";
import type { ChatMessage, MessagePage, PostAnswer, Words } from "../../adapters/web/wire.ts";
import { createWeb, WebDisk } from "../adapters/web/web-harness.ts";
import { silentLog } from "../fakes/silent-log.ts";
import { type Stage, type Talk, textsWithFiles, type Walker } from "./stage.ts";

const channel = "shop";

/** The console, over HTTP on a real socket. */
export async function consoleStage(): Promise<Stage & { readonly url: string }> {
  const disk = new WebDisk();
  let platform: WebPlatform | undefined;
  let nonces = 0;
  const server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    routes: [
      {
        prefixes: ["/"],
        handle: (request, peer) => {
          if (!platform) throw new Error("the console was not made");
          return platform.routes.handle(request, peer);
        },
      },
    ],
    readiness: async () => ({ isReady: true, parts: {} }),
    metrics: async () => ({ contentType: "text/plain", body: "" }),
    metricsToken: undefined,
    log: silentLog,
  });

  const call = async <T>(who: Walker, method: string, path: string, body?: unknown) => {
    const url = new URL(`/console/api/${path}`, server.url);
    url.searchParams.set("as", who);
    const isText = typeof body === "string";
    const answer = await fetch(url, {
      method,
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const nonce = () => {
    nonces += 1;
    return `walk-nonce-${nonces}`;
  };

  let isFurnished = false;
  const furnish = async () => {
    if (isFurnished) return;
    isFurnished = true;
    for (const name of [channel, "staff"]) await call("Boss", "POST", "channels", { name });
  };

  const talk = (): Talk => {
    let root: ChatMessage | undefined;
    let before: ReadonlySet<string> = new Set();
    const whispers = new Map<Walker, string[]>();
    const whisper = (who: Walker, words: Words | undefined) => {
      if (words?.text) whispers.set(who, [...(whispers.get(who) ?? []), words.text]);
    };
    const all = async () => {
      if (!root) return [];
      const path = `channels/${channel}/messages?root=${root.id}`;
      const { messages } = await call<MessagePage>("Ada", "GET", path);
      return messages.filter(({ author }) => author.kind === "bot");
    };
    const replies = async () => (await all()).filter(({ id }) => !before.has(id));
    return {
      async says(who, text, file) {
        await furnish();
        before = new Set((await all()).map(({ id }) => id));
        const fileIds: string[] = [];
        if (file) {
          const uploaded = await call<{ file: { id: string } }>(
            who,
            "POST",
            `files?name=${file.name}`,
            file.text,
          );
          fileIds.push(uploaded.file.id);
        }
        const posted = await call<PostAnswer>(who, "POST", "messages", {
          nonce: nonce(),
          channel,
          root: root?.id ?? null,
          text: `@Bobbin ${text}`,
          fileIds,
        });
        whisper(who, posted.words);
        root ??= posted.message;
      },
      async shown() {
        const seen = await replies();
        return {
          text: seen.map(({ text, reply }) => [text, ...linesBelow(reply)].join("\n")).join("\n"),
          controls: seen.flatMap(({ reply }) => [
            ...(reply?.requests ?? []).map(({ type }) => (type === "form" ? "Answer" : "Approve")),
            ...(reply?.actions ?? []),
          ]),
          files: seen.flatMap(({ files }) => files),
          isDone: seen.some(({ reply }) => reply?.status === "completed"),
        };
      },
      async answers(who, values) {
        const { id, form } = formIn(await replies());
        const answers = Object.fromEntries(form.fields.map(({ id }, at) => [id, values[at] ?? ""]));
        const decision = { type: "answer", answers };
        const words = await call<Words>(who, "POST", "decide", { requestId: id, decision });
        return () => (words.ok ? undefined : words.text);
      },
      async presses(who, control) {
        const requests = (await replies()).flatMap(({ reply }) => reply?.requests ?? []);
        const requestId = requests[0]?.id;
        const decision = { type: control.toLowerCase() };
        whisper(who, await call<Words>(who, "POST", "decide", { requestId, decision }));
      },
      async whispersTo(who) {
        return (whispers.get(who) ?? []).join("\n");
      },
    };
  };

  return {
    name: "the console over HTTP",
    url: server.url,
    create() {
      platform = createWeb({ disk, isLocalOperatorAdmin: false });
      return platform;
    },
    boss: "web:boss",
    staff: { platform: "web", channel: "staff" },
    async staffReads() {
      const { messages } = await call<MessagePage>("Boss", "GET", "channels/staff/messages");
      return textsWithFiles(messages.map(({ text }) => ({ text, files: [] })));
    },
    talk,
    end: () => server.close(0),
  };
}

function linesBelow(reply: ChatMessage["reply"]): readonly string[] {
  const { sources = [], settlements = [], requests = [] } = reply ?? {};
  return [
    ...requests.map(({ title }) => title),
    ...requests.flatMap((one) =>
      one.type === "form" ? (one.answered ?? []).map(({ name }) => `Answered by ${name}`) : [],
    ),
    ...settlements.map(({ outcome, byName }) => `${outcome} by ${byName}`),
    ...sources.map(({ title, page }) => `${title}, page ${page}`),
  ];
}

function formIn(messages: readonly ChatMessage[]): FormRequest {
  const requests = messages.flatMap(({ reply }) => reply?.requests ?? []);
  const form = requests.find((request) => request.type === "form");
  if (form?.type !== "form") throw new Error("no form is asked");
  return form;
}
