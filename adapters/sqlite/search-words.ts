/** More words than this say no more about what is wanted. */
const maxWords = 24;
/** Scripts that are written without spaces: each character is a word of its own to the index. */
const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;

/** A text as the index shall read it. */
export function indexable(text: string): string {
  return text.replace(unspaced, " $& ");
}

/**
 * The words of a question as phrases of an FTS5 query, each once. Nothing in them is an operator:
 * a phrase is quoted, and all but letters, digits and marks is left out.
 */
export function phrasesOf(query: string): readonly string[] {
  const words = query.normalize("NFC").match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  const phrases = words.map((word) => `"${indexable(word).replace(/\s+/g, " ").trim()}"`);
  return [...new Set(phrases.map((phrase) => phrase.toLowerCase()))].slice(0, maxWords);
}
