import { emptyView, type ReplyView, type StepView } from "#domain/reply-view";
import type { ReplyTarget } from "#ports/platform";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import type {
  DiscordChannel,
  DiscordServer,
  SeenMessage,
} from "../../wire/discord/discord-server.ts";
import { started, targetFor } from "./discord-harness.ts";

export const routes = {
  create: "POST /channels/:channel/messages",
  edit: "PATCH /channels/:channel/messages/:message",
  remove: "DELETE /channels/:channel/messages/:message",
  thread: "POST /channels/:channel/messages/:message/threads",
  typing: "POST /channels/:channel/typing",
} as const;

/** The same routes, as faults name them. */
export function callOf(name: keyof typeof routes) {
  const [method = "", route = ""] = routes[name].split(" ");
  return { method, route };
}

/** A started platform, and replies that can be opened on it. */
export async function stage(options: Parameters<typeof started>[0] = {}) {
  const world = await started(options);
  const { discord, ada, platform } = world;
  const openOn = (
    channel: DiscordChannel,
    message: ReturnType<typeof ada.posts>,
    journal?: MemoryJournal,
  ) => {
    const target = targetFor({ channel, message, person: ada });
    const reply = platform.openReply(target, journal ?? new MemoryJournal(target.runId));
    const seen = () => answersTo(discord, target);
    return { channel, message, target, reply, seen };
  };
  let rooms = 0;
  return {
    ...world,
    openOn,
    /** A mention in a channel of its own. */
    open(journal?: MemoryJournal) {
      rooms += 1;
      const channel = discord.addChannel(`room-${rooms}`);
      return openOn(channel, ada.mentions(channel, "hello"), journal);
    },
    /** A direct message. */
    openDirectly(journal?: MemoryJournal) {
      return openOn(ada.directChannel(), ada.directMessage("hello"), journal);
    },
  };
}

/** What the bot said in answer to a message: in the thread on it, or else where it stands. */
export function answersTo(discord: DiscordServer, { target }: ReplyTarget): readonly SeenMessage[] {
  const { channel, message } = target as { channel: string; message: string };
  return discord.replies(discord.world.channels.has(message) ? message : channel);
}

/** Requests of one kind that were carried out, in order. */
export function calls(discord: DiscordServer, name: keyof typeof routes) {
  return discord.requests(routes[name]).filter(({ wasCarriedOut }) => wasCarriedOut);
}

export function viewOf({ runId }: ReplyTarget, change: Partial<ReplyView>): ReplyView {
  return { ...emptyView(runId), ...change };
}

export const done = { status: "completed", actions: ["feedback"] } as const;

export function step(id: string, title: string, status: StepView["status"]): StepView {
  return { id, type: "file_search", title, status, input: "secret: 1", output: "raw" };
}
