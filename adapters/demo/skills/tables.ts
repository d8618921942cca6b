import { factsOf } from "#domain/table";
import type { Turn } from "../conversation.ts";
import type { Plan } from "../plan.ts";
import { newestTable } from "./file-facts.ts";
import { inline, type Skill, say } from "./skill.ts";

/** `chart of sales by month`: asks `draw_chart` for the sums, as a model would. */
export const chartByColumn: Skill = ({ text }, turn) => {
  const match =
    /^(?:please )?(?:(?:draw|make|show)\s+(?:me\s+)?)?(?:an?\s+)?(?:(bar|line|area)\s+)?chart of (?:the\s+)?["'`]?(.{1,80}?)["'`]? by ["'`]?(.{1,80}?)["'`]?[.!]?$/i.exec(
      text,
    );
  if (!match) return undefined;
  const [, mark = "bar", measure = "", category = ""] = match;
  return withTable(turn, "draw_chart", ({ file, columnOf, columns }) => {
    const [y, x] = [columnOf(measure), columnOf(category)];
    if (!y || !x) {
      const missing = inline(y ? category : measure);
      return say(
        `${inline(file)} has no column called ${missing}. Its columns: ${columns.map((name) => inline(name)).join(", ")}.`,
      );
    }
    const [total, group] = [quoted(y), quoted(x)];
    // In the order of the file: names of months have no other.
    const sql = `SELECT ${group}, sum(${total}) AS ${total} FROM ${numbered(file)} GROUP BY ${group} ORDER BY min("row")`;
    const encoding = {
      x: { field: field(x), type: "ordinal", sort: null, title: x },
      y: { field: field(y), type: "quantitative", title: y },
    };
    return calling("draw_chart", {
      title: `${y} by ${x}`,
      alt_text: `${mark} chart of the sum of ${y} for each ${x} in ${file}.`,
      spec: { mark: mark.toLowerCase(), encoding },
      sql,
    });
  });
};

/** `clean sales.csv`: each row once, in its order, as a file. */
export const cleanTable: Skill = ({ text }, turn) => {
  const match =
    /^(?:please )?clean(?: up)?(?: the)?(?: table| file)?(?: ["'`]?(.+?)["'`]?)?[.!]?$/i.exec(text);
  if (!match) return undefined;
  return withTable(
    turn,
    "query_data",
    ({ file, columns }) => {
      const names = columns.map(quoted).join(", ");
      const sql = `SELECT ${names} FROM ${numbered(file)} GROUP BY ${names} ORDER BY min("row")`;
      return calling("query_data", { sql, save_as: `cleaned ${file}` });
    },
    match[1],
  );
};

/** `tables`, `query SELECT …`: what is attached, and what it answers. */
export const queryTables: Skill = ({ text }, turn) => {
  const match = /^(?:(tables)|(?:query|sql)\s+(.{1,1000}))$/is.exec(text);
  if (!match) return undefined;
  const sql = match[2]?.replace(/^`+|`+$/g, "");
  return withTool(turn, "query_data", () => calling("query_data", sql ? { sql } : {}));
};

function withTable(
  turn: Turn,
  tool: string,
  plan: (table: {
    readonly file: string;
    readonly columns: readonly string[];
    columnOf(name: string): string | undefined;
  }) => Plan,
  wanted?: string,
): Plan {
  return withTool(turn, tool, () => {
    const newest = newestTable(turn, wanted);
    if (!newest) return say("I see no CSV file to do that with. Attach one and ask again.");
    const columns = factsOf(newest.table).columns.map(({ name }) => name);
    const plain = (name: string) => name.trim().toLowerCase();
    return plan({
      file: newest.file.name,
      columns,
      columnOf: (name) => columns.find((one) => plain(one) === plain(name)),
    });
  });
}

function withTool(turn: Turn, tool: string, plan: () => Plan): Plan {
  if (turn.functions.some(({ name }) => name === tool)) return plan();
  return say(`That needs the function \`${tool}\`, which is not on for this assistant.`);
}

function calling(name: string, args: object): Plan {
  return {
    type: "answer",
    acts: [
      { type: "say", text: `I call \`${name}\` for that.` },
      { type: "call", name, arguments: JSON.stringify(args) },
    ],
  };
}

/** The table, with the place of each row. */
function numbered(file: string): string {
  return `(SELECT *, row_number() OVER () AS "row" FROM ${quoted(file)})`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Vega-Lite reads dots and brackets in a field's name as a path. */
function field(name: string): string {
  return name.replace(/[\\.[\]]/g, "\\$&");
}
