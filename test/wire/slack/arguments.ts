import { isObject, type JsonObject, parsed } from "./json.ts";
import { refuse } from "./refusal.ts";

/**
 * The arguments of one Web API call, read by name. Forms carry lists and objects as JSON in a
 * string; JSON bodies carry them as they are. What no method reads is listed by {@link unread}.
 */
export class Arguments {
  readonly #values: JsonObject;
  readonly #read = new Set<string>(["token", "team_id"]);

  constructor(values: JsonObject) {
    this.#values = values;
  }

  /** What was sent, JSON in strings opened: for records and assertions. */
  get all(): JsonObject {
    return Object.fromEntries(
      Object.entries(this.#values).map(([name, value]) => [name, opened(value)]),
    );
  }

  has(name: string): boolean {
    return this.#take(name) !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined || value === null) return undefined;
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    return refuse("invalid_arguments", `must be a string: ${name}`);
  }

  /** A text that must be there, not empty. */
  requiredText(name: string): string {
    const value = this.text(name);
    if (value) return value;
    return refuse("invalid_arguments", `missing required field: ${name}`);
  }

  flag(name: string): boolean {
    const value = this.#take(name);
    return value === true || value === "true" || value === "1";
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined || value === "") return undefined;
    if (!/^-?\d+$/.test(value)) refuse("invalid_arguments", `must be an integer: ${name}`);
    return Number(value);
  }

  /** A list of objects; refused with `code` when it is something else. */
  objects(name: string, code = "invalid_arguments"): readonly JsonObject[] | undefined {
    const value = this.#take(name);
    if (value === undefined || value === null || value === "") return undefined;
    const list = opened(value);
    if (!Array.isArray(list) || !list.every(isObject)) {
      return refuse(code, `must be a list of objects: ${name}`);
    }
    return list;
  }

  texts(name: string): readonly string[] | undefined {
    const value = this.#take(name);
    if (value === undefined || value === null || value === "") return undefined;
    const list = opened(value);
    if (Array.isArray(list)) return list.map(String);
    return String(value).split(",");
  }

  object(name: string, code = "invalid_arguments"): JsonObject | undefined {
    const value = this.#take(name);
    if (value === undefined || value === null || value === "") return undefined;
    const found = opened(value);
    if (!isObject(found)) return refuse(code, `must be an object: ${name}`);
    return found;
  }

  /** Names that were sent and that the method does not know. */
  unread(): readonly string[] {
    return Object.keys(this.#values).filter((name) => !this.#read.has(name));
  }

  #take(name: string): unknown {
    this.#read.add(name);
    return this.#values[name];
  }
}

function opened(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  return parsed(value) ?? value;
}
