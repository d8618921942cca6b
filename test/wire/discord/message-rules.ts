import {
  MessageFlags,
  type RESTPatchAPIChannelMessageJSONBody,
  type RESTPostAPIChannelMessageJSONBody,
  type RESTPostAPIWebhookWithTokenJSONBody,
} from "discord-api-types/v10";
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../slack/json.ts";
import { checkComponents } from "./component-rules.ts";
import { FormProblems, refuse } from "./refusal.ts";

type Kind = "string" | "boolean" | "number" | "list" | "object" | "string|number";

/** The fields of each form, as the published types name them: one more or less does not compile. */
const forms = {
  create: {
    content: "string",
    nonce: "string|number",
    tts: "boolean",
    embeds: "list",
    allowed_mentions: "object",
    message_reference: "object",
    components: "list",
    sticker_ids: "list",
    attachments: "list",
    flags: "number",
    enforce_nonce: "boolean",
    poll: "object",
    shared_client_theme: "object",
  } satisfies Record<keyof RESTPostAPIChannelMessageJSONBody, Kind>,
  edit: {
    content: "string",
    embeds: "list",
    flags: "number",
    allowed_mentions: "object",
    attachments: "list",
    components: "list",
  } satisfies Record<keyof RESTPatchAPIChannelMessageJSONBody, Kind>,
  webhook: {
    content: "string",
    username: "string",
    avatar_url: "string",
    tts: "boolean",
    embeds: "list",
    allowed_mentions: "object",
    components: "list",
    attachments: "list",
    flags: "number",
    thread_name: "string",
    applied_tags: "list",
    poll: "object",
  } satisfies Record<keyof RESTPostAPIWebhookWithTokenJSONBody, Kind>,
} as const;

/** Which form a body is. */
export type MessageForm = keyof typeof forms;

/** Fields the real client adds to every message it sends, whatever the route says. */
const clientFields = new Set([
  "tts",
  "nonce",
  "enforce_nonce",
  "username",
  "avatar_url",
  "thread_name",
  "applied_tags",
  "poll",
  "message_reference",
  "sticker_ids",
  "shared_client_theme",
]);

/** What checking needs to know besides the body. */
export interface MessageCheck {
  readonly form: MessageForm;
  readonly fileCount: number;
  /** Flags of the message before an edit. */
  readonly flags?: number;
  readonly complain: (what: string) => void;
}

/** Checks a message body as Discord does (50035, 50006), and complains of what it lets pass. */
export function checkMessage(body: JsonObject, check: MessageCheck): void {
  const { form, complain } = check;
  const problems = new FormProblems();
  checkFields(body, { form, problems, complain });
  const content = textAt(body, "content") ?? "";
  const flags = (typeof body.flags === "number" ? body.flags : 0) | (check.flags ?? 0);
  const isV2 = (flags & MessageFlags.IsComponentsV2) !== 0;
  if (content.length > 2000) problems.tooLong("content", 2000);
  if (isV2) {
    for (const field of ["content", "embeds", "poll", "sticker_ids"]) {
      const value = body[field];
      if (value === undefined || value === null || value === "") continue;
      if (Array.isArray(value) && value.length === 0) continue;
      problems.add(
        field,
        "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
        `The '${field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2`,
      );
    }
  }
  checkEmbeds(body, problems);
  checkComponents(body.components, { isV2, problems });
  checkNonce(body, problems);
  checkAllowedMentions(body, problems);
  checkFiles(body, { problems, fileCount: check.fileCount, complain });
  problems.refuseIfAny();
  if (form !== "edit" && isEmpty(body, check.fileCount)) refuse("emptyMessage");
  if (!isObject(body.allowed_mentions)) {
    complain(`a message was ${form === "edit" ? "edited" : "sent"} without allowed_mentions`);
  }
}

function isEmpty(body: JsonObject, fileCount: number): boolean {
  const lists = ["embeds", "components", "sticker_ids"].some(
    (field) => Array.isArray(body[field]) && body[field].length > 0,
  );
  const isForward = objectAt(body, "message_reference").type === 1;
  const hasText = (textAt(body, "content") ?? "").trim() !== "";
  return !hasText && !lists && !isForward && fileCount === 0 && !isObject(body.poll);
}

