import { z } from "zod";
import { defineTool } from "./define-tool.ts";

/** The date and time now, in any time zone. */
export const currentTime = defineTool({
  name: "current_time",
  title: "Looking at the clock",
  description:
    "Gives the current date, time, weekday and UTC offset in a time zone. Use it whenever an answer depends on today's date or the time.",
  schema: z.object({
    time_zone: z
      .string()
      .max(64)
      .optional()
      .describe("An IANA time zone like `Europe/Berlin`; UTC when left out."),
  }),
  idempotent: true,
  timeoutMs: 5_000,
  run({ time_zone: timeZone = "UTC" }, context) {
    const now = context.now();
    const parts = partsOf(now, timeZone);
    if (!parts) {
      return `There is no time zone \`${timeZone}\`. Use an IANA name like Europe/Berlin, America/New_York or UTC.`;
    }
    return JSON.stringify({ ...parts, utc: now.toISOString() });
  },
});

function partsOf(now: Date, timeZone: string) {
  try {
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone,
      weekday: "long",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
      timeZoneName: "longOffset",
    });
    const parts = new Map(format.formatToParts(now).map(({ type, value }) => [type, value]));
    return {
      time_zone: format.resolvedOptions().timeZone,
      date: `${parts.get("year")}-${parts.get("month")}-${parts.get("day")}`,
      time: `${parts.get("hour")}:${parts.get("minute")}:${parts.get("second")}`,
      weekday: parts.get("weekday"),
      // "GMT" alone is UTC itself.
      utc_offset: parts.get("timeZoneName")?.replace("GMT", "") || "+00:00",
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
