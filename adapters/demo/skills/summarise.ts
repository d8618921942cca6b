import { count, inline, type Skill, say } from "./skill.ts";

/** When the instructions want a summary and no tool is there: the lines of the text, shortened. */
export const summarise: Skill = ({ text }, turn) => {
  const isAsked = /\bsummar(y|ise|ize)/i.test(turn.instructions);
  if (!isAsked || turn.functions.length > 0 || turn.hosted.length > 0) return undefined;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length < 2) return undefined;
  const kept = lines.slice(-40);
  return say(
    `${count(lines.length, "line")} were said before; shortened by rule, not understood:`,
    kept.map((line) => `- ${inline(line, 160)}`).join("\n"),
  );
};
