import { ErrorReply } from "redis";
import { BotError } from "#domain/errors";

/** What is seen of a Redis that does not take this bot in, and what to do about it; the first that fits. */
const explanations: readonly (readonly [seen: RegExp, words: string])[] = [
  [/^NOAUTH/, "asks for a password: write it into REDIS_URL, as redis://:password@host:6379"],
  [
    /^WRONGPASS|^ERR invalid password/,
    "does not know that user name and password: correct them in REDIS_URL",
  ],
  [/without any password/, "has no password: leave it out of REDIS_URL, or set one there"],
  [/DB index/, "has no such database: correct the number at the end of REDIS_URL, or leave it out"],
  [
    /^CLUSTERDOWN|^MOVED|in cluster mode/,
    "is a cluster: set REDIS_URL to a Redis with one primary",
  ],
  [
    /^NOPERM/,
    "allows that user too little: give it all commands, the keys ~{bobbin}:* and the channels &{bobbin}:*",
  ],
  [/^LOADING/, "is still loading its data: start again in a while"],
  [/^READONLY/, "is a replica and takes no writes: set REDIS_URL to the primary"],
  [/ECONNREFUSED/, "does not run, or not there: start it, or correct host and port in REDIS_URL"],
  [/ENOTFOUND|EAI_AGAIN/, "cannot be found: correct the host in REDIS_URL"],
  [
    /certificate|ERR_TLS/i,
    "shows a certificate that is not trusted: set NODE_EXTRA_CA_CERTS to the file of who signed it, or correct the host",
  ],
  [
    /RESP type|ECONNRESET|Socket closed|SSL|EPROTO/,
    "does not speak as a Redis does: correct host and port in REDIS_URL; with TLS it begins with rediss://, without with redis://",
  ],
  [
    /timeout|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|no answer/i,
    "does not answer: correct host and port in REDIS_URL, or what stands in between; with TLS it begins with rediss://, without with redis://",
  ],
];

/**
 * Does what a start does with the Redis at an address. Throws an Error in an admin's words when that
 * does not take the bot in: where it is, what it said and what to do, and never the password.
 */
export async function inWords<Result>(url: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const seen = seenIn(error);
    if (seen === undefined) throw error;
    const words = explanations.find(([sign]) => sign.test(seen))?.[1] ?? "cannot be used";
    const place = placeOf(url);
    throw new Error(`the Redis of REDIS_URL (${place}) ${words} (${withoutSecret(seen, url)})`, {
      cause: error,
    });
  }
}

/** What Redis or the way to it said; undefined: that is another failure. */
function seenIn(error: unknown): string | undefined {
  const cause = error instanceof BotError ? error.cause : error;
  if (error instanceof BotError && cause instanceof Error) {
    return cause.message || String(Reflect.get(cause, "code"));
  }
  return cause instanceof ErrorReply ? cause.message : undefined;
}

function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** Some servers repeat what they were sent. */
function withoutSecret(seen: string, url: string): string {
  const password = decodeURIComponent(new URL(url).password);
  return password === "" ? seen : seen.replaceAll(password, "(not shown)");
}
