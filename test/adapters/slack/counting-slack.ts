import { systemAlarm } from "../../../adapters/slack/alarm.ts";
import type { SlackApi } from "../../../adapters/slack/api.ts";
import { Budget } from "../../../adapters/slack/budget.ts";
import { Courtesies } from "../../../adapters/slack/courtesies.ts";
import { Uploads } from "../../../adapters/slack/files.ts";
import { SlackReply } from "../../../adapters/slack/reply.ts";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import { limits, RateLimiter } from "../../wire/slack/rate-limits.ts";

/** How long Slack takes to answer. */
export const callMs = 30;
const limitOf: { readonly [method: string]: (typeof limits)[keyof typeof limits] } = {
  "chat.startStream": limits.tier2,
  "chat.stopStream": limits.tier2,
  "chat.appendStream": limits.tier4,
  "chat.update": limits.tier3,
  "agents.sessions.setStatus": limits.tier3,
  "assistant.threads.setStatus": limits.status,
  "chat.postMessage": limits.posting,
};

interface Message {
  text: string;
}

/** A Slack that keeps count, and what can be read in each channel. */
export class CountingSlack {
  readonly calls: { readonly method: string; readonly args: Readonly<Record<string, unknown>> }[] =
    [];
  readonly messages = new Map<string, Map<string, Message>>();
  tooMany = 0;
  readonly #limiter = new RateLimiter({ now: () => Date.now(), after: systemAlarm });
  #ids = 0;

  readonly api: SlackApi = {
    budget: new Budget(),
    token: async () => "xoxb-wire",
    call: async (method, args, { priority = "shown" } = {}) => {
      const channel = (args.channel ?? args.channel_id) as string;
      await this.api.budget.take(method, args.channel as string | undefined, priority);
      this.calls.push({ method, args });
      const limit = limitOf[method] ?? limits.tier3;
      const isDistributed = false;
      if (this.#limiter.take({ teamId: "T1", method, channel, limit, isDistributed }) > 0) {
        this.tooMany += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, callMs));
      return { ok: true, ts: this.#carryOut(method, channel, args) };
    },
  };

  methods(): readonly string[] {
    return this.calls.map(({ method }) => method);
  }

  /** Characters that can be read in a channel, without white space. */
  readable(channel: string): number {
    const texts = [...(this.messages.get(channel)?.values() ?? [])].map(({ text }) => text);
    return texts.join("").replace(/[\s\u200b]/g, "").length;
  }

  #carryOut(method: string, channel: string, args: Readonly<Record<string, unknown>>): string {
    const messages = this.messages.get(channel) ?? new Map<string, Message>();
    this.messages.set(channel, messages);
    const isNew = method === "chat.postMessage" || method === "chat.startStream";
    this.#ids += 1;
    const ts = isNew ? `${this.#ids}` : String(args.ts);
    const known = messages.get(ts)?.text ?? "";
    const chunks = (args.chunks ?? []) as readonly { readonly text?: string }[];
    const blocks = (args.blocks ?? []) as readonly {
      readonly type: string;
      readonly text?: string;
    }[];
    const markdown = blocks.filter(({ type }) => type === "markdown").map(({ text }) => text);
    switch (method) {
      case "chat.postMessage":
      case "chat.update":
        messages.set(ts, { text: String(args.markdown_text ?? markdown.join("\n")) });
        break;
      case "chat.startStream":
      case "chat.appendStream":
      case "chat.stopStream":
        messages.set(ts, { text: known + chunks.map(({ text }) => text ?? "").join("") });
    }
    return ts;
  }
}

export function openReply(
  slack: CountingSlack,
  at: number,
): { reply: SlackReply; channel: string; runId: string } {
  const [runId, channel] = [`run-${at}`, `C${at}`];
  const { api } = slack;
  const target = {
    team: "T1",
    channel,
    threadTs: "1.1",
    user: "U1",
    userTeam: "T1",
    botUser: "UB",
    isShared: false,
  };
  const reply = new SlackReply({
    api,
    to: { runId, conversationKey: channel, target, answers: [], asker: { key: "p", name: "Ada" } },
    target,
    journal: new MemoryJournal(runId),
    mayGoOn: false,
    uploads: new Uploads(async () => new Blob([]).stream()),
    courtesies: new Courtesies(api, silentLog),
    streaming: { isRefused: () => false, refuse: () => undefined },
    stopRun: async () => undefined,
    sayDirectly: async () => undefined,
    nameConversation: async () => undefined,
    log: silentLog,
    now: () => Date.now(),
    after: systemAlarm,
  });
  return { reply, channel, runId };
}
