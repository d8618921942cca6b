/** A file name (without its ending) that says what the title says, safe on every system. */
export function fileNameOf(title: string, fallback: string): string {
  const name = title
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  return [...name].slice(0, 60).join("") || fallback;
}
