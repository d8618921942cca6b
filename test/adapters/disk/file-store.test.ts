import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDiskFileStore } from "../../../adapters/disk/file-store.ts";
import { describeFileStore, type FileStoreInstance } from "../../contracts/file-store.ts";

describeFileStore("A directory", () => filesIn(join(newFolder(), "not", "there", "yet")));

async function filesIn(directory: string): Promise<FileStoreInstance> {
  return {
    files: await createDiskFileStore(directory),
    reopen: () => filesIn(directory),
    close: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "bobbin-files-"));
}

test("a put that fails leaves no partial file behind", async () => {
  const directory = newFolder();
  const files = await createDiskFileStore(directory);
  const tooLarge = new Response("x".repeat(100)).body;
  if (!tooLarge) throw new Error("a body was expected");
  await expect(files.put("file_1", tooLarge, 10)).rejects.toMatchObject({ code: "file-too-large" });
  expect(readdirSync(directory)).toEqual([]);
  rmSync(directory, { recursive: true });
});

test("what a killed process left half-written is removed after a day, what is being written is not", async () => {
  const directory = newFolder();
  const old = join(directory, "file_1.abc.partial");
  const young = join(directory, "file_2.abc.partial");
  for (const path of [old, young]) writeFileSync(path, "half");
  const twoDaysAgo = Date.now() / 1_000 - 2 * 24 * 60 * 60;
  utimesSync(old, twoDaysAgo, twoDaysAgo);
  await createDiskFileStore(directory);
  expect(existsSync(old)).toBe(false);
  expect(existsSync(young)).toBe(true);
  rmSync(directory, { recursive: true });
});
