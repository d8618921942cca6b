import type { Entry } from "../conversation.ts";
import { count, type Skill, say } from "./skill.ts";

const most = { seconds: 600, characters: 200_000 } as const;

/** `slow 30`: an answer that takes thirty seconds. */
export const slow: Skill = ({ text }) => {
  const match = /^(?:be )?slow(?:\s+(\d{1,6}))?(?:\s*s(?:econds)?)?[.!]?$/i.exec(text);
  if (!match) return undefined;
  const seconds = Math.min(Math.max(Number(match[1] ?? 20), 1), most.seconds);
  const steps = Math.min(seconds * 2, 200);
  const counted = Array.from({ length: steps }, (_, i) => `${i + 1} of ${steps}.`).join(" ");
  return {
    type: "answer",
    acts: [
      {
        type: "say",
        text: `This answer takes ${count(seconds, "second")}. ${counted} That was it.`,
      },
    ],
    lastsMs: seconds * 1_000,
  };
};

/** `long 30000`: an answer of exactly that many characters, with every kind of Markdown in it. */
export const long: Skill = ({ text }) => {
  const characters = lengthAsked(text);
  if (characters === undefined) return undefined;
  return {
    type: "answer",
    acts: [{ type: "say", text: longText(characters) }],
    lastsAtMostMs: 30_000,
  };
};

/** Goes on with a long answer that was stopped, at the very character. */
export const continueLong: Skill = ({ text }, turn) => {
  if (!/^(continue|go on|carry on)\b/i.test(text)) return undefined;
  const asked = turn.entries.findLastIndex(
    (entry) => entry.type === "user" && lengthAsked(entry.text) !== undefined,
  );
  const request = turn.entries[asked];
  const characters = request?.type === "user" ? lengthAsked(lastLine(request.text)) : undefined;
  if (characters === undefined) return say("There is no long answer of mine to go on with.");
  const whole = longText(characters);
  const reached = reachedIn(whole, turn.entries.slice(asked + 1));
  if (reached >= whole.length) return say("That answer was complete.");
  return {
    type: "answer",
    acts: [
      { type: "say", text: `(going on after ${reached} characters)\n\n${whole.slice(reached)}` },
    ],
    lastsAtMostMs: 30_000,
  };
};

function lengthAsked(text: string): number | undefined {
  const match = /(?:^|:\s)(?:be )?long(?:\s+(\d{1,7}))?(?:\s*characters)?[.!]?$/i.exec(
    lastLine(text),
  );
  return match ? Math.min(Math.max(Number(match[1] ?? 6_000), 1), most.characters) : undefined;
}

function lastLine(text: string): string {
  const trimmed = text.trim();
  return trimmed.slice(trimmed.lastIndexOf("\n") + 1);
}

/** Where the answers so far left off: every section is numbered, so its last characters tell. */
function reachedIn(whole: string, entries: readonly Entry[]): number {
  const said = entries.flatMap((entry) => (entry.type === "assistant" ? [entry.text] : []));
  let reached = 0;
  for (const text of said) {
    const bare = text.replace(/\s*\[[^\]\n]*\]\s*$/, "");
    const tail = bare.slice(-80);
    const at = tail === "" ? -1 : whole.indexOf(tail, Math.max(reached - tail.length, 0));
    if (at !== -1) reached = at + tail.length;
  }
  return reached;
}

function longText(characters: number): string {
  const sections: string[] = [];
  let length = 0;
  for (let n = 1; length < characters; n++) {
    const section = sectionOf(n);
    sections.push(section);
    length += section.length;
  }
  return sections.join("").slice(0, characters);
}

function sectionOf(n: number): string {
  const bodies = [
    `Paragraph ${n} has a few sentences, so that there is something to read. The square of ${n} is ${n * n}, and its cube is ${n ** 3}. Nothing here was written by a model; it is counted out by a program.`,
    `- ${n} times 2 is ${n * 2}\n- ${n} times 3 is ${n * 3}\n  - and half of that is ${(n * 3) / 2}\n- ${n} times 5 is ${n * 5}`,
    `| n | n² | n³ |\n| --: | --: | --: |\n${[0, 1, 2, 3].map((i) => `| ${n + i} | ${(n + i) ** 2} | ${(n + i) ** 3} |`).join("\n")}`,
    `\`\`\`js\nfor (let i = 0; i < ${n}; i++) {\n  console.log(i * ${n});\n}\n\`\`\``,
    `> Section ${n}, quoted: *every line of this is numbered*, so that a gap or a repetition would be seen at once.`,
  ];
  return `### Section ${n}\n\n${bodies[(n - 1) % bodies.length]}\n\n`;
}
