import { isObject } from "#domain/json";
/** One environment variable: how it is read, and what an admin reads about it. */
export interface Variable<Value> {
  /** The heading it stands under in `.env.example` and the README. */
  readonly group: VariableGroup;
  /** What it is for, in one or two plain sentences. */
  readonly help: string;
  /** A safe value to copy; also what the fix of a bad value shows. */
  readonly sample: string;
  /** What holds when it is not set, in the admin's words. */
  readonly unset: string;
  /** True: what was seen is never printed. */
  readonly isSecret: boolean;
  /** `undefined`: not set. Returns what is wrong with a value instead of throwing. */
  readonly read: (text: string | undefined) => Read<Value>;
}

export type VariableGroup =
  | "Server"
  | "Data"
  | "Log"
  | "Model"
  | "Runs and queue"
  | "Files"
  | "Console and admins"
  | "Slack"
  | "Discord"
  | "Cost"
  | "Assistants"
  | "Tools"
  | "Observability";

/** A value, or why the text is none: `problem` completes "PORT is "abc": ...", `fix` says what to do. */
export type Read<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string; readonly fix: string };

/** The price of a model in US dollars: tokens by the million, searches by the call. */
export interface OwnPrice {
  readonly input: number;
  readonly output: number;
  /** Tokens the provider read from its cache; the price of input when left out. */
  readonly cached_input?: number;
  readonly web_search?: number;
  readonly file_search?: number;
}

/** Prices by the exact name of the model. */
export type OwnPrices = { readonly [model: string]: OwnPrice };

interface Words {
  readonly group: VariableGroup;
  readonly help: string;
}

/** A text with a default. */
export function text(about: Words & { sample: string; byDefault: string }): Variable<string> {
  return {
    ...about,
    unset: about.byDefault,
    isSecret: false,
    read: (value) => ({ ok: true, value: value ?? about.byDefault }),
  };
}

/** A text, or nothing. */
export function optionalText(
  about: Words & { sample: string; unset: string },
): Variable<string | undefined> {
  return { ...about, isSecret: false, read: (value) => ({ ok: true, value }) };
}

/** A text that is never shown. */
export function secret(
  about: Words & { sample: string; minLength?: number },
): Variable<string | undefined> {
  return {
    ...about,
    unset: "none",
    isSecret: true,
    read: (value) => {
      const minLength = about.minLength ?? 1;
      if (value !== undefined && /^["']|["']$|\s/.test(value)) {
        return {
          ok: false,
          problem: "contains white space, or begins or ends with a quotation mark",
          fix: "Write the bare value; `docker --env-file` keeps quotation marks.",
        };
      }
      if (value === undefined || value.length >= minLength) return { ok: true, value };
      return {
        ok: false,
        problem: `has ${value.length} characters, fewer than ${minLength}`,
        fix: "Choose a longer one, or leave it out.",
      };
    },
  };
}

/** One of several words. */
export function choice<const Value extends string>(
  about: Words & { choices: readonly Value[]; byDefault: Value },
): Variable<Value> {
  return {
    ...about,
    sample: about.byDefault,
    unset: about.byDefault,
    isSecret: false,
    read: (value) => {
      if (value === undefined) return { ok: true, value: about.byDefault };
      const found = about.choices.find((known) => known === value.toLowerCase());
      if (found !== undefined) return { ok: true, value: found };
      return {
        ok: false,
        problem: "is none of the values it can have",
        fix: `Use one of: ${about.choices.join(", ")}.`,
      };
    },
  };
}

interface Range {
  readonly min: number;
  readonly max?: number;
  readonly isWhole?: boolean;
}

/** A whole number with a default. */
export function integer(
  about: Words & { byDefault: number; min: number; max: number },
): Variable<number> {
  return number({ ...about, isWhole: true });
}

/** A number with a default. */
export function number(about: Words & Range & { byDefault: number }): Variable<number> {
  return {
    ...about,
    sample: String(about.byDefault),
    unset: String(about.byDefault),
    isSecret: false,
    read: (value) =>
      value === undefined ? { ok: true, value: about.byDefault } : readNumber(value, about),
  };
}

/** A number, or nothing. */
export function optionalNumber(
  about: Words & Range & { sample: string; unset: string },
): Variable<number | undefined> {
  return {
    ...about,
    isSecret: false,
    read: (value) =>
      value === undefined ? { ok: true, value: undefined } : readNumber(value, about),
  };
}

function readNumber(text: string, { min, max, isWhole }: Range): Read<number> {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  const kind = isWhole ? "a whole number" : "a number";
  const range = max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  const fix = `Use ${kind} ${range}, without a unit.`;
  if (Number.isNaN(value)) return { ok: false, problem: `is not ${kind}`, fix };
  if (isWhole && !Number.isInteger(value)) return { ok: false, problem: `is not ${kind}`, fix };
  if (value < min) return { ok: false, problem: `is less than ${min}`, fix };
  if (max !== undefined && value > max) return { ok: false, problem: `is more than ${max}`, fix };
  return { ok: true, value };
}

/** An http address without a slash at the end, or nothing. */
export function optionalUrl(
  about: Words & { sample: string; unset: string },
): Variable<string | undefined> {
  return {
    ...about,
    isSecret: false,
    read: (value) => {
      if (value === undefined) return { ok: true, value };
      const fix = `Use a whole address, such as ${about.sample}.`;
      const url = URL.parse(value);
      if (url === null) return { ok: false, problem: "is not an address", fix };
      if (url.protocol !== "http:" && url.protocol !== "https:") {
        return { ok: false, problem: "does not begin with http:// or https://", fix };
      }
      if (url.username !== "" || url.password !== "") {
        return { ok: false, problem: "carries a user name or a password", fix };
      }
      return { ok: true, value: value.replace(/\/+$/, "") };
    },
  };
}

/** The address of a Redis. It may carry a password, so it is never shown. */
export function redisUrl(
  about: Words & { sample: string; unset: string },
): Variable<string | undefined> {
  return {
    ...about,
    isSecret: true,
    read: (value) => {
      const problem = value === undefined ? undefined : problemOfRedisUrl(value);
      if (problem === undefined) return { ok: true, value };
      const fix = `Use a whole address, such as ${about.sample} or redis://:password@host:6379/0, with %40 for @ in the password, %2F for / and so on.`;
      return { ok: false, problem, fix };
    },
  };
}

function problemOfRedisUrl(value: string): string | undefined {
  const url = URL.parse(value);
  if (url === null) return "is not an address";
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") {
    return "does not begin with redis:// or rediss://";
  }
  if (url.hostname === "") return "names no host";
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    return "has a % in its user name or password that stands for nothing";
  }
  if (!/^\/?\d*$/.test(url.pathname)) return "ends in something that is not a database's number";
  if (url.search !== "" || url.hash !== "") return "has a ? or a # in it";
  return undefined;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Several items between commas; none when it is not set. */
