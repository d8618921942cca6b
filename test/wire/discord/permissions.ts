import { PermissionFlagsBits } from "discord-api-types/v10";
import type { DiscordChannel, DiscordGuild } from "./model.ts";
import { type DiscordRefusal, refusalOf } from "./refusal.ts";

/** A permission by Discord's own name. */
export type PermissionName = keyof typeof PermissionFlagsBits;

export const allPermissions: bigint = Object.values(PermissionFlagsBits).reduce(
  (sum, bit) => sum | bit,
  0n,
);

/** The bits of some permissions. */
export function bitsOf(names: readonly PermissionName[]): bigint {
  return names.reduce((sum, name) => sum | PermissionFlagsBits[name], 0n);
}

/** What everybody may do in a fresh guild. */
export const everyonePermissions: readonly PermissionName[] = [
  "ViewChannel",
  "SendMessages",
  "SendMessagesInThreads",
  "CreatePublicThreads",
  "CreatePrivateThreads",
  "ReadMessageHistory",
  "EmbedLinks",
  "AttachFiles",
  "AddReactions",
  "UseApplicationCommands",
];

/**
 * What a member may do in a channel: roles, then the overwrites of everyone, of roles and of the
 * member (docs.discord.com/developers/topics/permissions). A thread takes its parent's.
 */
export function permissionsIn(
  guild: DiscordGuild,
  channel: DiscordChannel,
  userId: string,
): bigint {
  const member = guild.members.get(userId);
  if (!member) return 0n;
  if (guild.ownerId === userId) return allPermissions;
  const roles = [guild.id, ...member.roleIds];
  const base = roles.reduce((sum, id) => sum | (guild.roles.get(id)?.permissions ?? 0n), 0n);
  if ((base & PermissionFlagsBits.Administrator) !== 0n) return allPermissions;
  const everyone = channel.overwrites.get(guild.id);
  const ofRoles = [...member.roleIds].flatMap((id) => channel.overwrites.get(id) ?? []);
  const own = channel.overwrites.get(userId);
  let result = (base & ~(everyone?.deny ?? 0n)) | (everyone?.allow ?? 0n);
  result &= ~ofRoles.reduce((sum, { deny }) => sum | deny, 0n);
  result |= ofRoles.reduce((sum, { allow }) => sum | allow, 0n);
  result = (result & ~(own?.deny ?? 0n)) | (own?.allow ?? 0n);
  return (result & PermissionFlagsBits.ViewChannel) === 0n ? 0n : result;
}

/** The refusal a missing permission gets: no access at all, or not this. */
export function refusalFor(name: PermissionName): DiscordRefusal {
  return refusalOf(name === "ViewChannel" ? "missingAccess" : "missingPermissions");
}
