import { type APIGuildMember, RESTJSONErrorCodes, Routes } from "discord.js";
import type { Log } from "#ports/log";
import { refusalOf } from "./failures.ts";
import type { PacedApi } from "./paced-api.ts";

/** Who belongs to a server, and with which roles, is asked again after this. */
const keepMemberMs = 10 * 60_000;
const mostKept = 5_000;

/** Who may use the bot, and where. Empty lists let everybody, everywhere. All are Discord's ids. */
export interface DiscordPolicy {
  /** Servers. Members of one of them may write directly. */
  readonly allowedGuilds: readonly string[];
  /** Channels; their threads are meant with them. Direct messages are no channels. */
  readonly allowedChannels: readonly string[];
  /** People with one of these roles, or named in `allowedUsers`. */
  readonly allowedRoles: readonly string[];
  readonly allowedUsers: readonly string[];
}

/** Somebody somewhere. */
export interface Whereabouts {
  readonly userId: string;
  /** Null in direct messages. */
  readonly guildId: string | null;
  /** The channel and, for a thread, its parent. */
  readonly channelIds: readonly string[];
  /** What the event tells of the person's roles; undefined where it tells nothing. */
  readonly roleIds: readonly string[] | undefined;
}

/** What people are looked up with. */
export interface PolicyParts {
  readonly policy: DiscordPolicy;
  readonly api: PacedApi;
  /** The servers the bot is in, whoever hears them. */
  readonly guilds: () => Promise<readonly string[]>;
  readonly log: Log;
  readonly now: () => number;
}

interface Kept {
  readonly roleIds: readonly string[] | undefined;
  readonly untilMs: number;
}

/** Looks people up in the lists. */
export class Policy {
  readonly #policy: DiscordPolicy;
  readonly #parts: PolicyParts;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #members = new Map<string, Kept>();

  constructor(parts: PolicyParts) {
    this.#parts = parts;
    this.#policy = parts.policy;
    this.#log = parts.log;
    this.#now = parts.now;
  }

  /** Words why somebody may not use the bot there; undefined when they may. */
  async refusalOf(who: Whereabouts): Promise<string | undefined> {
    const { allowedChannels, allowedGuilds, allowedRoles, allowedUsers } = this.#policy;
    const { guildId } = who;
    if (guildId !== null) {
      if (allowedGuilds.length > 0 && !allowedGuilds.includes(guildId)) {
        return "I may not answer on this server. Who runs me can allow it.";
      }
      const isHere = who.channelIds.some((id) => allowedChannels.includes(id));
      if (allowedChannels.length > 0 && !isHere) {
        return "I may not answer in this channel. Who runs me can allow it.";
      }
    } else if (allowedGuilds.length > 0 && !(await this.#isMemberOfAny(who.userId))) {
      return "I answer only members of the servers I was set up for.";
    }
    const isOpen = allowedRoles.length === 0 && allowedUsers.length === 0;
    if (isOpen || allowedUsers.includes(who.userId)) return undefined;
    const roles = allowedRoles.length === 0 ? [] : await this.#rolesOf(who);
    if (roles.some((id) => allowedRoles.includes(id))) return undefined;
    return "You are not among the people I may answer. Who runs me can add you.";
  }

  async #isMemberOfAny(userId: string): Promise<boolean> {
    for (const guildId of await this.#knownGuilds()) {
      if ((await this.#member(guildId, userId)) !== undefined) return true;
    }
    return false;
  }

  /** In a server the roles there; in direct messages those of every server that counts. */
  async #rolesOf({ guildId, roleIds, userId }: Whereabouts): Promise<readonly string[]> {
    if (guildId !== null) return roleIds ?? (await this.#member(guildId, userId)) ?? [];
    const all: string[] = [];
    for (const id of await this.#knownGuilds())
      all.push(...((await this.#member(id, userId)) ?? []));
    return all;
  }

  async #knownGuilds(): Promise<readonly string[]> {
    const { allowedGuilds } = this.#policy;
    const present = await this.#parts.guilds();
    return allowedGuilds.length > 0 ? present.filter((id) => allowedGuilds.includes(id)) : present;
  }

  /** The roles of a member; undefined: no member. Asked over REST, which needs no intent. */
  async #member(guildId: string, userId: string): Promise<readonly string[] | undefined> {
    const key = `${guildId}/${userId}`;
    const known = this.#members.get(key);
    if (known && known.untilMs > this.#now()) return known.roleIds;
    try {
      const roleIds = await this.#ask(guildId, userId);
      if (this.#members.size >= mostKept) this.#members.clear();
      this.#members.set(key, { roleIds, untilMs: this.#now() + keepMemberMs });
      return roleIds;
    } catch (error) {
      const problem = refusalOf(error) ?? "unclear";
      this.#log.warn({ platform: "discord", guild: guildId, problem }, "member not read");
      // What was known is better than locking people out; it is asked again the next time.
      return known?.roleIds;
    }
  }

  async #ask(guildId: string, userId: string): Promise<readonly string[] | undefined> {
    try {
      const member = (await this.#parts.api.call({
        method: "GET",
        route: Routes.guildMember(guildId, userId),
        kind: "other",
        isRepeatable: true,
      })) as APIGuildMember;
      // Everybody has the role that is named as the server.
      return [guildId, ...member.roles];
    } catch (error) {
      if (refusalOf(error) === RESTJSONErrorCodes.UnknownMember) return undefined;
      throw error;
    }
  }
}
