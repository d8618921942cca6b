/** A name in SQL, whatever is in it. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in SQL, whatever is in it. */
export function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
