import { randomBytes } from "node:crypto";
import {
  ChannelType,
  InteractionContextType,
  InteractionResponseType,
  InteractionType,
  Locale,
  MessageFlags,
  MessageType,
} from "discord-api-types/v10";
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../slack/json.ts";
import { checkModal } from "./component-rules.ts";
import type { EventFeed } from "./event-feed.ts";
import { checkMessage } from "./message-rules.ts";
import type { DiscordChannel, DiscordInteraction, DiscordMessage } from "./model.ts";
import {
  channelPayload,
  fullMessagePayload,
  memberPayload,
  type PrivilegedIntents,
  userPayload,
} from "./payloads.ts";
import { FormProblems, refuse } from "./refusal.ts";
import { applyEdit, takeFiles } from "./routes/messages.ts";
import type { RouteRequest } from "./routes/route.ts";
import type { World } from "./world.ts";

/** The first answer must come within this time (docs.discord.com, receiving-and-responding). */
export const answerMs = 3000;
/** How long a token is good after that. */
export const tokenMs = 15 * 60 * 1000;

/** What a person did that makes an interaction. */
export interface NewInteraction {
  readonly type: InteractionType;
  readonly userId: string;
  readonly channel: DiscordChannel;
  readonly data: JsonObject;
  readonly commandName?: string | undefined;
  readonly message?: DiscordMessage | undefined;
}

/** Interactions from the moment a person acts to the death of their token. */
export class Interactions {
  readonly #world: World;
  readonly #feed: EventFeed;
  readonly #portal: () => PrivilegedIntents;

  constructor(world: World, feed: EventFeed, portal: () => PrivilegedIntents) {
    this.#world = world;
    this.#feed = feed;
    this.#portal = portal;
  }

  /** Tells the bot of an interaction and starts its three seconds. */
  open(options: NewInteraction): DiscordInteraction {
    const world = this.#world;
    const { channel, message } = options;
    const interaction: DiscordInteraction = {
      id: world.id(),
      token: randomBytes(48).toString("base64url"),
      type: options.type,
      userId: options.userId,
      channelId: channel.id,
      guildId: channel.guildId,
      createdAtMs: world.clock.now(),
      commandName: options.commandName,
      message,
      status: "waiting",
      answeredAtMs: undefined,
      original: message,
      followUps: [],
      choices: [],
      modal: undefined,
    };
    world.interactions.set(interaction.token, interaction);
    world.clock.after(answerMs, () => {
      if (interaction.status === "waiting") interaction.status = "failed";
    });
    this.#feed.interaction(channel.guildId, this.#payload(interaction, options));
    return interaction;
  }

  /** The first answer; gives the body of a `with_response=true` answer. */
  answer(request: RouteRequest, interaction: DiscordInteraction): JsonObject {
    const isTooLate = this.#world.clock.now() - interaction.createdAtMs >= answerMs;
    if (interaction.status === "failed" || (interaction.status === "waiting" && isTooLate)) {
      refuse("unknownInteraction");
    }
    if (interaction.status !== "waiting") refuse("alreadyAcknowledged");
    const data = objectAt(request.body, "data");
    checkKind(interaction, request.body.type);
    switch (request.body.type) {
      case InteractionResponseType.ChannelMessageWithSource:
        interaction.original = this.#post(request, interaction, { body: data });
        interaction.status = "answered";
        break;
      case InteractionResponseType.DeferredChannelMessageWithSource:
        interaction.original = this.#defer(interaction, data);
        interaction.status = "deferred";
        break;
      case InteractionResponseType.DeferredMessageUpdate:
        interaction.status = "deferred-update";
        break;
      case InteractionResponseType.UpdateMessage:
        if (interaction.original) {
          applyEdit(request, interaction.original, { body: data, onlyUsers: true });
        }
        interaction.status = "updated";
        break;
      case InteractionResponseType.ApplicationCommandAutocompleteResult:
        interaction.choices = checkedChoices(data);
        interaction.status = "choices";
        break;
      default: {
        const problems = new FormProblems();
        checkModal(data, problems);
        problems.refuseIfAny();
        interaction.modal = data;
        interaction.status = "modal";
      }
    }
    interaction.answeredAtMs = this.#world.clock.now();
    return this.#answered(interaction, request.body.type);
  }

  /** The interaction a webhook token belongs to, as long as it is good. */
  withToken(token: string): DiscordInteraction {
    const interaction = this.#world.interactions.get(token) ?? refuse("unknownWebhook");
    if (this.#world.clock.now() - interaction.createdAtMs >= tokenMs) refuse("invalidWebhookToken");
    // Before its first answer an interaction has no webhook.
    if (interaction.answeredAtMs === undefined) refuse("unknownWebhook");
    return interaction;
  }

  /** A message the token may touch. */
  messageOf(interaction: DiscordInteraction, id: string): DiscordMessage {
    const own = [interaction.original, ...interaction.followUps].filter((one) => one !== undefined);
    const found = id === "@original" ? interaction.original : own.find((one) => one.id === id);
    const isThere = found && this.#world.channel(found.channelId).messages.includes(found);
    return found && isThere ? found : refuse("unknownMessage");
  }

  followUp(request: RouteRequest, interaction: DiscordInteraction): DiscordMessage {
    const { original } = interaction;
    // The first follow-up after deferring fills the message that is still loading.
    if (original && (original.flags & MessageFlags.Loading) !== 0) {
      this.edit(request, original);
      return original;
    }
    const message = this.#post(request, interaction, { body: request.body });
    interaction.followUps.push(message);
    return message;
  }

  /** An edit by token: ephemeral or not is fixed by the first answer. */
  edit(request: RouteRequest, message: DiscordMessage): void {
    const fixed = message.flags & MessageFlags.Ephemeral;
    applyEdit(request, message, { onlyUsers: true });
    message.flags = (message.flags & ~MessageFlags.Loading) | fixed;
  }

  #post(
    request: RouteRequest,
    interaction: DiscordInteraction,
    { body }: { readonly body: JsonObject },
  ): DiscordMessage {
    const world = this.#world;
    checkMessage(body, {
      form: "webhook",
      fileCount: request.files.length,
      complain: request.complain,
    });
    const flags = typeof body.flags === "number" ? body.flags : 0;
    const channel = world.channel(interaction.channelId);
    const message = world.addMessage({
      channelId: channel.id,
      authorId: world.bot.id,
      type:
        interaction.type === InteractionType.ApplicationCommand
          ? MessageType.ChatInputCommand
          : MessageType.Reply,
      content: (textAt(body, "content") ?? "").trim(),
      flags,
      embeds: objectsAt(body, "embeds"),
      components: objectsAt(body, "components"),
      attachments: takeFiles(request, channel, body),
      ephemeralFor: (flags & MessageFlags.Ephemeral) !== 0 ? interaction.userId : undefined,
      interaction,
    });
    const allowed = isObject(body.allowed_mentions) ? body.allowed_mentions : undefined;
    world.mention(message, allowed, { onlyUsers: true });
    this.#feed.posted(message);
    return message;
  }

