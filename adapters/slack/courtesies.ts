import type { Log } from "#ports/log";
import type { SlackApi } from "./api.ts";
import { isAbsent, refusalOf } from "./failures.ts";

/** What somebody may do without: marks, titles, states, prompts. Nothing here ever fails. */
export class Courtesies {
  readonly #api: SlackApi;
  readonly #log: Log;
  /** Methods this workspace or this app does not have: asked once, said once. */
  readonly #absent = new Set<string>();

  constructor(api: SlackApi, log: Log) {
    this.#api = api;
    this.#log = log;
  }

  /** How many calls could be made at once; none of what is not there. */
  available(method: string): number {
    return this.#absent.has(method) ? 0 : this.#api.budget.available(method);
  }

  /** Makes the call when there is room for it. False: it was not carried out. */
  async try(method: string, args: Readonly<Record<string, unknown>>): Promise<boolean> {
    if (this.#absent.has(method)) return false;
    try {
      await this.#api.call(method, args, { priority: "decoration" });
      return true;
    } catch (error) {
      const problem = refusalOf(error) ?? "unclear";
      const fields = { platform: "slack", action: method, problem };
      if (isAbsent(problem) && !this.#absent.has(method)) {
        this.#absent.add(method);
        this.#log.warn(fields, "not there, done without from now on");
      } else this.#log.debug(fields, "done without");
      return false;
    }
  }
}
