import { asObject } from "../wire.ts";
import { count, inline } from "./skill.ts";

const mostRows = 12;

/** What `query_data` gave, for people; undefined when it is anything else. */
export function rowsAsTable(output: string): string | undefined {
  // Which files came with it stands on a line of its own.
  const [json = "", ...more] = output.split("\n\n");
  const { columns, rows, cut, attached } = parsed(json);
  const names = Object.keys(asObject(columns));
  if (!Array.isArray(rows) || names.length === 0) return undefined;
  const shown = rows.slice(0, mostRows).map((row) => (Array.isArray(row) ? row : []));
  const lines = [names, names.map(() => "---"), ...shown].map(
    (cells) => `| ${cells.map((cell) => textOf(cell)).join(" | ")} |`,
  );
  const left = rows.length - shown.length;
  const notes = [
    left > 0 ? `${count(left, "more row")}.` : "",
    typeof cut === "string" ? cut : "",
    typeof attached === "string" ? `Attached: ${inline(attached, 120)}.` : "",
  ].filter((note) => note !== "");
  const ending = notes.length > 0 ? notes : more.map((text) => inline(text, 200));
  return [lines.join("\n"), ...(ending.length > 0 ? [ending.join(" ")] : [])].join("\n\n");
}

function parsed(json: string): { readonly [key: string]: unknown } {
  try {
    return asObject(JSON.parse(json));
  } catch {
    return {};
  }
}

function textOf(cell: unknown): string {
  if (cell === "---") return cell;
  if (cell === null || cell === undefined) return "";
  return inline(typeof cell === "string" ? cell : JSON.stringify(cell));
}
