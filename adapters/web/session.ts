import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { HttpPeer } from "#ports/http";
import type { Ledger } from "#ports/ledger";

const cookieName = "bobbin_session";
const lifetimeMs = 30 * 24 * 60 * 60 * 1000;
const secretRegister = "web/session-secret";
/** Wrong passwords: this many from one address, and this many in all, within the window. */
const maxFailuresPerAddress = 10;
const maxFailures = 100;
const failureWindowMs = 5 * 60 * 1000;

/** What sessions need. */
export interface SessionsParts {
  /** Undefined: the console is for this machine alone. */
  readonly password: string | undefined;
  /** True when browsers reach the console by https. */
  readonly isSecure: boolean;
  readonly ledger: Ledger;
  readonly now: () => number;
}

/** What came of an attempt to log in. */
export type LoginAnswer =
  | { readonly status: "open"; readonly cookie: string }
  | { readonly status: "wrong" }
  | { readonly status: "slow-down"; readonly retryAfterMs: number };

/**
 * Who may use the console: with a password, whoever knows it; without one, whoever sits at this
 * machine. Sessions are signed, not stored: they outlive a restart and end when the password changes.
 */
export class Sessions {
  readonly #parts: SessionsParts;
  #secret = "";
  #failures: { readonly address: string; readonly atMs: number }[] = [];

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  get needsPassword(): boolean {
    return this.#parts.password !== undefined;
  }

  /** Loads the signing secret, made once and shared by every process. */
  async open(): Promise<void> {
    const { ledger } = this.#parts;
    const fresh = randomBytes(32).toString("hex");
    await ledger.apply({ registers: [{ name: secretRegister, value: fresh, ifVersion: 0 }] });
    const stored = (await ledger.read(secretRegister))?.value;
    if (typeof stored !== "string") throw new Error("the console's session secret is damaged");
    this.#secret = stored;
  }

  /** True when the request may use the console. */
  isOpen(request: Request, peer: HttpPeer): boolean {
    if (this.#parts.password === undefined) return isLocal(request, peer);
    const token = cookieIn(request.headers.get("cookie") ?? "");
    return token !== undefined && this.#isValid(token);
  }

  login(password: string, peer: HttpPeer): LoginAnswer {
    const now = this.#parts.now();
    this.#failures = this.#failures.filter(({ atMs }) => atMs > now - failureWindowMs);
    const own = this.#failures.filter(({ address }) => address === peer.address);
    if (own.length >= maxFailuresPerAddress || this.#failures.length >= maxFailures) {
      const oldest = (own.length >= maxFailuresPerAddress ? own : this.#failures)[0];
      const retryAfterMs = (oldest?.atMs ?? now) + failureWindowMs - now;
      return { status: "slow-down", retryAfterMs };
    }
    if (this.#parts.password === undefined || !isSame(password, this.#parts.password)) {
      this.#failures.push({ address: peer.address, atMs: now });
      return { status: "wrong" };
    }
    const expires = String(now + lifetimeMs);
    const token = `${expires}.${this.#sign(expires)}`;
    return { status: "open", cookie: this.#cookie(token, lifetimeMs / 1000) };
  }

  /** The header that ends a session in its browser. */
  logoutCookie(): string {
    return this.#cookie("", 0);
  }

  #isValid(token: string): boolean {
    const [expires = "", signature = ""] = token.split(".");
    if (!isSame(signature, this.#sign(expires))) return false;
    return Number(expires) > this.#parts.now();
  }

  #sign(expires: string): string {
    const key = createHash("sha256").update(`${this.#secret}\n${this.#parts.password}`).digest();
    return createHmac("sha256", key).update(expires).digest("hex");
  }

  #cookie(token: string, maxAgeSeconds: number): string {
    const secure = this.#parts.isSecure ? "; Secure" : "";
    return `${cookieName}=${token}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`;
  }
}

/**
 * True for a browser on this machine that meant this machine: the peer is loopback, the name it
 * asked for is loopback's (a page elsewhere whose name was made to point here has another), and no
 * proxy stands between.
 */
export function isLocal(request: Request, peer: HttpPeer): boolean {
  if (!peer.isLoopback) return false;
  if (request.headers.has("x-forwarded-for") || request.headers.has("forwarded")) return false;
  const host = URL.parse(`http://${request.headers.get("host") ?? ""}`)?.hostname ?? "";
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** False for a request that a page from elsewhere made. */
export function isSameOrigin(request: Request): boolean {
  const site = request.headers.get("sec-fetch-site");
  // Browsers set it themselves, and it holds behind a proxy that gives requests another host.
  if (site !== null) return site === "same-origin" || site === "none";
  const origin = request.headers.get("origin");
  if (origin === null) return true;
  return URL.parse(origin)?.host === request.headers.get("host");
}

function cookieIn(header: string): string | undefined {
  for (const part of header.split(";")) {
    const [name, value] = part.trim().split("=");
    if (name === cookieName) return value;
  }
  return undefined;
}

/** Compares in a time that tells nothing about how much was right. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
