import { count, fenced, inline, type Skill, say, sizeOf } from "./skill.ts";

/** Shows what a request really gave to the model: instructions, functions, files, history. */
export const about: Skill = ({ text }, turn) => {
  if (
    !/^(about|instructions|context|what (are|were) you (given|told)|who are you)\W*$/i.test(text)
  ) {
    return undefined;
  }
  const { entries, files, functions, hosted } = turn;
  const list = (names: readonly string[]) =>
    names.length > 0 ? names.map((name) => `\`${name}\``).join(", ") : "none";
  return say(
    "This is what the request gave me:",
    [
      `- Model asked for: \`${turn.model || "none"}\``,
      `- Entries of the conversation: ${entries.length}, ${count(entries.filter((entry) => entry.type === "user").length, "message")} of people among them`,
      `- Functions: ${list(functions.map(({ name }) => name))}`,
      `- Hosted tools: ${list(hosted)}`,
      `- Files within reach: ${files.length > 0 ? files.map(({ name, data }) => `${inline(name)} (${sizeOf(data.byteLength)})`).join(", ") : "none"}`,
    ].join("\n"),
    turn.instructions
      ? `My instructions, word for word:\n\n${fenced(turn.instructions, "text")}`
      : "I was given no instructions.",
  );
};
