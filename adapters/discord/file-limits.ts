import { GuildPremiumTier, type RESTGetAPIGuildResult, Routes } from "discord.js";
import { failureOf } from "./failures.ts";
import type { PacedApi } from "./paced-api.ts";

const mebibyte = 1024 * 1024;
const usualBytes = 10 * mebibyte;
/** How long a server's tier that was asked for is believed. */
const keepMs = 60 * 60_000;
const mostKept = 5_000;

interface FileLimitParts {
  readonly api: PacedApi;
  /** What the gateway has told of a server; undefined where it told nothing. */
  readonly tierOf: (guild: string) => GuildPremiumTier | undefined;
  readonly now: () => number;
}

/** How large a file may be in each server (support.discord.com, Server Boosting). */
export class FileLimits {
  readonly #parts: FileLimitParts;
  readonly #asked = new Map<
    string,
    { readonly tier: GuildPremiumTier; readonly untilMs: number }
  >();

  constructor(parts: FileLimitParts) {
    this.#parts = parts;
  }

  /** In bytes; `null` is a direct message. Never throws: what cannot be asked has no boosts. */
  async of(guild: string | null): Promise<number> {
    if (guild === null) return usualBytes;
    switch (this.#parts.tierOf(guild) ?? (await this.#ask(guild))) {
      case GuildPremiumTier.Tier3:
        return 100 * mebibyte;
      case GuildPremiumTier.Tier2:
        return 50 * mebibyte;
      default:
        return usualBytes;
    }
  }

  async #ask(guild: string): Promise<GuildPremiumTier> {
    const { api, now } = this.#parts;
    const known = this.#asked.get(guild);
    if (known && known.untilMs > now()) return known.tier;
    try {
      const found = (await api.call({
        method: "GET",
        route: Routes.guild(guild),
        kind: "other",
        isRepeatable: true,
      })) as RESTGetAPIGuildResult;
      if (this.#asked.size >= mostKept) this.#asked.clear();
      this.#asked.set(guild, { tier: found.premium_tier, untilMs: now() + keepMs });
      return found.premium_tier;
    } catch (error) {
      if (!failureOf(error)) throw error;
      return GuildPremiumTier.None;
    }
  }
}
