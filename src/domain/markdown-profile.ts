import { drawMaths } from "#domain/maths";
import { drawTable, type Table } from "#domain/table-drawing";

/**
 * How much one message of a platform may show, how it counts, and what it cannot show as written.
 */
export interface SplitProfile {
  /** The most one part may measure; at least 16. Infinity: everything is one part. */
  readonly limit: number;
  /** The size of a text in the platform's unit. Has to be additive over code points. */
  readonly measure: (text: string) => number;
  /** How many tables one part may hold. */
  readonly tablesPerPart: number;
  /** How many rows of a table one part may hold, the header not counted. Default: what fits. */
  readonly rowsPerTable?: number;
  /**
   * True where what was shown cannot be taken back (a native stream): a part is then cut where
   * the text shown so far ends or later, never earlier.
   */
  readonly appendOnly: boolean;
  /** Draws a table in Markdown the platform understands; undefined leaves it as written. */
  readonly drawTable?: (table: Table) => string | undefined;
  /** Draws maths (without its delimiters) in Markdown; `block` when it stands on lines of its own. */
  readonly drawMaths?: (source: string, place: "inline" | "block") => string;
  /** True where only three backticks fence code: other fences are rewritten, and those inside defused. */
  readonly plainFences?: boolean;
}

/** The smallest limit a profile may have: room for a fence and something in it. */
export const smallestLimit = 16;

const countUnits = (text: string) => text.length;

/** The bot's own console: no limit, tables and maths are typeset there. */
const consoleProfile: SplitProfile = {
  limit: Number.POSITIVE_INFINITY,
  measure: countUnits,
  tablesPerPart: Number.POSITIVE_INFINITY,
  appendOnly: false,
};

/**
 * Discord: 2,000 characters a message, in a unit that is not documented, so 1,900 UTF-16 units.
 * It has no tables, no maths, and no fences but three backticks.
 */
export const discordProfile: SplitProfile = {
  limit: 1900,
  measure: countUnits,
  tablesPerPart: Number.POSITIVE_INFINITY,
  appendOnly: false,
  drawTable,
  drawMaths,
  plainFences: true,
};

/**
 * A natively streamed Slack message: refused somewhere above 10,600 UTF-8 bytes (measured by
 * several projects), so 9,000, of which task cards take their weight. One table a message, and
 * 100 rows a table (docs.slack.dev/reference/block-kit/blocks/table-block).
 */
export const slackStreamProfile: SplitProfile = {
  limit: 9000,
  measure: utf8Length,
  tablesPerPart: 1,
  rowsPerTable: 100,
  appendOnly: true,
  drawMaths,
};

/** Plain splitting by UTF-16 units, nothing drawn differently. */
export function profileOf(limit: number): SplitProfile {
  return { ...consoleProfile, limit };
}

/** The same profile with less room: something else in the message takes `used` of it. */
export function withLess(profile: SplitProfile, used: number): SplitProfile {
  return { ...profile, limit: Math.max(smallestLimit, profile.limit - used) };
}

/** Bytes of a text in UTF-8; a lone surrogate counts as its replacement character. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (isHigh(unit) && isLow(text.charCodeAt(i + 1))) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
