/** Longer paragraphs are left as they are: this is done anew for every piece that comes. */
const maxCharacters = 10_000;

/**
 * The text of a paragraph that is still being written, with what is open at its end closed: half a
 * piece of code or of bold text is drawn as what it becomes, and not with raw marks that jump away.
 */
export function withMarksClosed(text: string): string {
  if (text.length > maxCharacters) return text;
  const { before, code } = openCodeIn(text);
  const closers = closersOf(before, code);
  if (code === undefined) return finish(text, closers);
  const inside = text.slice(before.length + code.length);
  // A mark with nothing behind it yet is not shown at all.
  return inside.trim() === ""
    ? finish(before, closersOf(before, undefined))
    : `${text}${code}${closers}`;
}

/** `before`: what stands outside of a code span that is open at the end, all of it when none is. */
function openCodeIn(text: string): { readonly before: string; readonly code: string | undefined } {
  for (let at = 0; at < text.length; ) {
    const run = /^(?:\\.|`+|[^\\`]+|\\)/s.exec(text.slice(at))?.[0] ?? "";
    if (!run.startsWith("`")) {
      at += run.length;
      continue;
    }
    const rest = text.slice(at + run.length);
    const end = rest.search(new RegExp(`(?<!\`)\`{${run.length}}(?!\`)`));
    if (end === -1) return { before: text.slice(0, at), code: run };
    at += end + 2 * run.length;
  }
  return { before: text, code: undefined };
}

/** Marks that are open at the end of a text, as what closes them, the last one first. */
function closersOf(text: string, code: string | undefined): string {
  const plain = text.replace(/\\./gs, "xx").replace(/(`+)(?!`).*?(?<!`)\1(?!`)/gs, "x");
  const open: string[] = [];
  for (const { 0: mark, index } of plain.matchAll(/\*\*|__|~~/g)) {
    const isAfterWord = /\S/.test(plain[index - 1] ?? " ");
    const isBeforeWord = /\S/.test(plain[index + mark.length] ?? (code === undefined ? "x" : code));
    if (isAfterWord && open.at(-1) === mark) open.pop();
    else if (isBeforeWord && !open.includes(mark)) open.push(mark);
  }
  return open.toReversed().join("");
}

function finish(text: string, closers: string): string {
  if (closers === "") return text;
  const words = text.trimEnd();
  const mark = closers.slice(0, 2);
  if (words.endsWith(mark)) return finish(words.slice(0, -2), closers.slice(2));
  // Half of the mark that closes it is there.
  const isHalf = words.endsWith(mark.slice(1));
  return `${isHalf ? words.slice(0, -1) : words}${closers}`;
}
