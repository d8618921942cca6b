const maxCharacters = 120;

/**
 * Plain names for files that somebody else named: no folders, nothing hidden, nothing a file system, a
 * header or an eye could stumble over, and no two alike. In the order given.
 */
export function fileNamesOf(names: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const plain = plainNameOf(name);
    const dot = plain.lastIndexOf(".");
    const [stem, ending] = dot > 0 ? [plain.slice(0, dot), plain.slice(dot)] : [plain, ""];
    let free = plain;
    for (let nth = 2; taken.has(free.toLowerCase()); nth += 1) free = `${stem}-${nth}${ending}`;
    taken.add(free.toLowerCase());
    return free;
  });
}

function plainNameOf(name: string): string {
  const parts = name
    .normalize("NFC")
    .replace(/[\p{C}<>:"|?*]/gu, "")
    .split(/[\\/]+/)
    .map((part) => part.trim().replace(/^\.+/, ""))
    .filter((part) => part !== "");
  const joined = parts.join("-");
  if (joined.length <= maxCharacters) return joined || "file";
  const ending = /\.[A-Za-z0-9]{1,8}$/.exec(joined)?.[0] ?? "";
  return joined.slice(0, maxCharacters - ending.length) + ending;
}
