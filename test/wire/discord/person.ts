import {
  type APIApplicationCommand,
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ChannelType,
  ComponentType,
  InteractionType,
  MessageFlags,
  MessageReferenceType,
  MessageType,
} from "discord-api-types/v10";
import { type JsonObject, objectsAt, textAt } from "../slack/json.ts";
import { allComponents } from "./component-rules.ts";
import type {
  DiscordAttachment,
  DiscordChannel,
  DiscordInteraction,
  DiscordMessage,
  DiscordUser,
} from "./model.ts";
import {
  attachmentPayload,
  channelPayload,
  fullMessagePayload,
  memberFields,
  rolePayload,
  userPayload,
} from "./payloads.ts";
import { unarchive } from "./routes/messages.ts";
import type { ServerParts } from "./routes/route.ts";
import { modalFields, type SeenMessage, seenMessage, seenMessages, wordsOf } from "./seen.ts";

/** A file a person drops into a message or an option. */
export interface DroppedFile {
  readonly name: string;
  readonly bytes: Uint8Array | string;
  readonly contentType?: string;
  readonly description?: string;
}

/** What a message of a person has besides its text. */
export interface PostOptions {
  readonly files?: readonly DroppedFile[];
}

/** A value of an option of a slash command. */
export type OptionValue = string | number | boolean | DroppedFile;

/** An interaction a person has begun, and what they see of its answer. */
export class OpenInteraction {
  readonly #parts: () => ServerParts;
  readonly state: DiscordInteraction;

  constructor(state: DiscordInteraction, parts: () => ServerParts) {
    this.state = state;
    this.#parts = parts;
  }

  /** `failed`: the person reads that the application did not respond. */
  get status(): DiscordInteraction["status"] {
    return this.state.status;
  }

  /** The first answer as it stands; undefined while there is none, or when it was deleted. */
  get answer(): SeenMessage | undefined {
    const { original, message, status } = this.state;
    if (!original || (original === message && status !== "updated")) return undefined;
    const { world } = this.#parts();
    if (!world.channel(original.channelId).messages.includes(original)) return undefined;
    return seenMessage(world, original);
  }

  get followUps(): readonly SeenMessage[] {
    const { world } = this.#parts();
    return this.state.followUps.map((message) => seenMessage(world, message));
  }

  /** What autocomplete offers. */
  get choices(): DiscordInteraction["choices"] {
    return this.state.choices;
  }

  /** The modal that was opened. */
  get modal(): JsonObject | undefined {
    return this.state.modal;
  }
}

/** A person at their Discord client: what they do, and what they see. */
export class Person {
  readonly user: DiscordUser;
  readonly #parts: () => ServerParts;

  constructor(user: DiscordUser, parts: () => ServerParts) {
    this.user = user;
    this.#parts = parts;
  }

  get id(): string {
    return this.user.id;
  }

  get name(): string {
    return this.user.username;
  }

