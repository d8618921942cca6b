import type { DiscordChannel, DiscordServer } from "./discord-server.ts";

/**
 * Has Discord recommend so many shards. Gives a channel on each, of as many servers more as it takes:
 * a server's shard is told by the time in its id (docs.discord.com, events/gateway#sharding).
 */
export async function channelOnEachShard(
  discord: DiscordServer,
  shards: number,
): Promise<readonly DiscordChannel[]> {
  discord.gateway.settings.shards = shards;
  const channels = new Map<number, DiscordChannel>();
  for (let guild = discord.guild; ; guild = discord.addGuild("another")) {
    const shard = Number((BigInt(guild.id) >> 22n) % BigInt(shards));
    if (!channels.has(shard)) channels.set(shard, discord.addChannel("general", { guild }));
    if (channels.size === shards) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return [...channels].toSorted(([one], [other]) => one - other).map(([, channel]) => channel);
}