export function list(
  about: Words & { sample: string; unset: string; item: RegExp; itemWords: string },
): Variable<readonly string[]> {
  return {
    ...about,
    isSecret: false,
    read: (value) => {
      const items = (value ?? "").split(",").map((item) => item.trim());
      const given = items.filter((item) => item !== "");
      const wrong = given.find((item) => !about.item.test(item));
      if (wrong === undefined) return { ok: true, value: given };
      return {
        ok: false,
        problem: `contains "${wrong}", which is not ${about.itemWords}`,
        fix: `Write it like ${about.sample}; separate several with commas.`,
      };
    },
  };
}

/** Prices by model, as JSON. */
export function prices(about: Words & { sample: string }): Variable<OwnPrices> {
  const fix = `Write it like ${about.sample}.`;
  return {
    ...about,
    unset: "the built-in prices",
    isSecret: false,
    read: (value) => {
      if (value === undefined) return { ok: true, value: {} };
      let parsed: unknown;
      try {
        parsed = JSON.parse(value);
      } catch {
        return { ok: false, problem: "is not JSON", fix };
      }
      const problem = problemOfPrices(parsed);
      if (problem !== undefined) return { ok: false, problem, fix };
      return { ok: true, value: parsed as OwnPrices };
    },
  };
}

const priceFields = ["input", "output", "cached_input", "web_search", "file_search"];

function problemOfPrices(parsed: unknown): string | undefined {
  if (!isObject(parsed)) return "is not an object of prices by model";
  for (const [model, price] of Object.entries(parsed)) {
    if (!isObject(price)) return `gives no prices for ${model}`;
    for (const [field, amount] of Object.entries(price)) {
      if (!priceFields.includes(field)) return `has an unknown price "${field}" for ${model}`;
      if (typeof amount !== "number" || !Number.isFinite(amount) || amount < 0) {
        return `has a price "${field}" for ${model} that is not a number of at least 0`;
      }
    }
    if (!("input" in price) || !("output" in price)) {
      return `lacks the price of input or output for ${model}`;
    }
  }
  return undefined;
}

/** A value as it may be shown: nothing of secrets, nor of passwords in addresses. */
export function mask(seen: string, isSecret: boolean): string {
  if (isSecret) return `set (${seen.length} characters, not shown)`;
  const shown = seen.replace(/\/\/[^/@\s]*@/, "//(not shown)@");
  return `"${shown.length > 120 ? `${shown.slice(0, 120)}…` : shown}"`;
}
