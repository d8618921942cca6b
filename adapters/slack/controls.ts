import type { App } from "@slack/bolt";
import type { ReplyPress } from "#ports/bot";
import { handedOver } from "./direct.ts";
import { refusalOf } from "./failures.ts";
import { answersIn, feedbackModal, formModal, reasonIn } from "./modals.ts";
import {
  answerFor,
  type ControlParts,
  firstBlock,
  openModal,
  presserOf,
  pressOf,
  type Spot,
  submitterOf,
  type Tell,
  tellAt,
  wordsFor,
} from "./presses.ts";
import { actionIds } from "./sections.ts";
import { isSettingsCommand, openSettings } from "./settings.ts";

const stopReactions = new Set(["octagonal_sign", "stop_sign"]);

/** Tells the Bolt app what to do with everything that is no message. */
export function addControls(app: App, parts: ControlParts): void {
  addPresses(app, parts);
  addModals(app, parts);
  addCommand(app, parts);
  addStops(app, parts);
}

function addPresses(app: App, parts: ControlParts): void {
  const { arrivals, bot, workspace } = parts;
  app.action(new RegExp(`^${actionIds.press}`), async ({ ack, body, action, respond }) => {
    await ack();
    const press = pressOf(body, action, workspace);
    const named = pressNamed(press.actionId.slice(actionIds.press.length));
    if (!named) return;
    const by = presserOf(press, await arrivals.presence(press.spot));
    const answer = await bot().press({ ...by, runId: press.value, press: named });
    await tellAt(press, parts, respond)(wordsFor(answer));
  });
  app.action(actionIds.feedback, async ({ ack, body, action, respond }) => {
    const press = pressOf(body, action, workspace);
    const tell = tellAt(press, parts, respond);
    const [verdict, runId = ""] = press.value.split(" ");
    if (verdict !== "good") {
      const opening = openModal(parts, { ...press, view: feedbackModal(runId), tell });
      await ack();
      await opening;
      return;
    }
    await ack();
    const by = presserOf(press, await arrivals.presence(press.spot));
    await tell(wordsFor(await bot().press({ ...by, runId, press: goodFeedback })));
  });
  for (const type of ["approve", "decline", "finish"] as const) {
    app.action(actionIds[type], async ({ ack, body, action, respond }) => {
      await ack();
      const press = pressOf(body, action, workspace);
      const { person: by, role } = await arrivals.presence(press.spot);
      const decision = { requestId: press.value, by, role, decision: { type } };
      await tellAt(press, parts, respond)(wordsFor(await bot().decide(decision)));
    });
  }
  app.action(actionIds.form, async ({ ack, body, action, respond }) => {
    const press = pressOf(body, action, workspace);
    const tell = tellAt(press, parts, respond);
    await ack();
    const form = await bot().askedForm(press.value);
    if (form) await openModal(parts, { ...press, view: formModal(form), tell });
    else await tell({ ok: false, text: "This question is settled already." });
  });
  app.action(new RegExp(`^${actionIds.command}`), async ({ ack, body, action, respond }) => {
    const press = pressOf(body, action, workspace);
    const tell = tellAt(press, parts, respond);
    const { eventId, spot, value: text } = press;
    if (isSettingsCommand(text)) {
      const opening = openSettings(parts, { ...press, tell });
      await ack();
      await opening;
      return;
    }
    await ack();
    const { place, person, role } = await arrivals.presence(spot);
    const knowsThread = spot.threadTs !== undefined;
    const answer = await bot().command({ eventId, place, person, role, text, knowsThread });
    await tell(await handedOver(parts, spot, answer));
  });
}

const goodFeedback = { type: "feedback", good: true } as const;

function addModals(app: App, { bot, arrivals, workspace }: ControlParts): void {
  app.view("bobbin_feedback", async ({ ack, body, view }) => {
    await ack();
    const { person: by, role } = await arrivals.presence(submitterOf(body, workspace));
    const reason = reasonIn(view);
    const press = { type: "feedback", good: false, ...(reason ? { reason } : {}) } as const;
    const runId = view.private_metadata;
    await bot().press({ eventId: `slack:view:${view.id}`, runId, by, role, press });
  });
  app.view("bobbin_form", async ({ ack, body, view }) => {
    const requestId = view.private_metadata;
    const form = await bot().askedForm(requestId);
    if (!form) {
      await ack({
        response_action: "errors",
        errors: firstBlock(view, "This question is settled already."),
      });
      return;
    }
    const { answers, errors } = answersIn(view, form);
    if (Object.keys(errors).length > 0) {
      await ack({ response_action: "errors", errors });
      return;
    }
    const { person: by, role } = await arrivals.presence(submitterOf(body, workspace));
    const decision = { type: "answer", answers } as const;
    const answer = await bot().decide({ requestId, by, role, decision });
    if (!answer.ok) {
      await ack({ response_action: "errors", errors: firstBlock(view, answer.words) });
      return;
    }
    await ack();
  });
}

