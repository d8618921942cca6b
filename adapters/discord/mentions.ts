import type { Message } from "discord.js";

/** Discord's own marks in a text, with ids where people see names. */
const marks =
  /<@!?(?<user>\d+)>|<@&(?<role>\d+)>|<#(?<channel>\d+)>|<a?:(?<emoji>\w+):\d+>|<t:(?<time>-?\d+)(?::[a-zA-Z])?>|<\/(?<command>[^:>]+):\d+>/g;

/** A text as people read it: ids of people, roles and channels are names. Code is left alone. */
export function readable(text: string, message: Message): string {
  return text
    .split(/(```[\s\S]*?```|`[^`\n]*`)/)
    .map((piece, index) => (index % 2 === 1 ? piece : withNames(piece, message)))
    .join("");
}

function withNames(text: string, { client, guild, mentions }: Message): string {
  return text.replace(marks, (mark, ...rest) => {
    const found = rest.at(-1) as { readonly [kind: string]: string | undefined };
    const { user, role, channel, emoji, time, command } = found;
    if (user !== undefined) {
      const member = guild?.members.cache.get(user) ?? mentions.members?.get(user);
      const known = member ?? mentions.users.get(user) ?? client.users.cache.get(user);
      return known ? `@${known.displayName}` : "@somebody";
    }
    if (role !== undefined) return `@${guild?.roles.cache.get(role)?.name ?? "a role"}`;
    if (channel !== undefined) {
      const known = guild?.channels.cache.get(channel) ?? client.channels.cache.get(channel);
      return `#${(known && nameIn(known)) ?? "a channel"}`;
    }
    if (emoji !== undefined) return `:${emoji}:`;
    if (time !== undefined) return timeOf(Number(time)) ?? mark;
    return `/${command ?? ""}`;
  });
}

/** The name of what has one. */
export function nameIn(named: object): string | undefined {
  return "name" in named && typeof named.name === "string" ? named.name : undefined;
}

function timeOf(seconds: number): string | undefined {
  const date = new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
