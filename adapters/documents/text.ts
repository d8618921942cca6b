/**
 * True when bytes are the beginning of a text: UTF-16 with its mark, UTF-8, or an older one-byte
 * encoding, and free of control characters that no text has.
 */
export function looksLikeText(head: Uint8Array): boolean {
  const encoding = markedEncoding(head);
  if (encoding === "utf-16le" || encoding === "utf-16be") {
    return !hasControls(new TextDecoder(encoding).decode(head.subarray(0, head.length & ~1)), 0);
  }
  if (head.includes(0)) return false;
  const utf8 = decodeUtf8(head);
  if (utf8 !== undefined) return !hasControls(utf8, 0.01);
  // Windows-1252 accepts anything: letters must outweigh the signs that random bytes are full of.
  const legacy = new TextDecoder("windows-1252").decode(head);
  const unusual = [...legacy].filter((letter) => !/[\p{L}\p{N}\s!-/:-@[-`{-~]/u.test(letter));
  const accented = [...legacy].filter((letter) => letter > "\u007f");
  return (
    !hasControls(legacy, 0) &&
    unusual.length <= legacy.length * 0.05 &&
    accented.length <= legacy.length * 0.3
  );
}

/** The text of bytes in whatever encoding they are; undefined when they are no text. */
export function decodeText(data: Uint8Array): string | undefined {
  const encoding = markedEncoding(data);
  const text = encoding
    ? new TextDecoder(encoding).decode(data)
    : (decodeUtf8(data) ?? new TextDecoder("windows-1252").decode(data));
  return hasControls(text, 0.01) ? undefined : text;
}

function markedEncoding(data: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" | undefined {
  if (data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf) return "utf-8";
  if (data[0] === 0xff && data[1] === 0xfe) return "utf-16le";
  if (data[0] === 0xfe && data[1] === 0xff) return "utf-16be";
  return undefined;
}

/** A cut may lie within the last character: up to three bytes of it are left out. */
function decodeUtf8(data: Uint8Array): string | undefined {
  for (let cut = 0; cut <= 3 && cut < data.length; cut++) {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(0, data.length - cut));
    } catch {
      // Not valid up to here: try with one byte less.
    }
  }
  return undefined;
}

/** True when more than the given share of a text is control characters, or any of it is NUL. */
function hasControls(text: string, share: number): boolean {
  let controls = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === 0) return true;
    // Tab, line feed, form feed, carriage return and escape (coloured logs) occur in texts.
    const isUsual = unit >= 32 || unit === 9 || unit === 10 || (unit >= 12 && unit <= 13);
    if ((!isUsual && unit !== 27) || unit === 127) controls += 1;
  }
  return controls > text.length * share;
}