function checkFields(
  body: JsonObject,
  {
    form,
    problems,
    complain,
  }: {
    readonly form: MessageForm;
    readonly problems: FormProblems;
    readonly complain: (what: string) => void;
  },
): void {
  const fields: Readonly<Record<string, Kind>> = forms[form];
  for (const [name, value] of Object.entries(body)) {
    const kind = fields[name];
    if (kind === undefined) {
      if (!clientFields.has(name)) complain(`a message has the unknown field ${name}`);
      continue;
    }
    if (value === null || isOfKind(value, kind)) continue;
    problems.add(name, "BASE_TYPE_CONVERT", `"${String(value)}" is no ${kind}.`);
  }
}

function isOfKind(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case "string":
    case "boolean":
    case "number":
      return typeof value === kind;
    case "list":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "string|number":
      return typeof value === "string" || typeof value === "number";
  }
}

function checkEmbeds(body: JsonObject, problems: FormProblems): void {
  const embeds = objectsAt(body, "embeds");
  if (embeds.length > 10)
    problems.add("embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.");
  let total = 0;
  const count = (path: string, text: string | undefined, max: number): void => {
    total += text?.length ?? 0;
    if ((text?.length ?? 0) > max) problems.tooLong(path, max);
  };
  embeds.forEach((embed, index) => {
    const path = `embeds.${index}`;
    count(`${path}.title`, textAt(embed, "title"), 256);
    count(`${path}.description`, textAt(embed, "description"), 4096);
    count(`${path}.footer.text`, textAt(objectAt(embed, "footer"), "text"), 2048);
    count(`${path}.author.name`, textAt(objectAt(embed, "author"), "name"), 256);
    const fields = objectsAt(embed, "fields");
    if (fields.length > 25) problems.tooLong(`${path}.fields`, 25);
    fields.forEach((field, place) => {
      count(`${path}.fields.${place}.name`, textAt(field, "name"), 256);
      count(`${path}.fields.${place}.value`, textAt(field, "value"), 1024);
    });
  });
  if (total > 6000) {
    problems.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000");
  }
}

function checkNonce(body: JsonObject, problems: FormProblems): void {
  const { nonce } = body;
  if (typeof nonce === "string" && nonce.length > 25) problems.tooLong("nonce", 25);
  if (body.enforce_nonce === true && (nonce === undefined || nonce === null || nonce === "")) {
    problems.required("nonce");
  }
}

function checkAllowedMentions(body: JsonObject, problems: FormProblems): void {
  const allowed = objectAt(body, "allowed_mentions");
  const parse = Array.isArray(allowed.parse) ? allowed.parse : [];
  for (const [index, value] of parse.entries()) {
    if (!["users", "roles", "everyone"].includes(String(value))) {
      problems.choices(`allowed_mentions.parse.${index}`, value);
    }
  }
  for (const field of ["users", "roles"]) {
    const list = allowed[field];
    if (!Array.isArray(list) || list.length === 0) continue;
    if (list.length > 100) problems.tooLong(`allowed_mentions.${field}`, 100);
    if (parse.includes(field)) {
      problems.add(
        "allowed_mentions",
        "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        `parse:["${field}"] and ${field}: [ids...] are mutually exclusive.`,
      );
    }
  }
}

function checkFiles(
  body: JsonObject,
  {
    problems,
    fileCount,
    complain,
  }: {
    readonly problems: FormProblems;
    readonly fileCount: number;
    readonly complain: (what: string) => void;
  },
): void {
  const attachments = objectsAt(body, "attachments");
  if (fileCount > 10 || attachments.length > 10) problems.tooLong("attachments", 10);
  attachments.forEach((attachment, index) => {
    const description = textAt(attachment, "description");
    if (description !== undefined && description.length > 1024) {
      problems.tooLong(`attachments.${index}.description`, 1024);
    }
  });
  const described = attachments.filter((one) => textAt(one, "description")).length;
  if (fileCount > described) complain("a file was sent without an alt text");
}
