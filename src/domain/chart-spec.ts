import type { Json } from "#domain/json";

/** A Vega-Lite chart, as JSON (vega.github.io/vega-lite/docs/spec.html). */
export type ChartSpec = { readonly [key: string]: Json | undefined };

/** What one chart may hold. Pixels are those of the specification; the picture has twice as many. */
export const chartSpecLimits = {
  /** Of the specification without its values. */
  characters: 40_000,
  /** In all data of a chart. */
  rows: 5_000,
  valueCharacters: 1_000_000,
  depth: 40,
  pixels: 2_000,
} as const;

/**
 * What is wrong with a chart, in words for the model, or undefined. A chart is a description: what
 * would load something, run an expression, react to somebody or make up data is refused, wherever it
 * stands.
 */
export function chartSpecProblem(spec: ChartSpec): string | undefined {
  const schema = spec.$schema;
  if (schema !== undefined && !String(schema).includes("/vega-lite/")) {
    return "Only Vega-Lite charts are drawn: `$schema` names something else.";
  }
  const found = { rows: 0, characters: 0, valueCharacters: 0 };
  const problem = problemIn(spec, { path: [], found });
  if (problem) return problem;
  const { rows, characters, valueCharacters } = chartSpecLimits;
  if (found.rows > rows) {
    return `${found.rows} rows of data; a chart takes ${rows}. Aggregate them first.`;
  }
  if (found.valueCharacters > valueCharacters) {
    return `The data takes ${found.valueCharacters} characters; a chart takes ${valueCharacters}.`;
  }
  if (found.characters > characters) {
    return `The specification takes ${found.characters} characters; a chart takes ${characters}, without its values.`;
  }
  return undefined;
}

interface Place {
  readonly path: readonly string[];
  readonly found: { rows: number; characters: number; valueCharacters: number };
}

function problemIn(value: Json | undefined, place: Place): string | undefined {
  const { path, found } = place;
  if (path.length > chartSpecLimits.depth) return "The specification is nested too deeply.";
  if (typeof value !== "object" || value === null) {
    found.characters += String(value).length;
    return undefined;
  }
  if (Array.isArray(value)) {
    return firstProblem(value.entries(), ([index, item]) =>
      problemIn(item, { path: [...path, String(index)], found }),
    );
  }
  return firstProblem(Object.entries(value), ([key, member]) => {
    found.characters += key.length;
    const at = { path: [...path, key], found };
    return problemOf(key, member, at) ?? (isValues(key, path) ? undefined : problemIn(member, at));
  });
}

function firstProblem<T>(
  items: Iterable<T>,
  problem: (item: T) => string | undefined,
): string | undefined {
  for (const item of items) {
    const found = problem(item);
    if (found) return found;
  }
  return undefined;
}

/** Keys with which a specification would do more than describe, and what to do instead. */
const notRun = "expressions are not run. Compute with `sql`";
const notMadeUp = "data is not made up. Give it as `values`, or with `sql`";
const onlyLite = "this is Vega, and only Vega-Lite is drawn";
const refused: ReadonlyMap<string, string> = new Map([
  ["url", "nothing is loaded. Give the data as `values`, or with `sql`"],
  ["datasets", "give the data as `values`, or with `sql`"],
  ["sequence", notMadeUp],
  ["graticule", notMadeUp],
  ["sphere", notMadeUp],
  ["params", "a picture does not react to anybody"],
  ["href", "a picture has no links"],
  ["signal", "there are no signals in a picture"],
  ["signals", onlyLite],
  ["marks", onlyLite],
  ["expr", notRun],
  ["calculate", notRun],
  ["usermeta", "it says nothing about the picture"],
  ["__proto__", "there is no such field"],
  ["constructor", "there is no such field"],
  ["prototype", "there is no such field"],
]);

/** All marks but `image`, which would load one. vega.github.io/vega-lite/docs/mark.html */
const marks: ReadonlySet<Json | undefined> = new Set(
  "arc area bar boxplot circle errorband errorbar geoshape line point rect rule square text tick trail".split(
    " ",
  ),
);

function problemOf(key: string, value: Json | undefined, { path, found }: Place) {
  const where = `\`${path.join(".")}\``;
  const reason = refused.get(key) ?? (key.endsWith("Expr") ? notRun : undefined);
  if (reason) return `${where} cannot be used: ${reason}.`;
  if ((key === "filter" || key === "test") && isExpression(value)) {
    return `${where} cannot be an expression: use a field predicate like {"field": "x", "gt": 1}, or \`sql\`.`;
  }
  if (key === "mark" && path.at(-2) !== "config" && !marks.has(markOf(value))) {
    return `${where} has to be one of ${[...marks].join(", ")}.`;
  }
  if ((key === "width" || key === "height") && typeof value === "number") {
    const { pixels } = chartSpecLimits;
    return value > pixels ? `${where} is ${value}; at most ${pixels}.` : undefined;
  }
  if (!isValues(key, path.slice(0, -1))) return undefined;
  if (!Array.isArray(value)) return `${where} has to be a list of rows.`;
  found.rows += value.length;
  found.valueCharacters += JSON.stringify(value).length;
  return undefined;
}

/** `values` of a `data`, wherever one stands: rows, and no part of the description. */
function isValues(key: string, path: readonly string[]): boolean {
  return key === "values" && path.at(-1) === "data";
}

/** A predicate is an object, or several joined by `and`, `or` and `not`; a text is an expression. */
function isExpression(value: Json | undefined): boolean {
  if (typeof value === "string") return true;
  if (Array.isArray(value)) return value.some(isExpression);
  if (typeof value !== "object" || value === null) return false;
  const { and, or, not } = value as { readonly [key: string]: Json | undefined };
  return [and, or, not].some(isExpression);
}

function markOf(mark: Json | undefined): Json | undefined {
  if (typeof mark !== "object" || mark === null || Array.isArray(mark)) return mark;
  return (mark as { readonly type?: Json }).type;
}
