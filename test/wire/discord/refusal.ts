import { RESTJSONErrorCodes } from "discord-api-types/v10";

/** What the REST API says no with: a status and `{ message, code, errors? }`. */
export class DiscordRefusal extends Error {
  readonly status: number;
  readonly code: number;
  readonly errors: Readonly<Record<string, unknown>> | undefined;

  constructor(
    status: number,
    code: number,
    details: { readonly message: string; readonly errors?: Readonly<Record<string, unknown>> },
  ) {
    super(details.message);
    this.name = "DiscordRefusal";
    this.status = status;
    this.code = code;
    this.errors = details.errors;
  }
}

const refusals = {
  unauthorized: [401, 0, "401: Unauthorized"],
  unknownRoute: [404, 0, "404: Not Found"],
  unknownChannel: [404, RESTJSONErrorCodes.UnknownChannel, "Unknown Channel"],
  unknownGuild: [404, RESTJSONErrorCodes.UnknownGuild, "Unknown Guild"],
  unknownMember: [404, RESTJSONErrorCodes.UnknownMember, "Unknown Member"],
  unknownMessage: [404, RESTJSONErrorCodes.UnknownMessage, "Unknown Message"],
  unknownUser: [404, RESTJSONErrorCodes.UnknownUser, "Unknown User"],
  unknownEmoji: [400, RESTJSONErrorCodes.UnknownEmoji, "Unknown Emoji"],
  unknownWebhook: [404, RESTJSONErrorCodes.UnknownWebhook, "Unknown Webhook"],
  unknownApplication: [404, RESTJSONErrorCodes.UnknownApplication, "Unknown Application"],
  unknownCommand: [
    404,
    RESTJSONErrorCodes.UnknownApplicationCommand,
    "Unknown application command",
  ],
  unknownInteraction: [404, RESTJSONErrorCodes.UnknownInteraction, "Unknown interaction"],
  alreadyAcknowledged: [
    400,
    RESTJSONErrorCodes.InteractionHasAlreadyBeenAcknowledged,
    "Interaction has already been acknowledged.",
  ],
  invalidWebhookToken: [401, RESTJSONErrorCodes.InvalidWebhookToken, "Invalid Webhook Token"],
  missingAccess: [403, RESTJSONErrorCodes.MissingAccess, "Missing Access"],
  missingPermissions: [403, RESTJSONErrorCodes.MissingPermissions, "Missing Permissions"],
  cannotSendToUser: [
    403,
    RESTJSONErrorCodes.CannotSendMessagesToThisUser,
    "Cannot send messages to this user",
  ],
  wrongChannelType: [
    400,
    RESTJSONErrorCodes.CannotExecuteActionOnThisChannelType,
    "Cannot execute action on this channel type",
  ],
  invalidForm: [400, RESTJSONErrorCodes.InvalidFormBodyOrContentType, "Invalid Form Body"],
  emptyMessage: [400, RESTJSONErrorCodes.CannotSendAnEmptyMessage, "Cannot send an empty message"],
  notTheAuthor: [
    403,
    RESTJSONErrorCodes.CannotEditMessageAuthoredByAnotherUser,
    "Cannot edit a message authored by another user",
  ],
  systemMessage: [
    403,
    RESTJSONErrorCodes.CannotExecuteActionOnSystemMessage,
    "Cannot execute action on a system message",
  ],
  voiceMessageEdit: [400, 50162, "Cannot edit voice messages"],
  tooLarge: [413, RESTJSONErrorCodes.RequestEntityTooLarge, "Request entity too large"],
  archivedThread: [400, RESTJSONErrorCodes.InvalidActionOnArchivedThread, "Thread is archived"],
  lockedThread: [403, RESTJSONErrorCodes.ThreadLocked, "Thread is locked"],
  cannotReplyUnread: [
    403,
    RESTJSONErrorCodes.CannotReplyWithoutPermissionToReadMessageHistory,
    "Cannot reply without permission to read message history",
  ],
  threadExists: [
    400,
    RESTJSONErrorCodes.ThreadAlreadyCreatedForMessage,
    "A thread has already been created for this message",
  ],
  tooManyThreads: [
    400,
    RESTJSONErrorCodes.MaximumActiveThreads,
    "Maximum number of active threads reached",
  ],
  tooManyMembers: [
    400,
    RESTJSONErrorCodes.MaximumThreadParticipantsReached,
    "Maximum number of thread participants reached (1000)",
  ],
  tooManyReactions: [
    400,
    RESTJSONErrorCodes.MaximumNumberOfReactionsReached,
    "Maximum number of reactions reached (20)",
  ],
  oldMessageEdits: [
    429,
    RESTJSONErrorCodes.MaximumNumberOfEditsToMessagesOlderThanOneHourReached,
    "Maximum number of edits to messages older than 1 hour reached. Try again later",
  ],
  channelWriteLimit: [
    429,
    RESTJSONErrorCodes.ChannelWriteRateLimit,
    "The write action you are performing on the channel has hit the write rate limit",
  ],
  serverWriteLimit: [
    429,
    RESTJSONErrorCodes.ServerWriteRateLimit,
    "The write action you are performing on the server has hit the write rate limit",
  ],
  slowmode: [
    429,
    RESTJSONErrorCodes.ActionCannotBePerformedDueToSlowmodeRateLimit,
    "This action cannot be performed due to slowmode rate limit",
  ],
  titleBlockedByAutoMod: [
    400,
    RESTJSONErrorCodes.TitleWasBlockedByAutomaticModeration,
    "Title was blocked by automatic moderation",
  ],
  blockedByAutoMod: [
    400,
    RESTJSONErrorCodes.MessageWasBlockedByAutomaticModeration,
    "Message was blocked by automatic moderation",
  ],
} as const;

/** A no with a name of its own. */
export type RefusalName = keyof typeof refusals;

export function refusalOf(name: RefusalName): DiscordRefusal {
  const [status, code, message] = refusals[name];
  return new DiscordRefusal(status, code, { message });
}

/** Refuses a request the way Discord does. */
export function refuse(name: RefusalName): never {
  throw refusalOf(name);
}

/** Collects what is wrong with a form, by the path of the field, and refuses it as a whole (50035). */
export class FormProblems {
  readonly #found: { readonly path: string; readonly code: string; readonly message: string }[] =
    [];

  add(path: string, code: string, message: string): void {
    this.#found.push({ path, code, message });
  }

  tooLong(path: string, maxLength: number): void {
    this.add(path, "BASE_TYPE_MAX_LENGTH", `Must be ${maxLength} or fewer in length.`);
  }

  badLength(path: string, min: number, max: number): void {
    this.add(path, "BASE_TYPE_BAD_LENGTH", `Must be between ${min} and ${max} in length.`);
  }

  required(path: string): void {
    this.add(path, "BASE_TYPE_REQUIRED", "This field is required");
  }

  choices(path: string, value: unknown): void {
    this.add(path, "BASE_TYPE_CHOICES", `Value "${String(value)}" must be one of the choices.`);
  }

  refuseIfAny(): void {
    if (this.#found.length === 0) return;
    const errors: Record<string, unknown> = {};
    for (const { path, code, message } of this.#found) {
      let place = errors;
      for (const step of path.split(".")) {
        place[step] ??= {};
        place = place[step] as Record<string, unknown>;
      }
      place._errors = [...((place._errors as unknown[] | undefined) ?? []), { code, message }];
    }
    throw new DiscordRefusal(400, RESTJSONErrorCodes.InvalidFormBodyOrContentType, {
      message: "Invalid Form Body",
      errors,
    });
  }
}
