import { textAt } from "../../test/wire/slack/json.ts";
import type { SeenMessage } from "../../test/wire/slack/seen.ts";
import { type SlackChannel, startSlackServer } from "../../test/wire/slack/slack-server.ts";
import { serve, startedWith } from "../child.ts";
import { nowMs } from "../statistics.ts";
import type { ShownText } from "../window.ts";

/** How a bot is connected to it. */
export interface SlackAccess {
  readonly apiUrl: string;
  readonly botToken: string;
  readonly appToken: string;
}

/** How Slack is started. */
export interface SlackOptions {
  readonly enforcesRateLimits: boolean;
}

/** A message to be posted, in a channel of its own. */
export interface SlackPost {
  readonly id: string;
  readonly text: string;
}

/** What could be read of a reply, and when; moments of the shared clock, characters without white space. */
export interface SlackSeen {
  readonly id: string;
  readonly postedAtMs: number;
  readonly shown: readonly ShownText[];
  /** The messages of the reply as they stand at the end. */
  readonly parts: readonly string[];
}

/** Calls the bot made, by method, and how many of them were refused as too many. */
export interface SlackCalls {
  readonly byMethod: { readonly [method: string]: number };
  readonly tooMany: number;
}

const people = 10;

/**
 * Slack in a process of its own: the server of the tests, every bucket of its limits rested. It notes when each message was sent to the bot and when each character could be read.
 */
const { enforcesRateLimits } = startedWith<SlackOptions>();
const slack = await startSlackServer({ app: { enforcesRateLimits } });
const asking = Array.from({ length: people }, (_, at) => slack.addPerson(`person-${at}`));
const conversations = new Map<
  string,
  { readonly id: string; readonly channel: SlackChannel; postedAtMs: number; shown: ShownText[] }
>();
let posted = 0;
let callsBefore = 0;

slack.onCall(({ method, args, wasCarriedOut }) => {
  if (!wasCarriedOut || !method.startsWith("chat.")) return;
  const atMs = nowMs();
  const conversation = conversations.get(textAt(args, "channel") ?? "");
  if (!conversation) return;
  const characters = partsOf(conversation.channel).join("").length;
  const before = conversation.shown.at(-1)?.characters ?? 0;
  if (characters > before) conversation.shown.push({ atMs, characters });
});

serve(
  {
    apiUrl: slack.apiUrl,
    botToken: slack.botToken,
    appToken: slack.settings.appToken,
  } satisfies SlackAccess,
  {
    post: (posts: readonly SlackPost[]) => {
      for (const { id, text } of posts) {
        posted += 1;
        const person = asking[posted % people];
        if (!person) continue;
        const channel = slack.addChannel(`room-${id}`, { members: [person] });
        const conversation = { id, channel, postedAtMs: nowMs(), shown: [] };
        conversations.set(channel.id, conversation);
        person.mentions(channel, text);
      }
    },
    /** How many characters of each reply can be read. */
    lengths: () =>
      [...conversations.values()].map(({ id, shown }) => [id, shown.at(-1)?.characters ?? 0]),
    /** Everything seen since the last time. */
    take: (): readonly SlackSeen[] => {
      const taken = [...conversations.values()].map(({ id, channel, postedAtMs, shown }) => ({
        id,
        postedAtMs,
        shown,
        parts: textsOf(channel),
      }));
      conversations.clear();
      return taken;
    },
    /** Calls since the last time, without those a bot starts with. */
    calls: (): SlackCalls => {
      const calls = slack
        .calls()
        .slice(callsBefore)
        .filter(({ method }) => method !== "auth.test" && method !== "apps.connections.open");
      callsBefore = slack.calls().length;
      const byMethod: { [method: string]: number } = {};
      for (const { method } of calls) byMethod[method] = (byMethod[method] ?? 0) + 1;
      return { byMethod, tooMany: calls.filter(({ status }) => status === 429).length };
    },
    stop: () => slack.stop(),
  },
);

/** The messages of the bot in the thread, without white space. */
function partsOf(channel: SlackChannel): readonly string[] {
  return textsOf(channel).map((text) => text.replace(/[\s\u200b]/g, ""));
}

function textsOf(channel: SlackChannel): readonly string[] {
  const [root] = channel.messages;
  return slack.replies(channel, root?.ts).map(markdownOf);
}

function markdownOf({ stream, text, blocks }: SeenMessage): string {
  if (stream !== undefined) return text;
  const markdown = blocks.filter(({ type }) => type === "markdown");
  if (blocks.length === 0) return text;
  return markdown.map((block) => textAt(block, "text") ?? "").join("\n");
}
