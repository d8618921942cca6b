import type { Interaction, RepliableInteraction } from "discord.js";
import type { Policy } from "./policy.ts";
import { homeOf, type Presence, presenceOf, roleOf } from "./presence.ts";
import type { Answering } from "./responses.ts";

/** Discord does not say in which thread a command is typed outside of one: nothing hangs on this. */
const noThread = "0";

/** Who interacts, from where, and whether they may. */
export class Visits {
  readonly #policy: Policy;
  readonly #ownerIds: readonly string[];

  constructor(parts: { readonly policy: Policy; readonly ownerIds: readonly string[] }) {
    this.#policy = parts.policy;
    this.#ownerIds = parts.ownerIds;
  }

  presence(interaction: Interaction): Presence {
    const { channel, guildId, user } = interaction;
    const channelId = interaction.channelId ?? "";
    const home = channel ? homeOf(channel) : { id: channelId, name: channelId };
    return presenceOf({
      target: {
        guild: guildId,
        channel: channelId,
        message: noThread,
        thread: null,
        user: user.id,
      },
      home,
      root: channel?.isThread() ? channelId : noThread,
      name: nameOf(interaction),
      role: roleOf(user.id, interaction.memberPermissions, this.#ownerIds),
    });
  }

  /** True: they may not, and were told so. */
  async isRefused(interaction: RepliableInteraction, answering: Answering): Promise<boolean> {
    const { channel, channelId, guildId, member, user } = interaction;
    const words = await this.#policy.refusalOf({
      userId: user.id,
      guildId,
      channelIds: [channelId ?? "", channel ? homeOf(channel).id : ""],
      roleIds: rolesOf(member),
    });
    if (words === undefined) return false;
    await answering.say({ text: words });
    return true;
  }
}

/** Unique per interaction. */
export function eventIdOf({ id }: Interaction): string {
  return `discord:interaction:${id}`;
}

/** True where a command is about the conversation it is typed in. */
export function knowsThread({ channel, guildId }: Interaction): boolean {
  return guildId === null || (channel?.isThread() ?? false);
}

/** The name somebody has on the server. */
export function nameOf({ member, user }: Interaction): string {
  if (member && "displayName" in member) return member.displayName;
  return member && "nick" in member && member.nick ? member.nick : user.displayName;
}

function rolesOf(member: Interaction["member"]): readonly string[] | undefined {
  if (!member) return undefined;
  return Array.isArray(member.roles) ? member.roles : [...member.roles.cache.keys()];
}
