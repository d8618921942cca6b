import type { RespondFn } from "@slack/bolt";
import type { CommandAnswer } from "#domain/command";
import type { Bot, PressAnswer, ReplyPress } from "#ports/bot";
import type { Log } from "#ports/log";
import type { SlackApi } from "./api.ts";
import type { Arrivals, Presence } from "./arrivals.ts";
import type { Courtesies } from "./courtesies.ts";
import type { DirectMessages } from "./direct.ts";
import { refusalOf } from "./failures.ts";
import type { Workspace } from "./inbound.ts";
import { notificationOf } from "./markdown.ts";
import type { Policy } from "./policy.ts";
import { answerBlocks, type Block } from "./sections.ts";
import type { Ear, Whispers } from "./whispers.ts";

/** What presses, commands, modals and stops are turned with. */
export interface ControlParts {
  readonly api: SlackApi;
  readonly workspace: Workspace;
  readonly arrivals: Arrivals;
  readonly policy: Policy;
  readonly whispers: Whispers;
  readonly direct: DirectMessages;
  readonly courtesies: Courtesies;
  readonly bot: () => Bot;
  readonly log: Log;
}

/** Where an interaction happened and by whom, as its payload says it. */
export interface Spot {
  readonly channel: string;
  readonly user: string;
  readonly userTeam: string;
  readonly threadTs: string | undefined;
}

/** Tells somebody something that only they see. Never fails. */
export type Tell = (answer: CommandAnswer) => Promise<void>;

/** A press, read from its payload without asking anybody. */
export interface Press {
  readonly actionId: string;
  readonly value: string;
  readonly triggerId: string;
  readonly eventId: string;
  readonly spot: Spot;
  /** The view it was made in; undefined in a message. */
  readonly viewId: string | undefined;
}

interface PressBody {
  readonly user: { readonly id: string; readonly team_id?: string };
  readonly trigger_id?: string;
  readonly channel?: { readonly id: string };
  readonly container?: { readonly message_ts?: string; readonly thread_ts?: string };
  readonly message?: { readonly ts?: string; readonly thread_ts?: string };
  readonly view?: { readonly id?: string; readonly private_metadata?: string };
}

/** Reads a press. Everything in it comes from outside; ids are all that is taken. */
export function pressOf(rawBody: unknown, rawAction: unknown, { teamId }: Workspace): Press {
  const body = rawBody as PressBody;
  const action = rawAction as {
    readonly action_id: string;
    readonly action_ts?: string;
    readonly value?: string;
  };
  const value = action.value ?? "";
  const at = action.action_ts ?? body.trigger_id ?? "";
  return {
    actionId: action.action_id,
    value,
    triggerId: body.trigger_id ?? "",
    eventId: `slack:press:${body.user.id}:${action.action_id}:${value}:${at}`,
    spot: {
      // The Home tab notes the direct conversation it belongs to.
      channel: body.channel?.id ?? (body.view?.private_metadata || "D"),
      user: body.user.id,
      userTeam: body.user.team_id ?? teamId,
      threadTs: body.container?.thread_ts ?? body.message?.thread_ts,
    },
    viewId: body.view?.id,
  };
}

/** Who presses, in the bot's words. */
export function presserOf(
  press: Pick<Press, "eventId">,
  { person, role }: Presence,
): Pick<ReplyPress, "eventId" | "by" | "role"> {
  return { eventId: press.eventId, by: person, role };
}

/** Whoever submitted a modal. */
export function submitterOf(rawBody: unknown, { teamId }: Workspace, channel = "D"): Spot {
  const { user } = rawBody as PressBody;
  return { channel, user: user.id, userTeam: user.team_id ?? teamId, threadTs: undefined };
}

/** Answers to a press stand in the channel; what belongs to a thread or a view is said by itself. */
export function tellAt(
  { spot, viewId }: Pick<Press, "spot" | "viewId">,
  { whispers, log }: ControlParts,
  respond: RespondFn,
): Tell {
  return async (answer) => {
    if (spot.threadTs !== undefined || viewId !== undefined) {
      whispers.answer(earAt(spot), answer);
      return;
    }
    await respond(answerFor(answer)).catch((error: unknown) =>
      log.warn({ platform: "slack", err: error }, "words not shown"),
    );
  };
}

export function earAt({ channel, user, threadTs }: Spot): Ear {
  return { channel, user, threadTs };
}

/**
 * Opens a modal at once: its trigger lives three seconds, so nothing may be waited for before.
 * Resolves to its id, or to undefined after telling who pressed that it was too late.
 */
export async function openModal(
  { api, log }: Pick<ControlParts, "api" | "log">,
  modal: { readonly triggerId: string; readonly view: unknown; readonly tell: Tell },
): Promise<string | undefined> {
  try {
    const { view } = await api.call(
      "views.open",
      { trigger_id: modal.triggerId, view: modal.view },
      { priority: "final" },
    );
    return (view as { readonly id: string }).id;
  } catch (error) {
    const problem = refusalOf(error) ?? "unclear";
    log.warn({ platform: "slack", problem, action: "views.open" }, "modal not opened");
    const text = isTooLate(problem)
      ? "That took too long to reach me. Please try again."
      : "Slack did not let me open the form. Please try again.";
    await modal.tell({ ok: false, text });
    return undefined;
  }
}

/** Shows something else in an open modal; one that was closed meanwhile stays closed. */
export async function updateModal(
  { api, log }: Pick<ControlParts, "api" | "log">,
  viewId: string,
  view: unknown,
): Promise<void> {
  try {
    await api.call("views.update", { view_id: viewId, view }, { priority: "final" });
  } catch (error) {
    const problem = refusalOf(error) ?? "unclear";
    log.info({ platform: "slack", problem, action: "views.update" }, "modal not updated");
  }
}

/** What a press came to, in words; `Done.` where there are none. */
export function wordsFor({ words, ok }: PressAnswer): CommandAnswer {
  return { ok, text: words || "Done." };
}

/** An answer for `respond`: only who asked sees it, and the message it belongs to stays. */
export function answerFor(answer: CommandAnswer) {
  return {
    response_type: "ephemeral" as const,
    replace_original: false,
    text: notificationOf(answer.text, "Done."),
    // The SDK's blocks are a union of its own; ours are checked against Slack's rules in tests.
    blocks: answerBlocks(answer) as never,
  };
}

/** Complaints of a submitted modal: below its first field, where no field is to blame. */
export function firstBlock(view: { readonly blocks: readonly unknown[] }, words: string) {
  const blocks = view.blocks as readonly Block[];
  const id = blocks.find(({ type }) => type === "input")?.block_id;
  return { [String(id ?? "")]: words };
}

function isTooLate(problem: string): boolean {
  return problem === "expired_trigger_id" || problem === "exchanged_trigger_id";
}
