/** A cell as CSV: quoted where its text would be taken apart (RFC 4180). */
export function csvCell(text: string): string {
  return /[",;\t\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A text that no spreadsheet takes for a formula: what begins like one gets an apostrophe in front,
 * unless it is a plain number. Source: owasp.org/www-community/attacks/CSV_Injection.
 */
export function withoutFormula(text: string): string {
  const isFormula = /^\s*[=+\-@＝＋－＠]/u.test(text) || /^[\t\r]/.test(text);
  return isFormula && !/^[+-]?\d+([.,]\d+)*$/.test(text) ? `'${text}` : text;
}
