import { type DestinationStream, type Logger, pino } from "pino";
import type { Log } from "#ports/log";
import { createRedaction, type Redaction } from "./redaction.ts";

/** How a {@link Log} is made. */
export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** Values that must not appear anywhere, wherever they came from. */
  readonly secrets?: readonly string[];
  /** Where the lines go; standard output when left out. */
  readonly destination?: DestinationStream;
}

/** JSON lines by pino: `{"level":"info","time":"…","msg":"run ended","run":"run_…"}`. */
export function createLog({ level, secrets = [], destination }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Errors are taken apart by the redaction, before pino sees them.
      serializers: {},
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
  return toLog(logger, createRedaction(secrets));
}

function toLog(logger: Logger, redact: Redaction): Log {
  return {
    debug: (fields, event) => {
      if (logger.isLevelEnabled("debug")) logger.debug(redact.fields(fields), redact.text(event));
    },
    info: (fields, event) => {
      if (logger.isLevelEnabled("info")) logger.info(redact.fields(fields), redact.text(event));
    },
    warn: (fields, event) => {
      if (logger.isLevelEnabled("warn")) logger.warn(redact.fields(fields), redact.text(event));
    },
    error: (fields, event) => {
      if (logger.isLevelEnabled("error")) logger.error(redact.fields(fields), redact.text(event));
    },
    child: (fields) => toLog(logger.child(redact.fields(fields)), redact),
  };
}
