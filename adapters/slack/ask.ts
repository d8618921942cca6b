import { randomUUID } from "node:crypto";
import type { App } from "@slack/bolt";
import type { Ledger } from "#ports/ledger";
import { askCallback, askModal, questionIn, questionMessage, whereBlock } from "./ask-modal.ts";
import { failureOf, reasonOf, refusalOf } from "./failures.ts";
import { attachmentOf } from "./files.ts";
import {
  eventIdOf,
  idsIn,
  personKeyOf,
  type SlackMessageEvent,
  toQuotedMessage,
} from "./inbound.ts";
import type { Names } from "./names.ts";
import {
  type ControlParts,
  earAt,
  firstBlock,
  openModal,
  type Spot,
  submitterOf,
  type Tell,
} from "./presses.ts";
import type { Threads } from "./threads.ts";
import { titleOf } from "./titles.ts";

/** The message shortcut's id in the manifest. */
const askShortcut = "ask_about_message";

/** What the shortcut needs besides. */
export interface AskParts extends ControlParts {
  readonly ledger: Ledger;
  readonly names: Names;
  readonly threads: Threads;
}

/** A message somebody wants to ask about, kept while they write: a view carries only ids. */
interface Kept {
  readonly id: string;
  readonly message: SlackMessageEvent;
}

/** "Ask the assistant" in the menu of every message, also where the bot is no member. */
export function addAsk(app: App, parts: AskParts): void {
  const { ledger, log, workspace } = parts;
  app.shortcut({ callback_id: askShortcut, type: "message_action" }, async (args) => {
    const { ack, shortcut, respond } = args;
    const message = messageOf(shortcut);
    const id = randomUUID();
    const tell: Tell = async ({ text }) => {
      await respond({ response_type: "ephemeral", replace_original: false, text });
    };
    const view = askModal(id, message.text ?? "");
    const opening = openModal(parts, { triggerId: shortcut.trigger_id, view, tell });
    await ack();
    if ((await opening) === undefined) return;
    const kept = JSON.parse(JSON.stringify({ id, message } satisfies Kept));
    const spot = submitterOf(shortcut, workspace);
    await ledger.apply({ registers: [{ name: keptName(spot), value: kept }] });
  });
  app.view({ callback_id: askCallback, type: "view_closed" }, async ({ ack, body }) => {
    await ack();
    await forget(parts, submitterOf(body, workspace));
  });
  app.view(askCallback, async ({ ack, body, view }) => {
    const spot = submitterOf(body, workspace);
    const register = await ledger.read(keptName(spot));
    const kept = register?.value as unknown as Kept | undefined;
    if (kept?.id !== view.private_metadata) {
      const words = "This was asked already, or the form is too old. Please use the menu again.";
      await ack({ response_action: "errors", errors: firstBlock(view, words) });
      return;
    }
    const problem = await ask(parts, { spot, view, message: kept.message }).catch((error) => {
      log.warn({ platform: "slack", err: error }, "question not taken");
      return { block: undefined, words: "That did not work. Please try again in a moment." };
    });
    if (problem) {
      const { block, words } = problem;
      const errors = block === undefined ? firstBlock(view, words) : { [block]: words };
      await ack({ response_action: "errors", errors });
      return;
    }
    await ack();
    await forget(parts, spot);
  });
}

interface Problem {
  /** The field to blame; undefined: none. */
  readonly block: string | undefined;
  readonly words: string;
}

