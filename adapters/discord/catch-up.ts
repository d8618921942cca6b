import { setTimeout as wait } from "node:timers/promises";
import { type Client, PermissionFlagsBits, type TextBasedChannel } from "discord.js";
import type { Log } from "#ports/log";
import type { Arrivals } from "./arrivals.ts";
import { refusalOf } from "./failures.ts";
import type { Since } from "./marks.ts";

/** How many of a channel's newest messages are looked at; one request. */
const mostMessages = 100;
/** Ten requests a second leave most of Discord's fifty to the replies. */
const pauseMs = 100;

/** What catching up works with. */
export interface CatchUpParts {
  readonly arrivals: Arrivals;
  readonly log: Log;
}

/**
 * Reads what was said while nobody listened: the gateway never tells it again. Channels in which
 * nothing was said since are not asked for. What was dealt with already is recognised by its id.
 * Their place in the order of each channel is taken at once, before anything new arrives there.
 * Throws when some channel could not be read: it has to be looked at again at the next start.
 */
export function catchUp(
  client: Client<true>,
  missed: {
    readonly since: Since;
    /** Undefined: the servers of every shard. */
    readonly shardId?: number;
    readonly guildId?: string;
    readonly directChannels: readonly string[];
  },
  parts: CatchUpParts,
): Promise<void> {
  const { log } = parts;
  const { since } = missed;
  const channels = channelsToRead(client, missed);
  let slot = Promise.resolve();
  const nextSlot = () => {
    const mine = slot;
    slot = slot.then(() => wait(pauseMs, undefined, { ref: false }));
    return mine;
  };
  const reads = [
    ...channels.map(({ channel, guildId }) =>
      read(channel.id, async () => channel, { since: since.of(guildId), nextSlot, ...parts }),
    ),
    ...missed.directChannels.map((id) =>
      read(id, () => directChannel(client, id, since.of(null)), {
        since: since.of(null),
        nextSlot,
        ...parts,
      }),
    ),
  ];
  return Promise.all(reads).then((found) => {
    const messages = found.reduce<number>((sum, count) => sum + (count ?? 0), 0);
    log.info({ platform: "discord", channels: reads.length, messages }, "missed messages read");
    const unread = found.filter((count) => count === undefined).length;
    if (unread > 0) throw new Error(`${unread} channels could not be read back`);
  });
}

function channelsToRead(
  client: Client<true>,
  missed: { readonly since: Since; readonly shardId?: number; readonly guildId?: string },
): readonly { readonly channel: TextBasedChannel; readonly guildId: string }[] {
  const { since, shardId, guildId } = missed;
  return client.guilds.cache
    .filter((guild) => shardId === undefined || guild.shardId === shardId)
    .filter(({ id }) => guildId === undefined || id === guildId)
    .flatMap((guild) => guild.channels.cache)
    .filter((channel) => channel.isTextBased())
    .filter((channel) => isNewer(channel.lastMessageId, since.of(channel.guildId)))
    .filter((channel) => {
      const mine = channel.permissionsFor(client.user);
      const { ViewChannel, ReadMessageHistory } = PermissionFlagsBits;
      return mine?.has([ViewChannel, ReadMessageHistory]) ?? false;
    })
    .map((channel) => ({ channel, guildId: channel.guildId }));
}

/** A direct conversation, when something was said there since; asked for, because no event tells it. */
async function directChannel(
  client: Client<true>,
  id: string,
  since: string,
): Promise<TextBasedChannel | undefined> {
  // What is remembered of it may be from before the gap.
  const channel = await client.channels.fetch(id, { force: true });
  if (!channel?.isTextBased() || !("lastMessageId" in channel)) return undefined;
  const { lastMessageId } = channel;
  return isNewer(lastMessageId, since) ? channel : undefined;
}

/** How many messages were found; undefined: not everything could be read or stored. */
async function read(
  id: string,
  find: () => Promise<TextBasedChannel | undefined>,
  parts: CatchUpParts & { readonly since: string; readonly nextSlot: () => Promise<void> },
): Promise<number | undefined> {
  const { arrivals, log, nextSlot, since } = parts;
  return arrivals.inOrder(id, async () => {
    try {
      await nextSlot();
      const channel = await find();
      if (!channel) return 0;
      const newest = await channel.messages.fetch({ limit: mostMessages, cache: false });
      const missed = [...newest.values()].filter((one) => isNewer(one.id, since)).reverse();
      let isStored = true;
      for (const message of missed) {
        if (!(await arrivals.found(message))) isStored = false;
      }
      return isStored ? missed.length : undefined;
    } catch (error) {
      const problem = refusalOf(error);
      log.warn(
        { platform: "discord", channel: id, problem: problem ?? String(error) },
        "not caught up",
      );
      // A refusal stays one: there is nothing to come back for.
      return problem === undefined ? undefined : 0;
    }
  });
}

/** Channels in which nothing was ever said have no id. */
function isNewer(id: string | null | undefined, than: string): boolean {
  return id !== null && id !== undefined && BigInt(id) > BigInt(than);
}
