/** What the model server is to do with one message; written into the message itself. */
export interface Script {
  /** Unique within a bench: what everything measured of one reply is filed under. */
  readonly id: string;
  /** Length of the reply. */
  readonly characters: number;
  /** Time between two writes; 0: as fast as the event loop turns. */
  readonly everyMs: number;
  /** Tokens in one write. */
  readonly tokensPerWrite: number;
  /** True: the stream stops after the first token, after each third and before its end, until it is released. */
  readonly isGated: boolean;
  /** True: without the tables and formulas, which some chats draw differently. */
  readonly isPlain?: boolean;
}

/** The words a person posts to have a script carried out. */
export function toWords(script: Script): string {
  const { id, characters, everyMs, tokensPerWrite, isGated, isPlain } = script;
  const flags = `${isGated ? 1 : 0}${isPlain ? 1 : 0}`;
  return `Please bench ${id} ${characters} ${everyMs} ${tokensPerWrite} ${flags} now.`;
}

const pattern = /bench ([\w-]+) (\d+) (\d+) (\d+) ([01])([01]) now/g;

/** Finds a script in whatever text it travelled in: the last, for what was said before comes before. */
export function findScript(text: string): Script | undefined {
  const last = [...text.matchAll(pattern)].at(-1);
  const [, id, characters, everyMs, tokensPerWrite, gated, plain] = last ?? [];
  if (id === undefined) return undefined;
  return {
    id,
    characters: Number(characters),
    everyMs: Number(everyMs),
    tokensPerWrite: Number(tokensPerWrite),
    isGated: gated === "1",
    isPlain: plain === "1",
  };
}

/** An ordinary answer in Markdown; repeated for longer ones. */
const sample = `The report covers three quarters, and the trend is plain: revenue grew, costs grew more slowly.

| Quarter | Revenue | Costs |
| --- | ---: | ---: |
| Q1 | 120 | 97 |
| Q2 | 131 | 99 |
| Q3 | 150 | 104 |

- **Revenue** rose by a quarter, mostly from *renewals* rather than new customers.
- Costs rose by 7 %; see \`cost.ts\` for how they are attributed.
- The margin, \\( (150 - 104) / 150 \\), is now 31 %.

\`\`\`ts
export function margin(revenue: number, costs: number): number {
  return (revenue - costs) / revenue;
}
\`\`\`

Two things could change this picture. First, the renewals of the autumn are not signed yet, and second, prices for hosting go up in spring. I would plan with both and decide in October.

`;

const plainSample = sample.replace(/(?:\|.*\n)+\n/, "").replace(/\\\(.*?\\\),? ?/, "");

/** The reply of so many characters, in the pieces a model would send: words with the space before them. */
export function tokensOf(characters: number, isPlain = false): readonly string[] {
  const once = isPlain ? plainSample : sample;
  const text = once.repeat(Math.ceil(characters / once.length)).slice(0, characters);
  return text.match(/\s*\S{1,6}|\s+$/g) ?? [];
}

/** After how many tokens a gated stream waits. */
export function gatesOf(tokens: number): readonly number[] {
  return [1, Math.round(tokens / 3), Math.round((2 * tokens) / 3), tokens];
}