function addCommand(app: App, parts: ControlParts): void {
  const { bot, arrivals, policy, workspace } = parts;
  app.command("/assistant", async ({ ack, command, respond }) => {
    const { text } = command;
    // Slack does not say in which thread a command was typed: it knows none there.
    const spot: Spot = {
      channel: command.channel_id,
      user: command.user_id,
      userTeam: command.team_id ?? workspace.teamId,
      threadTs: undefined,
    };
    const tell: Tell = async (answer) => {
      await respond(answerFor(answer));
    };
    if (isSettingsCommand(text)) {
      const opening = openSettings(parts, { triggerId: command.trigger_id, spot, tell });
      await ack();
      await opening;
      return;
    }
    await ack();
    const isDirect = spot.channel.startsWith("D");
    const refusal = await policy.refusalOf({ ...spot, isDirect });
    if (refusal !== undefined) {
      await tell({ ok: false, text: refusal });
      return;
    }
    const { place, person, role } = await arrivals.presence(spot);
    const eventId = `slack:command:${command.trigger_id}`;
    const answer = await bot().command({ eventId, place, person, role, text, knowsThread: false });
    await tell(await handedOver(parts, spot, answer));
  });
}

function addStops(app: App, parts: ControlParts): void {
  const { arrivals, bot, whispers, workspace } = parts;
  const stop = async (at: StopSpot, onlyOwn: boolean) => {
    const spot = { ...at, userTeam: undefined };
    const { place, person: by, role } = await arrivals.presence(spot);
    return bot().stop({ place, by, role, what: "current", onlyOwn });
  };
  // Slack's own Stop button; the SDK's types do not know it as an event of theirs everywhere.
  app.event("agent_session_stopped", async ({ event }) => {
    const { channel, user, thread_ts } = event as unknown as SessionStopped;
    await stop({ channel, user, threadTs: thread_ts }, false);
  });
  app.event("reaction_added", async ({ event }) => {
    const { item, reaction, user } = event as unknown as ReactionAdded;
    if (!stopReactions.has(reaction) || item.type !== "message" || user === workspace.botUser)
      return;
    const threadTs = await threadOf(parts, item);
    if (threadTs === undefined) return;
    const at = { channel: item.channel, user, threadTs };
    const { isRefused, words } = await stop(at, true);
    // Most such reactions are none of ours: only who may not is told.
    if (isRefused) whispers.answer(at, { ok: false, text: words });
  });
}

/** The thread a message stands in: an event about a reaction does not say. */
async function threadOf(
  { api, arrivals, log }: ControlParts,
  { channel, ts }: { readonly channel: string; readonly ts: string },
): Promise<string | undefined> {
  const known = arrivals.threadOf(channel, ts);
  if (known !== undefined) return known;
  try {
    const { messages } = await api.call("conversations.replies", { channel, ts, limit: 1 });
    const [message] = messages as readonly { readonly ts: string; readonly thread_ts?: string }[];
    return message?.thread_ts ?? ts;
  } catch (error) {
    const problem = refusalOf(error);
    if (problem === undefined) throw error;
    log.warn({ platform: "slack", problem }, "reaction not understood");
    return undefined;
  }
}

interface StopSpot {
  readonly channel: string;
  readonly user: string;
  readonly threadTs: string;
}

interface SessionStopped {
  readonly channel: string;
  readonly user: string;
  readonly thread_ts: string;
}

interface ReactionAdded {
  readonly user: string;
  readonly reaction: string;
  readonly item: { readonly type: string; readonly channel: string; readonly ts: string };
}

function pressNamed(name: string): ReplyPress["press"] | undefined {
  switch (name) {
    case "stop":
    case "retry":
    case "continue":
    case "answer-new-version":
      return { type: name };
    default:
      return undefined;
  }
}
