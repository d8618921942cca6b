import type { Log } from "./ports/log.ts";

/** Resolves at the first signal to end; the second one ends the process at once. */
export function nextSignal(log: Log): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let isEnding = false;
  const take = (signal: NodeJS.Signals) => {
    if (isEnding) {
      log.warn({ signal }, "stopped at once");
      process.exit(1);
    }
    isEnding = true;
    resolve(signal);
  };
  process.on("SIGTERM", take);
  process.on("SIGINT", take);
  return promise;
}
