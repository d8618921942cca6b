import type { App } from "@slack/bolt";
import type { Overview } from "#ports/bot";
import { failureOf, refusalOf } from "./failures.ts";
import { closedHomeView, homeView, linkable } from "./home.ts";
import { eventIdOf, targetOf } from "./inbound.ts";
import {
  type ControlParts,
  earAt,
  openModal,
  type Press,
  pressOf,
  type Spot,
  type Tell,
  tellAt,
  updateModal,
} from "./presses.ts";
import { actionIds, answerBlocks, section } from "./sections.ts";
import { openSettings } from "./settings.ts";
import { wordsModal } from "./settings-modal.ts";
import type { Titles } from "./titles.ts";

/** `assistant.threads.setSuggestedPrompts` takes four. */
const mostPrompts = 4;
const mostKept = 5_000;

/** The app's own pages and greetings: Home tab, suggested prompts, hello, renamed conversations. */
export class Surfaces {
  readonly #parts: ControlParts;
  readonly #titles: Titles;
  /** Prompts that are set, by direct conversation: only a change is worth a call. */
  readonly #prompts = new Map<string, string>();

  constructor(parts: ControlParts, titles: Titles) {
    this.#parts = parts;
    this.#titles = titles;
  }

  add(app: App): void {
    app.event("app_home_opened", async ({ event }) => {
      const { user, channel, tab } = event as unknown as HomeOpened;
      const spot = this.#spotOf(user, channel);
      if (tab === "home") this.#inBackground("home not shown", this.publishHome(spot));
      else this.#inBackground("prompts not set", this.#suggest(spot));
    });
    app.event("member_joined_channel", async ({ event }) => {
      const { user, channel, inviter } = event as unknown as MemberJoined;
      if (user !== this.#parts.workspace.botUser || inviter === undefined) return;
      this.#inBackground("no hello", this.#greet(this.#spotOf(inviter, channel)));
    });
    app.event("agent_session_title_changed", async ({ event }) => {
      const { user, channel, thread_ts } = event as unknown as SessionRenamed;
      const { botUser, teamId } = this.#parts.workspace;
      if (user !== botUser) await this.#titles.taken(eventIdOf(teamId, channel, thread_ts));
    });
    app.action(actionIds.settings, async ({ ack, body, action, respond }) => {
      const press = pressOf(body, action, this.#parts.workspace);
      const tell = tellAt(press, this.#parts, respond);
      const spot = { ...press.spot, channel: press.value };
      const opening = openSettings(this.#parts, { ...press, spot, isFromHome: true, tell });
      await ack();
      await opening;
    });
    app.action(new RegExp(`^${actionIds.words}`), async ({ ack, body, action, respond }) => {
      const press = pressOf(body, action, this.#parts.workspace);
      const answering = this.#openAnswer(press, tellAt(press, this.#parts, respond));
      await ack();
      await answering;
    });
  }

  /** Draws somebody's Home tab anew; `spot` is their direct conversation. */
  async publishHome(spot: Spot): Promise<void> {
    const { api, arrivals, bot, policy, workspace } = this.#parts;
    const refusal = await policy.refusalOf({ ...spot, isDirect: true });
    if (refusal !== undefined) {
      await api.call("views.publish", { user_id: spot.user, view: closedHomeView(refusal) });
      return;
    }
    const { place, person } = await arrivals.presence(spot);
    const overview = await bot().overview({ place, person });
    const view = homeView({
      channel: spot.channel,
      personName: person.name,
      botUser: workspace.botUser,
      overview,
      links: await this.#linksTo(overview),
    });
    await api.call("views.publish", { user_id: spot.user, view }, { isRepeatable: true });
  }

  async #linksTo(overview: Overview): Promise<ReadonlyMap<string, string>> {
    const links = new Map<string, string>();
    const asked = linkable(overview).map(async ({ place }) => {
      const { channel, threadTs } = targetOf(place.target);
      try {
        const args = { channel, message_ts: threadTs };
        const { permalink } = await this.#parts.api.call("chat.getPermalink", args);
        links.set(place.threadKey, String(permalink));
      } catch (error) {
        // Its root was deleted, or the channel left: the title stands alone.
        if (!failureOf(error)) throw error;
      }
    });
    await Promise.all(asked);
    return links;
  }

  async #suggest(spot: Spot): Promise<void> {
    const { arrivals, bot, courtesies } = this.#parts;
    const { place, person } = await arrivals.presence(spot);
    const { channels } = await bot().overview({ place, person });
    const prompts = (channels[0]?.suggestions ?? []).slice(0, mostPrompts);
    const key = JSON.stringify(prompts);
    if (prompts.length === 0 || this.#prompts.get(spot.channel) === key) return;
    if (this.#prompts.size >= mostKept) this.#prompts.clear();
    const args = { channel_id: spot.channel, prompts };
    const isSet = await courtesies.try("assistant.threads.setSuggestedPrompts", args);
    if (isSet) this.#prompts.set(spot.channel, key);
  }

  async #greet(spot: Spot): Promise<void> {
    const { policy, whispers } = this.#parts;
    const refusal = await policy.refusalOf({ ...spot, isDirect: false });
    const text =
      refusal ??
      `Thank you for the invitation! Mention me with a question, and I answer in its thread; there, nobody has to mention me again. \`/assistant settings\` says who answers in this channel.`;
    whispers.answer(earAt(spot), { ok: true, text });
  }

  /** A command's answer in a modal, for pages that have no place for messages. */
  async #openAnswer(press: Press, tell: Tell): Promise<void> {
    const { arrivals, bot } = this.#parts;
    const title = "Bobbin";
    const view = wordsModal(title, [section("One moment…")]);
    const viewId = await openModal(this.#parts, { triggerId: press.triggerId, view, tell });
    if (viewId === undefined) return;
    const { place, person, role } = await arrivals.presence(press.spot);
    const { eventId, value: text } = press;
    const answer = await bot().command({ eventId, place, person, role, text, knowsThread: false });
    await updateModal(this.#parts, viewId, wordsModal(title, answerBlocks(answer)));
  }

  #spotOf(user: string, channel: string): Spot {
    return { user, channel, userTeam: this.#parts.workspace.teamId, threadTs: undefined };
  }

  /** Slack need not wait for what only decorates. */
  #inBackground(problem: string, work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#parts.log.warn(
        { platform: "slack", problem: refusalOf(error) ?? "unclear", err: error },
        problem,
      );
    });
  }
}

interface HomeOpened {
  readonly user: string;
  readonly channel: string;
  readonly tab?: string;
}

interface MemberJoined {
  readonly user: string;
  readonly channel: string;
  readonly inviter?: string;
}

interface SessionRenamed {
  readonly user: string;
  readonly channel: string;
  readonly thread_ts: string;
}