/** Puts the question where its answer shall stand, and hands it over. Undefined: it is stored. */
async function ask(
  parts: AskParts,
  asked: {
    readonly spot: Spot;
    readonly view: { readonly id: string };
    readonly message: SlackMessageEvent;
  },
): Promise<Problem | undefined> {
  const { arrivals, bot, names, policy, threads, whispers, workspace } = parts;
  const { spot, message } = asked;
  const question = questionIn(asked.view);
  const isDirect = question.where === "direct";
  const refusal = await policy.refusalOf({ ...spot, channel: message.channel, isDirect });
  if (refusal !== undefined) return { block: whereBlock, words: refusal };
  const users = [...(message.user ? [message.user] : []), ...idsIn(message.text ?? "").users];
  const known = await names.known({ users, channels: idsIn(message.text ?? "").channels });
  const about = toQuotedMessage(message, known);
  const link = await linkTo(parts, message);
  const root = questionMessage({ question, user: spot.user, about, link });
  const at = await post(parts, { spot, message, root, isDirect });
  if ("words" in at) return at;
  const people = isDirect
    ? [spot.user]
    : await threads.join(eventIdOf(workspace.teamId, at.channel, at.threadTs), [
        spot.user,
        ...(message.user ? [message.user] : []),
      ]);
  const { place, person, role } = await arrivals.presence({ ...spot, ...at });
  const title = titleOf(question.text);
  const target = {
    ...(place.target as object),
    isShared: people.length > 1,
    ...(title && isDirect ? { title } : {}),
  };
  const answer = await bot().message({
    eventId: `slack:view:${asked.view.id}`,
    place: { ...place, target },
    author: person,
    role,
    text: question.text,
    attachments: (message.files ?? []).map((file) => attachmentOf(file, workspace.teamId)),
    sentAtMs: Number(at.ts) * 1_000,
    quoted: [about],
  });
  if (answer.status === "refused") return { block: undefined, words: answer.words };
  if (answer.status === "command") {
    whispers.answer(earAt({ ...spot, ...at }), answer.answer);
  }
  return undefined;
}

/** The question itself, as a message the answer stands below. */
async function post(
  { api, direct }: AskParts,
  at: {
    readonly spot: Spot;
    readonly message: SlackMessageEvent;
    readonly root: ReturnType<typeof questionMessage>;
    readonly isDirect: boolean;
  },
): Promise<{ readonly channel: string; readonly threadTs: string; readonly ts: string } | Problem> {
  const { spot, message, root, isDirect } = at;
  try {
    if (isDirect) {
      const said = await direct.say(spot.user, root);
      return { ...said, threadTs: said.ts };
    }
    const threadTs = message.thread_ts ?? message.ts;
    const { ts } = await api.call("chat.postMessage", {
      channel: message.channel,
      thread_ts: threadTs,
      ...root,
      unfurl_links: false,
      unfurl_media: false,
    });
    return { channel: message.channel, threadTs, ts: String(ts) };
  } catch (error) {
    const why = reasonOf(refusalOf(error));
    if (why === undefined) throw error;
    const other = isDirect ? "" : " Or choose a direct message.";
    return { block: whereBlock, words: `${why}${other}` };
  }
}

async function linkTo(
  { api }: AskParts,
  { channel, ts }: SlackMessageEvent,
): Promise<string | undefined> {
  try {
    const { permalink } = await api.call("chat.getPermalink", { channel, message_ts: ts });
    return String(permalink);
  } catch (error) {
    // Where the bot is no member it gets no links.
    if (!failureOf(error)) throw error;
    return undefined;
  }
}

/** The message of a shortcut's payload, with its channel. Everything in it comes from outside. */
function messageOf(shortcut: unknown): SlackMessageEvent {
  const { channel, message } = shortcut as {
    readonly channel: { readonly id: string };
    readonly message: Omit<SlackMessageEvent, "channel" | "type">;
  };
  const { text, ts, user, thread_ts, files } = message;
  return {
    type: "message",
    channel: channel.id,
    ts,
    ...(text === undefined ? {} : { text }),
    ...(user === undefined ? {} : { user }),
    ...(thread_ts === undefined ? {} : { thread_ts }),
    ...(files === undefined ? {} : { files }),
  };
}

async function forget({ ledger }: AskParts, spot: Spot): Promise<void> {
  await ledger.apply({ registers: [{ name: keptName(spot), value: null }] });
}

/** One for each person, so that what is never sent is replaced by the next. */
function keptName({ userTeam, user }: Spot): string {
  return `slack/ask/${personKeyOf(userTeam, user)}`;
}
