import { within } from "#domain/promises";
import type { SlackApi } from "./api.ts";
import type { KnownNames } from "./inbound.ts";

const keepMs = 60 * 60_000;
const mostKept = 5_000;
/** Of a minute's look-ups of channels, those that are not for names. */
const lookUpsKept = 40;
/** Slack wants to be answered within three seconds, so a name that takes longer is left out. */
const patienceMs = 1_200;

interface UserFacts {
  /** Their own workspace; undefined when nobody said. */
  readonly teamId: string | undefined;
  readonly name: string;
  readonly isAdmin: boolean;
}

interface Kept<T> {
  readonly value: Promise<T>;
  readonly untilMs: number;
}

/** Names of people and channels, and who is an admin; asked once an hour. Never fails: an id stands in. */
export class Names {
  readonly #api: SlackApi;
  readonly #now: () => number;
  readonly #users = new Map<string, Kept<UserFacts>>();
  readonly #channels = new Map<string, Kept<string>>();

  constructor(api: SlackApi, now: () => number) {
    this.#api = api;
    this.#now = now;
  }

  user(id: string): Promise<UserFacts> {
    return this.#kept(
      this.#users,
      id,
      { name: id, isAdmin: false, teamId: undefined },
      async () => {
        const { user } = await this.#api.call("users.info", { user: id });
        const { profile, real_name, name, is_admin, is_owner, team_id } = user as SlackUser;
        const shown = profile?.display_name || profile?.real_name || real_name || name || id;
        const isAdmin = is_admin === true || is_owner === true;
        return { name: shown, isAdmin, teamId: team_id };
      },
    );
  }

  channel(id: string): Promise<string> {
    const isKnown = this.#channels.has(id);
    // In a rush the calls are needed for more than names: an id stands in until the next message.
    if (!isKnown && this.#api.budget.available("conversations.info") < lookUpsKept) {
      return Promise.resolve(id);
    }
    return this.#kept(this.#channels, id, id, async () => {
      const { channel } = await this.#api.call("conversations.info", { channel: id });
      const { name } = channel as { readonly name?: string };
      // Slack calls groups after everybody in them: mpdm-ada--grace-1.
      return name?.startsWith("mpdm-") ? "group message" : (name ?? id);
    });
  }

  /** The names of all of these, for turning texts into readable ones. */
  async known(ids: {
    readonly users: readonly string[];
    readonly channels: readonly string[];
  }): Promise<KnownNames> {
    const users = new Map<string, string>();
    const channels = new Map<string, string>();
    await Promise.all([
      ...ids.users.map(async (id) => users.set(id, (await this.user(id)).name)),
      ...ids.channels.map(async (id) => channels.set(id, await this.channel(id))),
    ]);
    return { user: (id) => users.get(id) ?? id, channel: (id) => channels.get(id) ?? id };
  }

  async #kept<T>(
    kept: Map<string, Kept<T>>,
    id: string,
    otherwise: T,
    ask: () => Promise<T>,
  ): Promise<T> {
    const known = kept.get(id);
    if (known && known.untilMs > this.#now()) {
      return within(patienceMs, known.value, () => otherwise);
    }
    if (kept.size >= mostKept) kept.clear();
    const value = ask().catch(() => {
      // Asked again for the next message; this one goes without.
      kept.delete(id);
      return otherwise;
    });
    kept.set(id, { value, untilMs: this.#now() + keepMs });
    return within(patienceMs, value, () => otherwise);
  }
}

interface SlackUser {
  readonly team_id?: string;
  readonly name?: string;
  readonly real_name?: string;
  readonly is_admin?: boolean;
  readonly is_owner?: boolean;
  readonly profile?: { readonly display_name?: string; readonly real_name?: string };
}
