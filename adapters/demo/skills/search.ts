import type { ReachableFile, Turn } from "../conversation.ts";
import type { Citation, Passage, Plan } from "../plan.ts";
import { namesOf, textOf } from "./file-facts.ts";
import { count, inline, type Skill, say } from "./skill.ts";

const maxPassages = 4;
const maxPassageLength = 500;

/** `search refund policy`: passages of uploaded texts that hold the words, each cited. */
export const search: Skill = ({ text }, turn) => {
  const match = /^(?:search|find|look up|look for|grep)\s+(?:for\s+)?(.{1,300}?)\??$/is.exec(text);
  if (!match) return undefined;
  const query = (match[1] ?? "").replace(/^["'`“]|["'`”]$/g, "").trim();
  const readable = turn.files.filter((file) => textOf(file) !== undefined);
  const others = turn.files.filter((file) => textOf(file) === undefined);
  const unread =
    others.length > 0 ? [`Without a model I cannot look into ${namesOf(others)}.`] : [];
  if (readable.length === 0) {
    return say("No text is within my reach. Attach one and search again.", ...unread);
  }
  const passages = passagesFor(query, readable);
  if (passages.length > 0) return found(query, passages, turn);
  const nothing = say(
    `I found nothing about “${inline(query)}” in ${namesOf(readable)}.`,
    ...unread,
  );
  return nothing.type === "answer" && canSearch(turn)
    ? { ...nothing, acts: [{ type: "search", query, passages: [] }, ...nothing.acts] }
    : nothing;
};

/** A question about a text that was uploaded for searching is searched for, as a model would. */
export const searchAnything: Skill = ({ text }, turn) => {
  if (text === "" || /^(help|hi|hello|hey)\W*$/i.test(text)) return undefined;
  const passages = passagesFor(
    text,
    turn.files.filter((file) => file.isSearchable),
  );
  return passages.some(({ score }) => score >= 0.5) ? found(text, passages, turn) : undefined;
};

function found(query: string, passages: readonly Passage[], turn: Turn): Plan {
  let text = `${count(passages.length, "passage")} about “${inline(query)}”:\n\n`;
  const citations: Citation[] = [];
  for (const { fileId, fileName, text: passage } of passages) {
    text += `- “${inline(passage, maxPassageLength)}”`;
    if (fileId) citations.push({ index: text.length, fileId, fileName });
    else text += ` (${inline(fileName)})`;
    text += "\n";
  }
  const acts = canSearch(turn) ? [{ type: "search", query, passages } as const] : [];
  return { type: "answer", acts: [...acts, { type: "say", text: text.trimEnd(), citations }] };
}

function canSearch(turn: Turn): boolean {
  return turn.hosted.includes("file_search");
}

/** The best passages: more of the words, and rarer ones, count for more. */
function passagesFor(query: string, files: readonly ReachableFile[]): readonly Passage[] {
  const wanted = [...new Set(wordsOf(query))].filter((word) => !common.has(word));
  const all = files.flatMap((file) =>
    chunksOf(textOf(file) ?? "").map((text) => ({ file, text, words: new Set(wordsOf(text)) })),
  );
  const weights = new Map(
    wanted.map((word) => {
      const holding = all.filter(({ words }) => words.has(word)).length;
      return [word, holding === 0 ? 0 : Math.log(1 + all.length / holding)];
    }),
  );
  // A word that stands nowhere counts as the rarest: a passage without it answers only in part.
  const rarest = Math.log(1 + all.length);
  const total = wanted.reduce((sum, word) => sum + (weights.get(word) || rarest), 0);
  if (total === 0) return [];
  return all
    .map(({ file, text, words }) => {
      const hit = wanted.reduce((sum, w) => sum + (words.has(w) ? (weights.get(w) ?? 0) : 0), 0);
      return {
        ...(file.id ? { fileId: file.id } : {}),
        fileName: file.name,
        text,
        score: Number((hit / total).toFixed(4)),
      };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, maxPassages);
}

/** Paragraphs; long ones by sentences and lines. */
function chunksOf(text: string): readonly string[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    if (paragraph.length <= maxPassageLength)
      return paragraph.trim() === "" ? [] : [paragraph.trim()];
    const pieces = paragraph.match(/[^.!?\n]+(?:[.!?]+|\n|$)\s*/g) ?? [paragraph];
    const chunks: string[] = [];
    for (const piece of pieces) {
      const last = chunks.at(-1) ?? "";
      if (last !== "" && last.length + piece.length <= maxPassageLength) {
        chunks[chunks.length - 1] = last + piece;
      } else {
        chunks.push(piece.slice(0, 4 * maxPassageLength));
      }
    }
    return chunks.map((chunk) => chunk.trim()).filter((chunk) => chunk !== "");
  });
}

function wordsOf(text: string): readonly string[] {
  const words =
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.map((word) => (word.length > 4 ? word.replace(/(?:es|s)$/, "") : word));
}

/** Words that say nothing about what is looked for. */
const common = new Set(
  "a an and are as at be by can do does for from has have how i in is it me my of on or our that the their there this to us was we what when where which who why will with you your".split(
    " ",
  ),
);
