import { type Channel, PermissionFlagsBits, type PermissionsBitField } from "discord.js";
import type { Person, Place } from "#domain/conversation";
import type { Role } from "#domain/settings";
import { type DiscordTarget, personOf, placeOf } from "./inbound.ts";
import { nameIn } from "./mentions.ts";

/** Where somebody is, and who they are. */
export interface Presence {
  readonly place: Place;
  readonly person: Person;
  readonly role: Role;
}

/** The channel that settings hang on: a thread's parent, or the channel itself. */
export function homeOf(
  channel: Channel | { readonly id: string; readonly parentId?: string | null },
): {
  readonly id: string;
  readonly name: string;
} {
  const isThread = "isThread" in channel && channel.isThread();
  const home = isThread ? (channel.parent ?? { id: channel.parentId ?? channel.id }) : channel;
  return { id: home.id, name: nameIn(home) ?? home.id };
}

/**
 * What somebody may configure. Who runs the application is the bot's admin; who may manage the
 * server manages its channels; everybody else is a person.
 */
export function roleOf(
  userId: string,
  permissions: Readonly<PermissionsBitField> | null,
  ownerIds: readonly string[],
): Role {
  if (ownerIds.includes(userId)) return "admin";
  // Administrators have every right.
  return permissions?.has(PermissionFlagsBits.ManageGuild) ? "manager" : "person";
}

/** Somebody in a place, in the bot's words. */
export function presenceOf(at: {
  readonly target: DiscordTarget;
  readonly home: { readonly id: string; readonly name: string };
  readonly root: string;
  readonly name: string;
  readonly role: Role;
}): Presence {
  const { target, home, root, name, role } = at;
  return {
    place: placeOf({ target, home: home.id, homeName: home.name, root }),
    person: personOf(target.user, name),
    role,
  };
}
