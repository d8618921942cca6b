/** Words DuckDB does not take for a name unless they are quoted (`duckdb_keywords()`, reserved). */
const reserved: ReadonlySet<string> = new Set(
  "all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create default deferrable desc describe distinct do else end except false fetch for foreign from group having in initially intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer pivot_wider placing primary qualify references returning select show some summarize symmetric table then to trailing true union unique unpivot using variadic when where window with".split(
    " ",
  ),
);

/**
 * The name of the table a file (or a sheet) becomes: lower case letters, digits and `_` alone, so
 * that it needs no quotes, and nothing of a path is left.
 */
export function tableNameOf(text: string): string {
  const words = text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "_")
    .replace(/^_+|_+$/g, "");
  const short = [...words].slice(0, 40).join("");
  if (short === "") return "data";
  return /^\p{N}/u.test(short) || reserved.has(short) ? `t_${short}` : short;
}

/** The name, with a number behind it where it is taken. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  for (let number = 2; ; number++) {
    if (!taken.has(`${name}_${number}`)) return `${name}_${number}`;
  }
}
