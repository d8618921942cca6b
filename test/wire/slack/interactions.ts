import { randomBytes } from "node:crypto";
import { faultsOfBlocks } from "./blocks.ts";
import type { EventFeed } from "./event-feed.ts";
import { isObject, type JsonObject, objectsAt, textAt } from "./json.ts";
import { messagePayload } from "./payloads.ts";
import { refuse } from "./refusal.ts";
import type { World } from "./world.ts";

const triggerLifeMs = 3000;
const responseUrlLifeMs = 30 * 60_000;
const responseUrlUses = 5;

interface Trigger {
  readonly userId: string;
  readonly teamId: string;
  /** The view it came from: only then may another be pushed on top. */
  readonly viewId: string | undefined;
  readonly goodUntilMs: number;
  isUsed: boolean;
}

/** Where an answer to an interaction goes. */
export interface ResponseTarget {
  readonly channelId: string;
  readonly userId: string;
  /** The message with the control that was used. */
  readonly originalTs: string | undefined;
  readonly isEphemeral: boolean;
}

/** A POST to a response URL, as it came and was answered. */
export interface RecordedResponse {
  readonly atMs: number;
  readonly body: unknown;
  readonly status: number;
}

/** What a response_url answers. */
export interface ResponseUrlAnswer {
  readonly status: number;
  readonly body: string;
}

/** The short-lived handles Slack gives with every interaction: trigger ids and response URLs. */
export class Interactions {
  readonly #world: World;
  readonly #feed: EventFeed;
  readonly #complain: (what: string) => void;
  readonly #triggers = new Map<string, Trigger>();
  readonly #targets = new Map<
    string,
    { target: ResponseTarget; goodUntilMs: number; uses: number }
  >();

  readonly #responses: RecordedResponse[] = [];

  constructor(world: World, feed: EventFeed, complain: (what: string) => void) {
    this.#world = world;
    this.#feed = feed;
    this.#complain = complain;
  }

  newTrigger(from: {
    readonly userId: string;
    readonly teamId: string;
    readonly viewId?: string;
  }): string {
    const id = `${this.#triggers.size + 1}.${Math.floor(this.#world.clock.now())}.${randomBytes(8).toString("hex")}`;
    this.#triggers.set(id, {
      userId: from.userId,
      teamId: from.teamId,
      viewId: from.viewId,
      goodUntilMs: this.#world.clock.now() + triggerLifeMs,
      isUsed: false,
    });
    return id;
  }

  /** Spends a trigger. Refuses one that is unknown, three seconds old or already used. */
  useTrigger(id: string): Readonly<Trigger> {
    const trigger = this.#triggers.get(id);
    if (!trigger) return refuse("invalid_trigger_id");
    if (trigger.isUsed) return refuse("exchanged_trigger_id");
    if (this.#world.clock.now() > trigger.goodUntilMs) return refuse("expired_trigger_id");
    trigger.isUsed = true;
    return trigger;
  }

  newResponseUrl(target: ResponseTarget): string {
    const id = randomBytes(12).toString("hex");
    const goodUntilMs = this.#world.clock.now() + responseUrlLifeMs;
    this.#targets.set(id, { target, goodUntilMs, uses: 0 });
    return `${this.#world.origin}/actions/${this.#world.appId}/${id}`;
  }

  /** Every POST to a response URL so far, oldest first. */
  get responses(): readonly RecordedResponse[] {
    return this.#responses;
  }

  /** What a POST to a response URL does. */
  respond(id: string, body: unknown): ResponseUrlAnswer {
    const answer = this.#respond(id, body);
    this.#responses.push({ atMs: this.#world.clock.now(), body, status: answer.status });
    return answer;
  }

  #respond(id: string, body: unknown): ResponseUrlAnswer {
    const entry = this.#targets.get(id);
    if (!entry) return { status: 404, body: "no_service" };
    if (this.#world.clock.now() > entry.goodUntilMs) return refusal("expired_url");
    if (entry.uses >= responseUrlUses) return refusal("used_url");
    if (!isObject(body)) return { status: 400, body: "invalid_payload" };
    const fault = faultOf(body);
    if (fault) return refusal(fault);
    entry.uses += 1;
    const isOfMessage = entry.target.originalTs !== undefined;
    if (isOfMessage && !("replace_original" in body) && !("delete_original" in body)) {
      this.#complain("an answer to a press does not say whether it replaces the message");
    }
    this.show(entry.target, body);
    return { status: 200, body: "ok" };
  }

  /** Shows an answer, whether it came with the acknowledgement or to the response URL. */
  show(target: ResponseTarget, body: JsonObject): void {
    if (body.delete_original === true) {
      this.#remove(target);
      return;
    }
    const content = {
      text: textAt(body, "text") ?? "",
      form: "mrkdwn" as const,
      blocks: Array.isArray(body.blocks) ? objectsAt(body, "blocks") : undefined,
    };
    if (body.replace_original === true && target.originalTs !== undefined) {
      this.#replace(target, content);
      return;
    }
    // Documented for answers to all (docs.slack.dev/interactivity/handling-user-interaction).
    const threadTs = textAt(body, "thread_ts");
    if (body.response_type === "in_channel") {
      const channel = this.#world.channel(target.channelId);
      const installation =
        this.#world.installationIn(channel) ?? [...this.#world.installations.values()][0];
      if (!installation) return;
      const message = this.#world.addMessage({
        channelId: channel.id,
        teamId: channel.teamId,
        userId: installation.botUserId,
        botId: installation.botId,
        threadTs,
        ...content,
      });
      this.#feed.posted(message);
      return;
    }
    this.#world.ephemerals.push({
      ts: this.#world.ts(),
      channelId: target.channelId,
      userId: target.userId,
      threadTs: undefined,
      ...content,
    });
  }

  #remove(target: ResponseTarget): void {
    const { ephemerals } = this.#world;
    const index = ephemerals.findIndex(({ ts }) => ts === target.originalTs);
    if (index >= 0) {
      ephemerals.splice(index, 1);
      return;
    }
    const messages = this.#world.channel(target.channelId).messages;
    const message = messages.find(({ ts }) => ts === target.originalTs);
    if (!message) return;
    messages.splice(messages.indexOf(message), 1);
    this.#feed.deleted(message);
  }

  #replace(
    target: ResponseTarget,
    content: {
      readonly text: string;
      readonly form: "mrkdwn";
      readonly blocks: readonly JsonObject[] | undefined;
    },
  ): void {
    const ephemeral = this.#world.ephemerals.find(({ ts }) => ts === target.originalTs);
    if (ephemeral) {
      Object.assign(ephemeral, content);
      return;
    }
    const message = this.#world.message(target.channelId, target.originalTs ?? "");
    if (!message) return;
    const previous = messagePayload(this.#world, message);
    Object.assign(message, content, { stream: undefined });
    this.#world.notify(message);
    this.#feed.changed(message, previous);
  }
}

function refusal(error: string): ResponseUrlAnswer {
  return { status: error === "no_text" ? 500 : 404, body: JSON.stringify({ ok: false, error }) };
}

/** A response URL knows no markdown_text, and text or blocks must be there. */
function faultOf(body: JsonObject): string | undefined {
  if (body.delete_original === true) return undefined;
  const blocks = objectsAt(body, "blocks");
  if (!textAt(body, "text") && blocks.length === 0 && !Array.isArray(body.attachments)) {
    return "no_text";
  }
  return faultsOfBlocks(blocks, "message").length > 0 ? "invalid_blocks" : undefined;
}
