/** An array of texts as Redis gives it. */
export function toTexts(reply: unknown): readonly string[] {
  return toList(reply).map(String);
}

/** Names and values that come one after the other. */
export function toPairs(reply: unknown): readonly (readonly [string, string])[] {
  const texts = toTexts(reply);
  return texts.flatMap((text, index) => {
    const next = texts[index + 1];
    return index % 2 === 0 && next !== undefined ? [[text, next] as const] : [];
  });
}

/** An array of whatever a script gives. */
export function toList(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : [];
}

/** A text that may be missing. */
export function toText(reply: unknown): string | undefined {
  return reply === null || reply === undefined ? undefined : String(reply);
}

/** What stands before the first space, and what behind it. */
export function splitOnce(text: string): readonly [string, string] {
  const at = text.indexOf(" ");
  return [text.slice(0, at), text.slice(at + 1)];
}