  #defer(interaction: DiscordInteraction, data: JsonObject): DiscordMessage {
    const flags = typeof data.flags === "number" ? data.flags & MessageFlags.Ephemeral : 0;
    const message = this.#world.addMessage({
      channelId: interaction.channelId,
      authorId: this.#world.bot.id,
      type: MessageType.ChatInputCommand,
      flags: flags | MessageFlags.Loading,
      ephemeralFor: flags === 0 ? undefined : interaction.userId,
      interaction,
    });
    this.#feed.posted(message);
    return message;
  }

  #answered(interaction: DiscordInteraction, type: unknown): JsonObject {
    const { original } = interaction;
    const hasMessage = original !== undefined && type !== InteractionResponseType.Modal;
    return {
      interaction: {
        id: interaction.id,
        type: interaction.type,
        ...(hasMessage
          ? {
              response_message_id: original.id,
              response_message_loading: (original.flags & MessageFlags.Loading) !== 0,
              response_message_ephemeral: original.ephemeralFor !== undefined,
            }
          : {}),
      },
      resource: {
        type,
        ...(hasMessage
          ? { message: fullMessagePayload(this.#world, original, this.#portal()) }
          : {}),
      },
    };
  }

  #payload(interaction: DiscordInteraction, options: NewInteraction): JsonObject {
    const world = this.#world;
    const { channel, message, userId } = options;
    const guild = world.guildOf(channel);
    const member = guild?.members.get(userId);
    const user = userPayload(world.user(userId));
    const isDirect = channel.type === ChannelType.DM;
    return {
      id: interaction.id,
      application_id: world.applicationId,
      type: interaction.type,
      token: interaction.token,
      version: 1,
      data: options.data,
      channel_id: channel.id,
      channel: {
        ...channelPayload(world, channel),
        permissions: String(world.permissions(channel, userId)),
      },
      ...(guild && member
        ? {
            guild_id: guild.id,
            guild: { id: guild.id, locale: Locale.EnglishUS, features: [] },
            guild_locale: Locale.EnglishUS,
            member: {
              ...memberPayload(world, member),
              permissions: String(world.permissions(channel, userId)),
            },
          }
        : { user }),
      ...(message ? { message: fullMessagePayload(world, message, this.#portal()) } : {}),
      app_permissions: String(world.permissions(channel, world.bot.id)),
      locale: Locale.EnglishUS,
      entitlements: [],
      authorizing_integration_owners: guild ? { "0": guild.id } : { "0": "0" },
      context: isDirect ? InteractionContextType.BotDM : InteractionContextType.Guild,
      attachment_size_limit: 10 * 1024 * 1024,
    };
  }
}

function checkKind(interaction: DiscordInteraction, type: unknown): void {
  const isAutocomplete = interaction.type === InteractionType.ApplicationCommandAutocomplete;
  const isUpdate =
    type === InteractionResponseType.UpdateMessage ||
    type === InteractionResponseType.DeferredMessageUpdate;
  const isModal = type === InteractionResponseType.Modal;
  const isKnown =
    isUpdate ||
    isModal ||
    type === InteractionResponseType.ChannelMessageWithSource ||
    type === InteractionResponseType.DeferredChannelMessageWithSource ||
    type === InteractionResponseType.ApplicationCommandAutocompleteResult;
  const isFit =
    isKnown &&
    (type === InteractionResponseType.ApplicationCommandAutocompleteResult) === isAutocomplete &&
    !(isUpdate && interaction.message === undefined) &&
    !(isModal && interaction.type === InteractionType.ModalSubmit);
  if (isFit) return;
  const problems = new FormProblems();
  problems.choices("type", type);
  problems.refuseIfAny();
}

function checkedChoices(data: JsonObject): DiscordInteraction["choices"] {
  const problems = new FormProblems();
  const choices = objectsAt(data, "choices");
  if (choices.length > 25) problems.tooLong("data.choices", 25);
  choices.forEach((choice, index) => {
    const name = textAt(choice, "name") ?? "";
    if (name.length < 1 || name.length > 100) {
      problems.badLength(`data.choices.${index}.name`, 1, 100);
    }
    if (typeof choice.value === "string" && choice.value.length > 100) {
      problems.tooLong(`data.choices.${index}.value`, 100);
    }
  });
  problems.refuseIfAny();
  return choices as unknown as DiscordInteraction["choices"];
}
