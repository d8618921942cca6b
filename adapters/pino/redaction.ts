/** Takes out of what is logged whatever must not be there. */
export interface Redaction {
  fields(fields: object): object;
  text(text: string): string;
}

/**
 * Content is left out by the name of its field, secrets by the name or by their look; `secrets` are
 * taken out wherever they stand. What is left is cut short, for a long value is content by another name.
 */
export function createRedaction(secrets: readonly string[]): Redaction {
  const known = secrets.filter((secret) => secret.length > 0);

  const text = (value: string): string => {
    let clean = value;
    for (const secret of known) clean = clean.replaceAll(secret, hidden);
    if (looksLikeSecret(clean)) {
      for (const [pattern, replacement] of secretPatterns) {
        clean = clean.replace(pattern, replacement);
      }
    }
    return clean.length > maxLength ? `${clean.slice(0, maxLength)}… (${clean.length})` : clean;
  };

  const clean = (value: unknown, depth: number): unknown => {
    if (typeof value === "string") return text(value);
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof Error) return cleanError(value, depth);
    if (value instanceof Date || value instanceof URL) return text(value.toJSON() ?? "");
    if (depth >= maxDepth) return "(deeper)";
    if (Array.isArray(value)) return value.slice(0, maxItems).map((item) => clean(item, depth + 1));
    if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
    return cleanObject(value, depth);
  };

  const cleanObject = (value: object, depth: number): object => {
    const result: { [key: string]: unknown } = {};
    for (const [key, item] of Object.entries(value)) {
      if (secretNames.test(key) && typeof item !== "number" && typeof item !== "boolean") {
        result[key] = hidden;
      } else if (contentNames.has(key) && typeof item !== "number" && typeof item !== "boolean") {
        result[key] = leftOut;
      } else {
        result[key] = clean(item, depth + 1);
      }
    }
    return result;
  };

  const cleanError = (error: Error, depth: number): object => {
    const { code, status } = error as { code?: unknown; status?: unknown };
    return {
      name: error.name,
      ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
      ...(typeof status === "number" ? { status } : {}),
      // A parser's message quotes what it could not parse.
      ...(error instanceof SyntaxError ? {} : { message: text(error.message) }),
      at: framesOf(error),
      ...(error.cause === undefined || depth >= maxDepth
        ? {}
        : { cause: clean(error.cause, depth + 1) }),
    };
  };

  return { fields: (fields) => clean(fields, 0) as object, text };
}

const hidden = "(secret)";
const leftOut = "(content)";
const maxDepth = 6;
const maxItems = 50;
const maxLength = 500;

/** Fields whose value is a secret, whatever it looks like. */
const secretNames =
  /^(x-)?(api[-_]?key|auth|authorization|bearer|cookie|set-cookie|password|passwd|secret|token|session|credentials?)$|(api[-_]?key|password|secret|authorization)$|[a-z](Token|Cookie|ApiKey)$|[_-](token|cookie)$/i;

/** Fields whose value is what somebody said, asked for or got. */
const contentNames = new Set([
  "text",
  "content",
  "contents",
  "prompt",
  "instructions",
  "body",
  "payload",
  "transcript",
  "entries",
  "arguments",
  "args",
  "answers",
  "input",
  "output",
  "quoted",
  "quote",
  "view",
  "data",
  "params",
  "context",
]);

/** Secrets by their look, wherever they stand. */
const secretPatterns: readonly (readonly [RegExp, string])[] = [
  // OpenAI and those who took over its shape: sk-…, sk-proj-…, sk-or-v1-…
  [/\b(sk|pk|rk)-[A-Za-z0-9_-]{8,}/g, hidden],
  // Slack: xoxb-, xoxp-, xoxe.xoxp-, xapp-
  [/\b(xox[a-z](\.xox[a-z])?|xapp)-[A-Za-z0-9-]{6,}/g, hidden],
  // Slack's webhook addresses are secrets, too.
  [/hooks\.slack\.com\/[^\s"']+/g, `hooks.slack.com/${hidden}`],
  // Discord bot tokens: three base64url parts.
  [/\b[MNO][\w-]{22,27}\.[\w-]{6,7}\.[\w-]{27,}/g, hidden],
  // JSON web tokens
  [/\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, hidden],
  // GitHub, Google, AWS
  [/\b(gh[pousr]_[A-Za-z0-9]{20,}|AIza[\w-]{30,}|AKIA[A-Z0-9]{16})/g, hidden],
  // Headers
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${hidden}`],
  [/\b((?:set-)?cookie["']?\s*[:=]\s*["']?)[^"'\n]+/gi, `$1${hidden}`],
  // Addresses: user:password@ and parameters that sign or open them
  [/(:\/\/)[^/\s:@]+:[^/\s@]+@/g, `$1${hidden}@`],
  [
    /([?&](?:api[-_]?key|key|token|access_token|sig|signature|secret|password|code|X-Amz-[A-Za-z-]+|hm|ex)=)[^&\s"']+/gi,
    `$1${hidden}`,
  ],
];

/** All patterns in two: nearly every text has no secret in it, and is then read twice, not a dozen times. */
const anySecret = [...new Set(secretPatterns.map(([pattern]) => pattern.flags))].map(
  (flags) =>
    new RegExp(
      secretPatterns
        .filter(([pattern]) => pattern.flags === flags)
        .map(([pattern]) => pattern.source)
        .join("|"),
      flags.replace("g", ""),
    ),
);

function looksLikeSecret(text: string): boolean {
  return anySecret.some((pattern) => pattern.test(text));
}

function framesOf(error: Error): readonly string[] {
  const lines = (error.stack ?? "").split("\n");
  return lines
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8)
    .map((line) => line.trim());
}
