import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The file that tells a data folder from others. */
export const markName = "files.id";

/** A data folder's mark, made when it has none yet; the same for all processes that share it. */
export async function folderMark(directory: string): Promise<string> {
  const path = join(directory, markName);
  const own = join(directory, `${randomUUID()}.partial`);
  await writeFile(own, randomUUID());
  try {
    // Of several processes that find none, one makes it: whole, or not at all.
    await link(own, path);
  } catch (error) {
    if (!isThere(error)) throw error;
  } finally {
    await rm(own, { force: true });
  }
  return (await readFile(path, "utf8")).trim();
}

function isThere(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}
