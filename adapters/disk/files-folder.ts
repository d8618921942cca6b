import { constants } from "node:fs";
import { copyFile, mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** The ids of the files in a file store's folder, sorted; none when there is no such folder. */
export async function fileIdsIn(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".partial"))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * Copies a file store's folder while it is in use, and returns how many files it copied. Files never
 * change once they are there; one that is deleted meanwhile is left out.
 */
export async function copyFiles(from: string, to: string): Promise<number> {
  await mkdir(to, { recursive: true });
  let copied = 0;
  for (const id of await fileIdsIn(from)) {
    try {
      await copyFile(join(from, id), join(to, id), constants.COPYFILE_FICLONE);
      await sync(join(to, id));
      copied++;
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return copied;
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
