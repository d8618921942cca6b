import { citationMark } from "#domain/citation-marks";
import { isObject } from "#domain/json";
import type { FoundPassage } from "#domain/passage";

/** What a model reads of a search: each passage under the mark it is cited by. */
export function writeFoundPassages(passages: readonly FoundPassage[]): string {
  return JSON.stringify({
    passages: passages.map(({ mark, fileId, fileName, page, section, text }) => ({
      cite_as: citationMark(mark),
      file: fileName,
      file_id: fileId,
      ...(page === undefined ? {} : { page }),
      ...(section === undefined ? {} : { section }),
      text,
    })),
  });
}

/** Reads back what {@link writeFoundPassages} wrote; none where something else stands. */
export function readFoundPassages(output: string): readonly FoundPassage[] {
  let written: unknown;
  try {
    written = JSON.parse(output);
  } catch {
    return [];
  }
  if (!isObject(written) || !Array.isArray(written.passages)) return [];
  return written.passages.flatMap((one: unknown): FoundPassage[] => {
    if (!isObject(one)) return [];
    const { cite_as: cited, file, file_id: fileId, page, section, text } = one;
    if (typeof cited !== "string" || typeof file !== "string") return [];
    if (typeof fileId !== "string" || typeof text !== "string") return [];
    return [
      {
        mark: cited.slice(1, -1),
        fileId,
        fileName: file,
        ...(typeof page === "number" ? { page } : {}),
        ...(typeof section === "string" ? { section } : {}),
        text,
      },
    ];
  });
}
