import type { AppSettings } from "./app-settings.ts";
import { type JsonObject, objectAt, objectsAt, textAt } from "./json.ts";
import type { TaskCard } from "./message-stream.ts";
import type { EphemeralMessage, SlackMessage, SlackView } from "./model.ts";
import { elementsOf, renderBlocks, renderMrkdwn, wordsOf } from "./rendering.ts";
import { currentState } from "./stream-state.ts";
import type { World } from "./world.ts";

/** A message as a person sees it. */
export interface SeenMessage {
  readonly ts: string;
  readonly threadTs: string | undefined;
  /** The short name of who wrote it. */
  readonly author: string;
  readonly isBot: boolean;
  /**
   * What is read: Markdown as it was sent, Slack's markup with entities undone and mentions by
   * name, or the words of the blocks where there are blocks.
   */
  readonly text: string;
  /** What the notification and a screen reader say. */
  readonly notification: string;
  /** Everybody it has ever notified: user ids, `channel`, `here`, `everyone`, group ids. */
  readonly notified: readonly string[];
  readonly isEdited: boolean;
  readonly isEphemeral: boolean;
  /** A stream's state; undefined for other messages. */
  readonly stream: "live" | "stopped" | "stopped-by-user" | "expired" | undefined;
  readonly planTitle: string | undefined;
  readonly tasks: readonly TaskCard[];
  /** Words of everything that can be pressed or chosen. */
  readonly controls: readonly string[];
  readonly blocks: readonly JsonObject[];
  readonly files: readonly {
    readonly id: string;
    readonly name: string;
    readonly title: string;
    readonly altText: string | undefined;
    readonly bytes: Uint8Array;
  }[];
  /** Names of people by reaction. */
  readonly reactions: Readonly<Record<string, readonly string[]>>;
  readonly metadata: JsonObject | undefined;
}

/** A modal or Home tab as a person sees it. */
export interface SeenView {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly controls: readonly string[];
  readonly submit: string | undefined;
  readonly close: string | undefined;
  /** Under which block which complaint stands. */
  readonly errors: Readonly<Record<string, string>>;
  readonly callbackId: string;
  readonly privateMetadata: string;
  readonly blocks: readonly JsonObject[];
}

/** Who looks; undefined sees everything there is, live streams included. */
export interface Onlooker {
  readonly userId: string | undefined;
  readonly settings: Pick<AppSettings, "streamLifeMs">;
}

/** The messages of a channel, or of one thread, in the order they stand there. */
export function seenMessages(
  world: World,
  place: { readonly channelId: string; readonly threadTs: string | undefined },
  onlooker: Onlooker,
): readonly SeenMessage[] {
  const lasting = world
    .channel(place.channelId)
    .messages.filter(({ ts, threadTs, isBroadcast }) =>
      place.threadTs === undefined
        ? threadTs === undefined || threadTs === ts || isBroadcast
        : ts === place.threadTs || threadTs === place.threadTs,
    )
    .map((message) => seenMessage(world, message, onlooker));
  const passing = world.ephemerals
    .filter(
      ({ channelId, threadTs }) => channelId === place.channelId && threadTs === place.threadTs,
    )
    .filter(({ userId }) => onlooker.userId === undefined || userId === onlooker.userId)
    .map((message) => seenEphemeral(world, message));
  return [...lasting, ...passing].toSorted((a, b) => Number(a.ts) - Number(b.ts));
}

/** A view as it stands on the screen. */
export function seenView(view: SlackView): SeenView {
  const { content } = view;
  const blocks = objectsAt(content, "blocks");
  return {
    id: view.id,
    title: textAt(objectAt(content, "title"), "text") ?? "",
    text: renderBlocks(blocks),
    controls: controlsOf(blocks),
    submit: textAt(objectAt(content, "submit"), "text"),
    close: textAt(objectAt(content, "close"), "text"),
    errors: view.errors,
    callbackId: textAt(content, "callback_id") ?? "",
    privateMetadata: textAt(content, "private_metadata") ?? "",
    blocks,
  };
}

function seenMessage(world: World, message: SlackMessage, onlooker: Onlooker): SeenMessage {
  const { stream } = message;
  const state = currentState(message, { world, settings: onlooker.settings });
  const isBehind =
    state === "live" && onlooker.userId !== undefined && onlooker.userId !== stream?.recipientId;
  const streamText = isBehind ? (stream?.firstText ?? "") : (stream?.text ?? "");
  const streamBlocks = stream && !isBehind ? [...stream.blocks, ...stream.finalBlocks] : [];
  const blocks = stream ? streamBlocks : (message.blocks ?? []);
  const nameOf = (id: string): string => world.nameOf(id);
  return {
    ts: message.ts,
    threadTs: message.threadTs,
    author: message.username ?? world.nameOf(message.userId),
    isBot: message.botId !== undefined,
    text: stream ? streamText : textOf(message, nameOf),
    notification: renderMrkdwn(stream ? stream.text : message.text, nameOf),
    notified: [...message.notified],
    isEdited: message.edited !== undefined,
    isEphemeral: false,
    stream: state,
    planTitle: isBehind ? undefined : stream?.planTitle,
    tasks: stream && !isBehind ? [...stream.tasks.values()] : [],
    controls: controlsOf(blocks),
    blocks,
    files: message.files.map(({ id, name, title, altText, bytes }) => ({
      id,
      name,
      title,
      altText,
      bytes,
    })),
    reactions: Object.fromEntries(
      [...message.reactions].map(([name, users]) => [name, users.map(nameOf)]),
    ),
    metadata: message.metadata,
  };
}

function seenEphemeral(world: World, message: EphemeralMessage): SeenMessage {
  const nameOf = (id: string): string => world.nameOf(id);
  return {
    ts: message.ts,
    threadTs: message.threadTs,
    author: [...world.installations.values()].map(({ botUserId }) => nameOf(botUserId))[0] ?? "",
    isBot: true,
    text: textOf(message, nameOf),
    notification: renderMrkdwn(message.text, nameOf),
    notified: [],
    isEdited: false,
    isEphemeral: true,
    stream: undefined,
    planTitle: undefined,
    tasks: [],
    controls: controlsOf(message.blocks ?? []),
    blocks: message.blocks ?? [],
    files: [],
    reactions: {},
    metadata: undefined,
  };
}

function textOf(
  message: Pick<SlackMessage, "text" | "form" | "blocks">,
  nameOf: (id: string) => string,
): string {
  if (message.blocks && message.blocks.length > 0) return renderBlocks(message.blocks);
  return message.form === "markdown" ? message.text : renderMrkdwn(message.text, nameOf);
}

function controlsOf(blocks: readonly JsonObject[]): readonly string[] {
  return elementsOf(blocks).flatMap(({ element }) => {
    if (element.type === "feedback_buttons") {
      return ["positive_button", "negative_button"].map((name) => wordsOf(objectAt(element, name)));
    }
    return textAt(element, "action_id") === undefined ? [] : [wordsOf(element)];
  });
}
