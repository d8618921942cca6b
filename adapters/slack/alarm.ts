/** Does `work` once after so many milliseconds; the answer calls it off. */
export type Alarm = (ms: number, work: () => void) => () => void;

/** The machine's own time; nothing that waits for it keeps the process alive. */
export const systemAlarm: Alarm = (ms, work) => {
  const timer = setTimeout(work, ms);
  timer.unref();
  return () => clearTimeout(timer);
};
