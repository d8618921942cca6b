import type { Fault, Plan } from "../plan.ts";
import type { WireError } from "../wire.ts";
import { inline, type Skill, say } from "./skill.ts";

/**
 * `fail 429`, `fail cut once`: goes wrong on purpose, in the form the real service does. With `once`
 * (or `2 times`) the same request succeeds after that many attempts.
 */
export const fail: Skill = ({ text }, turn, attempts) => {
  const match =
    /^(?:please )?fail(?:\s+([a-z0-9_ -]+?))?(?:\s+(?:(once)|(\d{1,2})\s*(?:x|times)))?[.!]?$/i.exec(
      text,
    );
  if (!match) return undefined;
  const [, raw = "", once, times] = match;
  const name = raw.toLowerCase().replace(/[\s-]+/g, "_");
  const failure = failures.get(name);
  if (!failure) {
    const known = [...failures.keys()].map((one) => `\`fail ${one}\``).join(", ");
    return say(
      raw ? `I cannot fail as \`${inline(raw)}\`.` : "How shall I fail?",
      `I know ${known}; each with \`once\` or \`2 times\` behind it, to succeed afterwards.`,
    );
  }
  const most = once ? 1 : Number(times ?? Number.POSITIVE_INFINITY);
  const attempt = attempts(`${turn.entries.length} ${text}`);
  if (attempt <= most) return failure;
  return say(
    `This worked at attempt ${attempt}, after \`fail ${name}\` ${most === 1 ? "once" : `${most} times`}, as you asked.`,
  );
};

/** Every way to fail, by what one types. */
const failures: ReadonlyMap<string, Plan> = new Map<string, Plan>([
  [
    "429",
    refusing({
      status: 429,
      message: "Rate limit reached for the demo brain: you asked for it. Please try again in 2s.",
      type: "requests",
      code: "rate_limit_exceeded",
      headers: { "retry-after": "2" },
    }),
  ],
  [
    "500",
    refusing({
      status: 500,
      message: "The server had an error while processing your request: you asked for it.",
      type: "server_error",
      code: "server_error",
    }),
  ],
  [
    "503",
    refusing({
      status: 503,
      message: "The demo brain is overloaded: you asked for it.",
      type: "service_unavailable_error",
      code: "server_overloaded",
    }),
  ],
  [
    "quota",
    refusing({
      status: 429,
      message: "You exceeded your current quota, please check your plan and billing details.",
      type: "insufficient_quota",
      code: "insufficient_quota",
    }),
  ],
  [
    "auth",
    refusing({
      status: 401,
      message: "Incorrect API key provided: you asked for it.",
      code: "invalid_api_key",
    }),
  ],
  [
    "context_length",
    refusing({
      status: 400,
      message:
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
      code: "context_length_exceeded",
      param: "input",
    }),
  ],
  ["cut", breaking("cut", "closed without an end")],
  ["reset", breaking("reset", "reset")],
  ["hang", breaking("hang", "left hanging: nothing more will come")],
  ["content_filter", breaking("content_filter", "stopped by a content filter")],
  ["error", breaking("error", "ended with an error event")],
  ["stream_quota", breaking("stream_quota", "ended because the quota ran out")],
]);

function refusing(error: WireError): Plan {
  return { type: "refuse", error };
}

function breaking(fault: Fault, how: string): Plan {
  const text = `You asked me to fail, so half way through this sentence the answer is ${how}, and what comes after that is only seen where a stream can be taken up again: one, two, three, four, five, six, seven, eight, nine, ten. This is the end of it.`;
  return { type: "answer", acts: [{ type: "say", text }], fault };
}
