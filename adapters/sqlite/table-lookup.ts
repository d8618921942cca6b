import { DatabaseSync } from "node:sqlite";

type Value = string | number | null;

/**
 * Finds rows of a table in somebody's SQLite file, opened read-only for the moment. Names are looked up
 * in the file before they stand in SQL; values are bound. Throws when there is no such table or column.
 */
export async function lookUpInSqlite(query: {
  readonly path: string;
  readonly table: string;
  readonly wanted: { readonly [column: string]: string };
  readonly match: "equals" | "contains";
  readonly limit: number;
}): Promise<readonly { readonly [column: string]: Value }[]> {
  const database = new DatabaseSync(query.path, { readOnly: true, allowExtension: false });
  try {
    const columns = database
      .prepare("select name from pragma_table_info(?)")
      .all(query.table)
      .map(({ name }) => String(name));
    if (columns.length === 0) throw new Error(`there is no table ${query.table}`);
    const keys = Object.keys(query.wanted);
    const missing = keys.find((key) => !columns.includes(key));
    if (missing !== undefined) throw new Error(`the table has no column ${missing}`);
    const condition = keys
      .map((key) =>
        query.match === "equals"
          ? `lower(trim(${quoted(key)})) = lower(?)`
          : `instr(lower(${quoted(key)}), lower(?)) > 0`,
      )
      .join(" and ");
    return database
      .prepare(`select * from ${quoted(query.table)} where ${condition} limit ${query.limit}`)
      .all(...keys.map((key) => query.wanted[key] ?? ""))
      .map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])),
      );
  } finally {
    database.close();
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function plain(value: unknown): Value {
  if (value === null || typeof value === "number" || typeof value === "string") return value;
  return value instanceof Uint8Array ? `[${value.length} bytes]` : String(value);
}
