import { count, inline, type Skill, say } from "./skill.ts";

/** `what did I say?`: the earlier messages this request really contained. */
export const memory: Skill = ({ text }, turn) => {
  if (
    !/^(what (did|have) (i|we) (say|said|write|written|ask|asked)|what do you remember|history)\b.{0,20}$/i.test(
      text,
    )
  ) {
    return undefined;
  }
  const people = turn.entries.flatMap((entry) => (entry.type === "user" ? [entry] : []));
  const earlier = people.slice(0, -1);
  if (earlier.length === 0)
    return say("This is the first message I was given in this conversation.");
  const lines = earlier.slice(-50).map(({ author, text: said, files }) => {
    const who = author ? `${inline(author)}: ` : "";
    const with_ =
      files.length > 0 ? ` (with ${files.map(({ name }) => inline(name)).join(", ")})` : "";
    return `1. ${who}${inline(said, 200)}${with_}`;
  });
  const left = earlier.length - lines.length;
  return say(
    `I was given ${count(earlier.length, "earlier message")}${left > 0 ? `; these are the last ${lines.length}` : ""}:`,
    lines.join("\n"),
  );
};
