import type { Log } from "#ports/log";
import type { SlackApi } from "./api.ts";
import { refusalOf } from "./failures.ts";

const keepGroupMs = 10 * 60_000;

/** Who may use the bot, and where. Empty lists let everybody, everywhere. */
export interface SlackPolicy {
  /** Ids of people (`U…`, `W…`) and of user groups (`S…`). */
  readonly allowedUsers: readonly string[];
  /** Ids of channels; direct messages are no channels. */
  readonly allowedChannels: readonly string[];
  /** People of other organisations in shared channels. */
  readonly allowsExternal: boolean;
  /** True: in threads, too, the bot answers only who mentions it. */
  readonly needsMention: boolean;
}

/** Looks people up in the lists. */
export class Policy {
  readonly #policy: SlackPolicy;
  readonly #api: SlackApi;
  readonly #teamId: string;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #groups = new Map<
    string,
    { readonly users: readonly string[]; readonly untilMs: number }
  >();

  constructor(parts: {
    readonly policy: SlackPolicy;
    readonly api: SlackApi;
    readonly teamId: string;
    readonly log: Log;
    readonly now: () => number;
  }) {
    this.#policy = parts.policy;
    this.#api = parts.api;
    this.#teamId = parts.teamId;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  get needsMention(): boolean {
    return this.#policy.needsMention;
  }

  /** Words why somebody may not use the bot there; undefined when they may. */
  async refusalOf(who: {
    readonly user: string;
    readonly userTeam: string;
    readonly channel: string;
    readonly isDirect: boolean;
  }): Promise<string | undefined> {
    const { allowsExternal, allowedChannels, allowedUsers } = this.#policy;
    if (!allowsExternal && who.userTeam !== this.#teamId) {
      return "I answer only people of this organisation here.";
    }
    if (!who.isDirect && allowedChannels.length > 0 && !allowedChannels.includes(who.channel)) {
      return "I may not answer in this channel. An admin can allow it.";
    }
    if (allowedUsers.length === 0 || allowedUsers.includes(who.user)) return undefined;
    for (const group of allowedUsers.filter((id) => id.startsWith("S"))) {
      if ((await this.#members(group)).includes(who.user)) return undefined;
    }
    return "You are not among the people I may answer. An admin can add you.";
  }

  async #members(group: string): Promise<readonly string[]> {
    const known = this.#groups.get(group);
    if (known && known.untilMs > this.#now()) return known.users;
    try {
      const { users } = await this.#api.call("usergroups.users.list", { usergroup: group });
      const found = { users: users as readonly string[], untilMs: this.#now() + keepGroupMs };
      this.#groups.set(group, found);
      return found.users;
    } catch (error) {
      const problem = refusalOf(error) ?? "unclear";
      this.#log.warn(
        { platform: "slack", problem, action: "usergroups.users.list" },
        "group not read",
      );
      // An old list is better than locking everybody out.
      return known?.users ?? [];
    }
  }
}
