import { arithmetic } from "./arithmetic.ts";
import { inline, type Skill, say } from "./skill.ts";

/** `reason 12*12`: shows its steps the way a reasoning model does, and they are what really happened. */
export const reason: Skill = (ask, turn, attempts) => {
  const match = /^reason(?:\s+(?:about\s+)?(.{1,500}))?$/is.exec(ask.text);
  if (!match) return undefined;
  const subject = (match[1] ?? "12 * 12").trim();
  const answer = arithmetic({ ...ask, text: subject }, turn, attempts);
  const summary = [
    "**Reading the message**",
    `It begins with the word \`reason\`; what follows is “${inline(subject, 100)}”.`,
    answer
      ? "It is an arithmetic expression, so I evaluate it with exact fractions."
      : "It is not an arithmetic expression, and about anything else I cannot reason.",
  ].join("\n\n");
  const said = answer ?? say("I can show reasoning only about arithmetic: try `reason (2+3)*4`.");
  if (said.type === "refuse") return said;
  return { ...said, acts: [{ type: "reason", summary }, ...said.acts] };
};
