import { type LookupAddress, lookup } from "node:dns";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { isPublicAddress } from "./addresses.ts";

/** What is asked of a server. */
export interface GuardedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: { readonly [name: string]: string };
  readonly body?: string;
}

export interface GuardedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** More came than is read. */
  readonly isCut: boolean;
}

export interface GuardOptions {
  /** `host` or `host:port`, in lower case: may be private, and plain HTTP. */
  readonly allowedHosts: readonly string[];
  /** Looks names up; the system's own when left out. */
  readonly lookup?: typeof lookup;
}

/** The request was not made; the message says why and what an admin can do. */
export class RequestRefused extends Error {}

const maxBodyBytes = 1_000_000;
const maxRedirects = 5;

/**
 * Makes a request to the public internet and to no other place: every address a name stands for is
 * looked at, the connection is made to the very address that was looked at, and each redirect is a
 * request of its own. A redirect to another origin gets no headers of ours. Throws a
 * {@link RequestRefused}, or the connection's error.
 */
export async function guardedRequest(
  asked: GuardedRequest,
  options: GuardOptions,
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  let current = asked;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const response = await send(current, options, signal);
    const next = redirectOf(current, response);
    if (!next) return readAnswer(response);
    response.destroy();
    current = next;
  }
  throw new RequestRefused(`${asked.url.host} redirects more than ${maxRedirects} times.`);
}

function send(
  { method, url, headers, body }: GuardedRequest,
  options: GuardOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const isAllowed = isAllowedHost(url, options.allowedHosts);
  assertReachable(url, isAllowed);
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method,
        headers: {
          ...headers,
          ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
        },
        signal,
        // No connection of somebody else's is taken up again.
        agent: false,
        ...(isAllowed ? {} : { lookup: publicLookup(options.lookup ?? lookup) }),
      },
      resolve,
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

function isAllowedHost(url: URL, allowed: readonly string[]): boolean {
  const name = url.hostname.toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return allowed.some((host) => host === name || host === `${name}:${port}`);
}

function assertReachable(url: URL, isAllowed: boolean): void {
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new RequestRefused(`${url.protocol} is no protocol of the web.`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new RequestRefused("A password in a URL is not sent: use a header.");
  }
  if (isAllowed) return;
  const address = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw notPublic(url.host);
  if (url.protocol === "http:") {
    throw new RequestRefused(
      `http://${url.host} is not encrypted. An admin can add ${url.hostname} to TOOLS_ALLOWED_HOSTS.`,
    );
  }
}

/** Gives only what is public of a name; the connection is made to what it gives and nothing else. */
function publicLookup(resolve: typeof lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, "");
      const addresses = found as LookupAddress[];
      // One private address is enough: a name that is both is a trick, or a mistake.
      if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(notPublic(hostname), "");
      }
      const [first] = addresses;
      if (options.all) return callback(null, addresses);
      callback(null, first?.address ?? "", first?.family);
    });
  };
}

function notPublic(host: string): RequestRefused {
  return new RequestRefused(
    `${host} is an address of a private network. An admin can add it to TOOLS_ALLOWED_HOSTS.`,
  );
}

function redirectOf(
  asked: GuardedRequest,
  { statusCode = 0, headers }: IncomingMessage,
): GuardedRequest | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode) || !headers.location) return undefined;
  const url = URL.parse(headers.location, asked.url.href);
  if (!url) throw new RequestRefused(`${asked.url.host} redirects to no address.`);
  const keepsBody = statusCode === 307 || statusCode === 308;
  const isSameOrigin = url.origin === asked.url.origin;
  if (keepsBody && asked.body !== undefined && !isSameOrigin) {
    throw new RequestRefused(`${asked.url.host} sends what was to be written to ${url.host}.`);
  }
  return {
    method: keepsBody ? asked.method : "GET",
    url,
    headers: isSameOrigin ? asked.headers : {},
    ...(keepsBody && asked.body !== undefined ? { body: asked.body } : {}),
  };
}

async function readAnswer(response: IncomingMessage): Promise<GuardedAnswer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk.subarray(0, maxBodyBytes - bytes));
    bytes += chunk.length;
    if (bytes > maxBodyBytes) break;
  }
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers["content-type"] ?? "",
    body: Buffer.concat(chunks),
    isCut: bytes > maxBodyBytes,
  };
}
