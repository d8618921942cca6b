/** What a person reads when the bot could not do what they asked. */
const words = {
  "model-busy": "The model is busy right now. Please try again in a minute.",
  "model-unreachable": "I cannot reach the model right now. Please try again in a minute.",
  "model-quota": "The model account has run out of credit. An admin has to top it up.",
  "model-auth": "The model refused my key. An admin has to check it.",
  "model-not-found": "The model this assistant uses does not exist or is not available to me.",
  "model-refused": "The model could not work with this request.",
  "model-failed": "The model failed while answering. Please try again.",
  "stream-cut": "The connection to the model broke while it was answering. Please try again.",
  "content-filter": "The answer was stopped by the model's content filter.",
  "context-too-long": "This conversation has grown too long for the model.",
  deadline: "This took longer than allowed, so I stopped.",
  "cap-reached": "The spending limit is reached.",
  "file-too-large": "That file is larger than I can read.",
  "file-unsupported": "I cannot read that kind of file.",
  "file-broken": "That file is damaged, or not what its name says.",
  "file-unavailable": "I could not fetch that file.",
  "upload-failed": "I could not deliver a file.",
  "reply-impossible": "I could not post the answer here.",
  "interrupted-often": "I was interrupted several times while answering this, so I set it aside.",
  "not-allowed": "You may not do that here.",
  "not-found": "I do not know that.",
  "name-taken": "That name is taken.",
  "bad-input": "I did not understand that.",
  conflict: "Somebody else changed this at the same moment. Please try again.",
  "queue-full": "There are too many messages waiting here. Please wait for some answers first.",
  "store-unavailable": "I cannot reach my own storage right now. Please try again in a minute.",
  "platform-unavailable": "I cannot reach the chat right now.",
} as const;

export type BotErrorCode = keyof typeof words;

/** A failure whose meaning is known. `detail` is for the person too: name what was seen and the limit. */
export class BotError extends Error {
  readonly code: BotErrorCode;
  readonly detail: string | undefined;
  /** When trying again can help: how long to wait first, if the other side said so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: BotErrorCode,
    options: { detail?: string; cause?: unknown; retryAfterMs?: number } = {},
  ) {
    super(options.detail ? `${code}: ${options.detail}` : code, { cause: options.cause });
    this.name = "BotError";
    this.code = code;
    this.detail = options.detail;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** True for failures that trying the same thing again may cure. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof BotError)) return false;
  return ["model-busy", "model-unreachable", "stream-cut", "model-failed"].includes(error.code);
}

/** The store, not what was being done, is what failed: the same thing can be done once it is there again. */
export function isOutage(error: unknown): boolean {
  return error instanceof BotError && error.code === "store-unavailable";
}

/** The chat platform, not what was to be shown, is what failed: the same can be shown once it is there again. */
export function isPlatformOutage(error: unknown): boolean {
  return error instanceof BotError && error.code === "platform-unavailable";
}

/** Words for the chat. They never carry internals; an unknown failure names the run to look up. */
export function explain(error: unknown, runId: string): string {
  if (error instanceof BotError) return sentence(error.code, error.detail);
  return `Something went wrong on my side. An admin can look up \`${runId}\`.`;
}

/** The words for a code, with the detail a person can use. */
export function sentence(code: BotErrorCode, detail?: string): string {
  return detail ? `${words[code]} ${detail}` : words[code];
}

/** What anything that was thrown says of itself: for logs, tools and whoever runs the bot, not for the chat. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