  /** What they see in a channel, their ephemeral messages included. */
  sees(channel: DiscordChannel): readonly SeenMessage[] {
    return seenMessages(this.#parts().world, channel.id, this.id);
  }

  posts(channel: DiscordChannel, content: string, options: PostOptions = {}): DiscordMessage {
    return this.#post(channel, { content, files: options.files ?? [] });
  }

  /** Writes a message that begins with a mention of the bot. */
  mentions(channel: DiscordChannel, content: string, options: PostOptions = {}): DiscordMessage {
    return this.posts(channel, `<@${this.#parts().world.bot.id}> ${content}`, options);
  }

  /** Answers a message; with `ping`, which is what the client does by itself, its author is mentioned. */
  replies(
    message: DiscordMessage | SeenMessage,
    channel: DiscordChannel,
    content: string,
    options: PostOptions & { readonly ping?: boolean } = {},
  ): DiscordMessage {
    return this.#post(channel, {
      content,
      files: options.files ?? [],
      type: MessageType.Reply,
      reference: {
        type: MessageReferenceType.Default,
        channelId: channel.id,
        messageId: message.id,
      },
      pingsReplied: options.ping !== false,
    });
  }

  /** Their direct conversation with the bot. */
  directChannel(): DiscordChannel {
    return this.#parts().world.directChannel(this.id);
  }

  directMessage(content: string, options: PostOptions = {}): DiscordMessage {
    return this.posts(this.directChannel(), content, options);
  }

  /** Takes no more direct messages from the bot. */
  closesDirectMessages(): void {
    this.user.acceptsDirectMessages = false;
  }

  edits(message: DiscordMessage, content: string): void {
    const { world, feed } = this.#parts();
    this.#mustOwn(message);
    world.changeMessage(message, { content });
    world.mention(message, undefined, { isEdit: true });
    feed.changed(message);
  }

  /** Deletes a message: their own, or anybody's where they may. */
  deletes(message: DiscordMessage): void {
    const { world, feed } = this.#parts();
    const channel = world.channel(message.channelId);
    if (!world.may(channel, this.id, "ManageMessages")) this.#mustOwn(message);
    world.deleteMessage(message);
    feed.deleted(message);
  }

  reacts(message: DiscordMessage | SeenMessage, emoji: string): void {
    this.#react(message.id, emoji, false);
  }

  unreacts(message: DiscordMessage | SeenMessage, emoji: string): void {
    this.#react(message.id, emoji, true);
  }

  startsTyping(channel: DiscordChannel): void {
    const { world, feed } = this.#parts();
    world.startTyping(channel.id, this.id);
    feed.typing(channel.id, this.id);
  }

  /** Opens a post in a forum; the first message has the post's id. */
  forumPost(
    forum: DiscordChannel,
    name: string,
    content: string,
  ): { readonly thread: DiscordChannel; readonly message: DiscordMessage } {
    const { world, feed } = this.#parts();
    if (forum.type !== ChannelType.GuildForum) throw new Error(`#${forum.name} is no forum`);
    const thread = world.addThread(forum, {
      name,
      ownerId: this.id,
      type: ChannelType.PublicThread,
    });
    feed.channel("THREAD_CREATE", thread);
    return { thread, message: this.#post(thread, { content, files: [], id: thread.id }) };
  }

  /** Starts a thread of their own in a channel. */
  startsThread(
    channel: DiscordChannel,
    name: string,
    options: { readonly isPrivate?: boolean; readonly withBot?: boolean } = {},
  ): DiscordChannel {
    const { world, feed } = this.#parts();
    const type = options.isPrivate ? ChannelType.PrivateThread : ChannelType.PublicThread;
    const thread = world.addThread(channel, { name, ownerId: this.id, type });
    if (options.withBot) thread.thread?.members.add(world.bot.id);
    feed.channel("THREAD_CREATE", thread);
    return thread;
  }

  archives(thread: DiscordChannel, options: { readonly andLocks?: boolean } = {}): void {
    const { world, feed } = this.#parts();
    if (!thread.thread) throw new Error(`${thread.name} is no thread`);
    thread.thread.isArchived = true;
    thread.thread.isLocked ||= options.andLocks === true;
    thread.thread.archivedAtMs = world.clock.now();
    feed.channel("THREAD_UPDATE", thread);
  }

  /** Forwards a message: its content goes along as a snapshot, without its author. */
  forwards(message: DiscordMessage, to: DiscordChannel, content = ""): DiscordMessage {
    const { world, portal } = this.#parts();
    const source = fullMessagePayload(world, message, portal);
    const forwarded = this.#post(to, {
      content: "",
      files: [],
      flags: MessageFlags.HasSnapshot,
      reference: {
        type: MessageReferenceType.Forward,
        channelId: message.channelId,
        messageId: message.id,
      },
      snapshots: [
        {
          message: {
            type: source.type,
            content: source.content,
            embeds: source.embeds,
            attachments: source.attachments,
            timestamp: source.timestamp,
            edited_timestamp: source.edited_timestamp,
            flags: source.flags ?? (0 as MessageFlags),
            mentions: source.mentions,
            mention_roles: source.mention_roles,
            components: source.components ?? [],
            sticker_items: [],
          },
        },
      ],
    });
    // What is written while forwarding is a message of its own.
    if (content !== "") this.posts(to, content);
    return forwarded;
  }

  voiceMessage(
    channel: DiscordChannel,
    bytes: Uint8Array,
    options: { readonly durationSeconds?: number } = {},
  ): DiscordMessage {
    return this.#post(channel, {
      content: "",
      files: [{ name: "voice-message.ogg", bytes, contentType: "audio/ogg" }],
      flags: MessageFlags.IsVoiceMessage,
      durationSeconds: options.durationSeconds ?? 1.5,
    });
  }

  /** Uses a slash command, `"assistant use"` with its subcommands, as far as it is registered and allowed. */
  slash(
    channel: DiscordChannel,
    words: string,
    values: Readonly<Record<string, OptionValue>> = {},
  ): OpenInteraction {
    const { command, data } = this.#slashData(channel, { words, values, focused: undefined });
    return this.#open({
      type: InteractionType.ApplicationCommand,
      channel,
      data,
      commandName: command.name,
    });
  }

  /** Types into an option that completes itself. */
  completes(
    channel: DiscordChannel,
    words: string,
    typed: Readonly<Record<string, string | number>>,
  ): OpenInteraction {
    const focused = Object.keys(typed).at(-1);
    const { command, data } = this.#slashData(channel, { words, values: typed, focused });
    return this.#open({
      type: InteractionType.ApplicationCommandAutocomplete,
      channel,
      data,
      commandName: command.name,
    });
  }

  /** Uses a command of a message's context menu. */
  usesMessageCommand(message: DiscordMessage, name: string): OpenInteraction {
    const { world, portal } = this.#parts();
    const channel = world.channel(message.channelId);
    const command = this.#command(channel, name, ApplicationCommandType.Message);
    return this.#open({
      type: InteractionType.ApplicationCommand,
      channel,
      commandName: name,
      data: {
        id: command.id,
        name,
        type: ApplicationCommandType.Message,
        target_id: message.id,
        resolved: { messages: { [message.id]: fullMessagePayload(world, message, portal) } },
      },
    });
  }

  /** Presses a button by its words or custom id. */
  presses(message: DiscordMessage | SeenMessage, control: string): OpenInteraction {
    return this.#use(message.id, { control, values: undefined });
  }

  /** Chooses in a select, by its words or custom id: labels or values of a string select, ids otherwise. */
  selects(
    message: DiscordMessage | SeenMessage,
    control: string,
    chosen: readonly string[],
  ): OpenInteraction {
    return this.#use(message.id, { control, values: chosen });
  }

  /** Submits the modal an interaction opened: values by label or custom id. */
  submits(
    opened: OpenInteraction,
    values: Readonly<Record<string, string | boolean | readonly string[]>>,
  ): OpenInteraction {
    const { modal, message, channelId } = opened.state;
    if (!modal) throw new Error("no modal is open");
    const used = new Set<string>();
    const components = modalFields(modal).map(({ label, input, holder }) => {
      const customId = textAt(input, "custom_id") ?? "";
      const key = label in values ? label : customId;
      used.add(key);
      const given = values[key] ?? defaultOf(input);
      checkGiven(input, { label, given });
      const filled = {
        type: input.type,
        custom_id: customId,
        id: 1,
        ...(Array.isArray(given) ? { values: given } : { value: given ?? "" }),
      };
      return holder.type === ComponentType.Label
        ? { type: ComponentType.Label, id: 1, component: filled }
        : { type: ComponentType.ActionRow, id: 1, components: [filled] };
    });
    const unknown = Object.keys(values).filter((key) => !used.has(key));
    if (unknown.length > 0) throw new Error(`the modal has no ${unknown.join(", ")}`);
    return this.#open({
      type: InteractionType.ModalSubmit,
      channel: this.#parts().world.channel(channelId),
      data: { custom_id: modal.custom_id, components, resolved: {} },
      message,
    });
  }

  #use(
    messageId: string,
    {
      control,
      values,
    }: { readonly control: string; readonly values: readonly string[] | undefined },
  ): OpenInteraction {
    const { world } = this.#parts();
    const message = this.#find(messageId);
    if (message.ephemeralFor !== undefined && message.ephemeralFor !== this.id) {
      throw new Error(`${this.name} does not see that message`);
    }
    const component = allComponents(message.components)
      .map((one) => one.component)
      .find(
        (one) =>
          textAt(one, "custom_id") !== undefined &&
          (wordsOf(one) === control || one.custom_id === control),
      );
    if (!component) throw new Error(`the message has no ${control}`);
    if (component.disabled === true) throw new Error(`${control} is disabled`);
    const chosen = values?.map((value) => {
      if (component.type !== ComponentType.StringSelect) return value;
      const option = objectsAt(component, "options").find(
        (one) => one.label === value || one.value === value,
      );
      if (!option) throw new Error(`${control} has no ${value}`);
      return textAt(option, "value") ?? "";
    });
    const channel = world.channel(message.channelId);
    return this.#open({
      type: InteractionType.MessageComponent,
      channel,
      message,
      data: {
        custom_id: component.custom_id,
        component_type: component.type,
        id: component.id,
        ...(chosen ? { values: chosen, resolved: this.#resolved(channel, chosen) } : {}),
      },
    });
  }

  /** Users, members, roles and channels among some ids. */
  #resolved(channel: DiscordChannel, ids: readonly string[]): JsonObject {
    const { world } = this.#parts();
    const guild = world.guildOf(channel);
    const pick = <T>(of: (id: string) => T | undefined): Record<string, T> =>
      Object.fromEntries(
        ids.flatMap((id) => {
          const found = of(id);
          return found === undefined ? [] : [[id, found]];
        }),
      );
    return {
      users: pick((id) => {
        const user = world.users.get(id);
        return user && userPayload(user);
      }),
      members: pick((id) => {
        const member = guild?.members.get(id);
        return (
          member && {
            ...memberFields(member),
            permissions: String(world.permissions(channel, id)),
          }
        );
      }),
      roles: pick((id) => {
        const role = guild?.roles.get(id);
        return role && rolePayload(role);
      }),
      channels: pick((id) => {
        const found = world.channels.get(id);
        return (
          found && {
            ...channelPayload(world, found),
            permissions: String(world.permissions(found, this.id)),
            app_permissions: String(world.permissions(found, world.bot.id)),
          }
        );
      }),
    };
  }

  #slashData(
    channel: DiscordChannel,
    {
      words,
      values,
      focused,
    }: {
      readonly words: string;
      readonly values: Readonly<Record<string, OptionValue>>;
      readonly focused: string | undefined;
    },
  ): { readonly command: APIApplicationCommand; readonly data: JsonObject } {
    const [name = "", ...subcommands] = words.split(" ");
    const command = this.#command(channel, name, ApplicationCommandType.ChatInput);
    let place: JsonObject = command as unknown as JsonObject;
    const path: JsonObject[] = [];
    for (const word of subcommands) {
      const next = objectsAt(place, "options").find(
        (one) =>
          one.name === word &&
          (one.type === ApplicationCommandOptionType.Subcommand ||
            one.type === ApplicationCommandOptionType.SubcommandGroup),
      );
      if (!next) throw new Error(`/${name} has no ${word}`);
      path.push(next);
      place = next;
    }
    const defined = objectsAt(place, "options");
    const attachments: Record<string, unknown> = {};
    const ids: string[] = [];
    const given = Object.entries(values).map(([option, value]): JsonObject => {
      const definition = defined.find((one) => one.name === option);
      if (!definition) throw new Error(`/${words} has no option ${option}`);
      const { type } = definition;
      if (typeof value === "object") {
        const { world } = this.#parts();
        const dropped = this.#drop(channel, value, { isEphemeral: true });
        attachments[dropped.id] = attachmentPayload(world, channel.id, dropped);
        return { name: option, type, value: dropped.id };
      }
      if (typeof value === "string") ids.push(value);
      return { name: option, type, value, ...(option === focused ? { focused: true } : {}) };
    });
    const missing = defined.filter((one) => one.required === true && !(String(one.name) in values));
    if (focused === undefined && missing.length > 0) {
      throw new Error(`/${words} needs ${missing.map((one) => String(one.name)).join(", ")}`);
    }
    const options = path
      .toReversed()
      .reduce<readonly JsonObject[]>(
        (inner, one) => [{ name: one.name, type: one.type, options: inner }],
        given,
      );
    return {
      command,
      data: {
        id: command.id,
        name,
        type: ApplicationCommandType.ChatInput,
        ...(command.guild_id === undefined ? {} : { guild_id: command.guild_id }),
        options,
        resolved: { ...this.#resolved(channel, ids), attachments },
      },
    };
  }

  #command(
    channel: DiscordChannel,
    name: string,
    type: ApplicationCommandType,
  ): APIApplicationCommand {
    const { world } = this.#parts();
    const guild = world.guildOf(channel);
    const all = [...(guild?.commands.values() ?? []), ...world.commands.values()];
    const command = all.find((one) => one.name === name && one.type === type);
    if (!command) throw new Error(`no command ${name} is registered`);
    const needed = command.default_member_permissions;
    if (guild && needed !== null && needed !== undefined) {
      const held = world.permissions(channel, this.id);
      const isAdmin = guild.ownerId === this.id;
      if (!isAdmin && (needed === "0" || (held & BigInt(needed)) !== BigInt(needed))) {
        throw new Error(`${this.name} does not see ${name}`);
      }
    }
    const { contexts } = command;
    if (contexts && !contexts.includes(guild ? 0 : 1)) throw new Error(`${name} is not shown here`);
    return command;
  }

  #open(options: {
    readonly type: InteractionType;
    readonly channel: DiscordChannel;
    readonly data: JsonObject;
    readonly commandName?: string;
    readonly message?: DiscordMessage | undefined;
  }): OpenInteraction {
    const { interactions } = this.#parts();
    return new OpenInteraction(interactions.open({ ...options, userId: this.id }), this.#parts);
  }

  #post(
    channel: DiscordChannel,
    message: {
      readonly content: string;
      readonly files: readonly DroppedFile[];
      readonly id?: string;
      readonly type?: MessageType;
      readonly flags?: number;
      readonly reference?: DiscordMessage["reference"];
      readonly snapshots?: DiscordMessage["snapshots"];
      readonly durationSeconds?: number;
      readonly pingsReplied?: boolean;
    },
  ): DiscordMessage {
    const { world, feed } = this.#parts();
    if (!world.sees(channel, this.id))
      throw new Error(`${this.name} does not see #${channel.name}`);
    unarchive({ world, feed }, channel);
    const { files, durationSeconds, pingsReplied, ...rest } = message;
    const posted = world.addMessage({
      ...rest,
      channelId: channel.id,
      authorId: this.id,
      attachments: files.map((file) =>
        this.#drop(channel, file, durationSeconds === undefined ? {} : { durationSeconds }),
      ),
    });
    channel.thread?.members.add(this.id);
    const allowed = { parse: ["users", "roles", "everyone"], replied_user: pingsReplied === true };
    world.mention(posted, allowed);
    feed.posted(posted);
    return posted;
  }

  #drop(
    channel: DiscordChannel,
    file: DroppedFile,
    options: { readonly isEphemeral?: boolean; readonly durationSeconds?: number } = {},
  ): DiscordAttachment {
    const { world } = this.#parts();
    const attachment: DiscordAttachment = {
      id: world.id(),
      fileName: file.name,
      contentType: file.contentType ?? "text/plain; charset=utf-8",
      bytes: typeof file.bytes === "string" ? Buffer.from(file.bytes) : file.bytes,
      description: file.description,
      durationSeconds: options.durationSeconds,
      waveform: options.durationSeconds === undefined ? undefined : "AAAA",
      isEphemeral: options.isEphemeral ?? false,
      createdAtMs: world.clock.now(),
    };
    world.attachments.set(attachment.id, { ...attachment, channelId: channel.id });
    return attachment;
  }

  #react(messageId: string, emoji: string, isRemoved: boolean): void {
    const { feed } = this.#parts();
    const message = this.#find(messageId);
    const users = message.reactions.get(emoji) ?? new Set<string>();
    if (isRemoved) users.delete(this.id);
    else users.add(this.id);
    if (users.size > 0) message.reactions.set(emoji, users);
    else message.reactions.delete(emoji);
    feed.reacted(message, { userId: this.id, emoji, isRemoved });
  }

  #find(messageId: string): DiscordMessage {
    for (const channel of this.#parts().world.channels.values()) {
      const found = channel.messages.find(({ id }) => id === messageId);
      if (found) return found;
    }
    throw new Error("that message is gone");
  }

  #mustOwn(message: DiscordMessage): void {
    if (message.authorId !== this.id) throw new Error(`${this.name} did not write that`);
  }
}

/** What a field holds when nobody touches it. */
function defaultOf(input: JsonObject): string | boolean | readonly string[] | undefined {
  if (input.type === ComponentType.TextInput) return textAt(input, "value") ?? "";
  if (input.type === ComponentType.Checkbox) return input.default === true;
  const chosen = objectsAt(input, "options").filter((one) => one.default === true);
  const values = chosen.flatMap((one) => textAt(one, "value") ?? []);
  return input.type === ComponentType.RadioGroup ? values[0] : values;
}

/** Refuses what the client would not let a person submit. */
function checkGiven(
  input: JsonObject,
  { label, given }: { readonly label: string; readonly given: unknown },
): void {
  const isEmpty = given === undefined || given === "" || (Array.isArray(given) && !given.length);
  if (input.required !== false && isEmpty) throw new Error(`${label} is required`);
  const max = input.max_length;
  if (typeof given === "string" && typeof max === "number" && given.length > max) {
    throw new Error(`${label} takes ${max} characters`);
  }
}
