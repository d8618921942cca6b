import { ComponentType, MessageFlags, MessageType } from "discord-api-types/v10";
import { type JsonObject, objectAt, objectsAt, textAt } from "../slack/json.ts";
import { allComponents } from "./component-rules.ts";
import type { DiscordMessage } from "./model.ts";
import { displayedText, type World } from "./world.ts";

/** A message as a person sees it. */
export interface SeenMessage {
  readonly id: string;
  readonly author: string;
  readonly isBot: boolean;
  /** What is read: the content, or the words of Components V2. */
  readonly text: string;
  readonly isEdited: boolean;
  readonly isEphemeral: boolean;
  /** "... is thinking": a deferred answer that has not come. */
  readonly isLoading: boolean;
  /** False: links show no previews. */
  readonly showsEmbeds: boolean;
  readonly isSilent: boolean;
  /** Everybody it has pinged, by an edit too: user ids, `everyone`, role ids. */
  readonly notified: readonly string[];
  /** The id of the message it answers. */
  readonly repliesTo: string | undefined;
  /** Words of everything that can be pressed or chosen and is not disabled. */
  readonly controls: readonly string[];
  readonly components: readonly JsonObject[];
  readonly embeds: readonly JsonObject[];
  readonly files: readonly {
    readonly id: string;
    readonly name: string;
    readonly altText: string | undefined;
    readonly bytes: Uint8Array;
  }[];
  /** Names of people by reaction. */
  readonly reactions: Readonly<Record<string, readonly string[]>>;
  /** Every text it has shown, the present one last. */
  readonly history: readonly string[];
}

/** Types a person does not read as a message. */
const system: readonly MessageType[] = [
  MessageType.ThreadStarterMessage,
  MessageType.ChannelNameChange,
  MessageType.ThreadCreated,
];

/** What stands in a channel or thread, oldest first; for one person, or for somebody who sees all. */
export function seenMessages(
  world: World,
  channelId: string,
  userId?: string,
): readonly SeenMessage[] {
  return world
    .channel(channelId)
    .messages.filter(({ type }) => !system.includes(type))
    .filter(({ ephemeralFor }) => !ephemeralFor || userId === undefined || ephemeralFor === userId)
    .map((message) => seenMessage(world, message));
}

/** One message as it stands. */
export function seenMessage(world: World, message: DiscordMessage): SeenMessage {
  const author = world.user(message.authorId);
  const { flags } = message;
  return {
    id: message.id,
    author: message.webhook?.name ?? author.username,
    isBot: author.isBot || message.webhook !== undefined,
    text: textOf(message),
    isEdited: message.editedAtMs !== undefined,
    isEphemeral: message.ephemeralFor !== undefined,
    isLoading: (flags & MessageFlags.Loading) !== 0,
    showsEmbeds: (flags & MessageFlags.SuppressEmbeds) === 0,
    isSilent: (flags & MessageFlags.SuppressNotifications) !== 0,
    notified: [...message.notified],
    repliesTo: message.type === MessageType.Reply ? message.reference?.messageId : undefined,
    controls: controlsOf(message.components),
    components: message.components,
    embeds: message.embeds,
    files: message.attachments.map(({ id, fileName, description, bytes }) => ({
      id,
      name: fileName,
      altText: description,
      bytes,
    })),
    reactions: Object.fromEntries(
      [...message.reactions].map(([emoji, users]) => [
        emoji,
        [...users].map((id) => world.user(id).username),
      ]),
    ),
    history: message.versions.map((version) => textOf(version)),
  };
}

function textOf({
  content,
  components,
}: {
  readonly content: string;
  readonly components: readonly JsonObject[];
}): string {
  return (content + displayedText(components)).trim();
}

function controlsOf(components: readonly JsonObject[]): readonly string[] {
  return allComponents(components)
    .filter(({ component }) => component.disabled !== true)
    .flatMap(({ component }) => {
      if (component.type === ComponentType.Button) return [wordsOf(component)];
      return textAt(component, "custom_id") === undefined ? [] : [wordsOf(component)];
    });
}

/** The words on a control. */
export function wordsOf(component: JsonObject): string {
  return (
    textAt(component, "label") ??
    textAt(component, "placeholder") ??
    textAt(objectAt(component, "emoji"), "name") ??
    textAt(component, "custom_id") ??
    ""
  );
}

/** A modal as it stands on the screen. */
export function modalFields(
  modal: JsonObject,
): readonly { readonly label: string; readonly input: JsonObject; readonly holder: JsonObject }[] {
  return objectsAt(modal, "components").flatMap((holder) => {
    if (holder.type === ComponentType.Label) {
      const input = objectAt(holder, "component");
      return [{ label: textAt(holder, "label") ?? "", input, holder }];
    }
    return objectsAt(holder, "components").map((input) => ({
      label: textAt(input, "label") ?? "",
      input,
      holder,
    }));
  });
}
