import { createHash } from "node:crypto";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { BotError } from "#domain/errors";
import type { AssistantLibrary, ShelvedAssistant } from "#ports/assistant-library";
import { readAssistant, writeAssistant } from "./assistant-text.ts";

/** The examples that come along. */
const examples = fileURLToPath(new URL("../../examples/assistants/", import.meta.url));

const maxYamlBytes = 1_000_000;

interface Shelf {
  readonly assistants: readonly ShelvedAssistant[];
  readonly problems: readonly { readonly name: string; readonly problem: string }[];
}

/** Assistants as YAML files: in the admin's folder, if there is one, and the examples. */
export function createAssistantLibrary(options: {
  readonly folder: string | undefined;
  /** Larger files beside an assistant are not read. */
  readonly maxFileBytes: number;
}): AssistantLibrary {
  const { folder, maxFileBytes } = options;
  const own = () => (folder === undefined ? empty : readShelf(folder, maxFileBytes));
  return {
    own: async () => own(),
    async templates() {
      const [mine, shipped] = await Promise.all([own(), readShelf(examples, maxFileBytes)]);
      const names = new Set(mine.assistants.map(({ name }) => name));
      return [...mine.assistants, ...shipped.assistants.filter(({ name }) => !names.has(name))];
    },
    read: readAssistant,
    write: writeAssistant,
  };
}

const empty: Shelf = { assistants: [], problems: [] };

async function readShelf(folder: string, maxFileBytes: number): Promise<Shelf> {
  const root = await realpath(folder);
  const names = (await readdir(root)).filter((name) => /^[^._].*\.ya?ml$/i.test(name)).sort();
  const assistants: ShelvedAssistant[] = [];
  const problems: { name: string; problem: string }[] = [];
  for (const name of names) {
    try {
      const text = (await readInside(root, name, maxYamlBytes)).toString("utf8");
      assistants.push({
        name: basename(name).replace(/\.ya?ml$/i, ""),
        sha256: createHash("sha256").update(text).digest("hex"),
        file: readAssistant(text),
        readFile: (wanted) => readInside(root, wanted, maxFileBytes),
      });
    } catch (error) {
      if (!(error instanceof BotError)) throw error;
      problems.push({ name, problem: error.detail ?? error.code });
    }
  }
  return { assistants, problems };
}

/** A file of the folder; a link that leads out of it is not followed. */
async function readInside(root: string, name: string, maxBytes: number): Promise<Buffer> {
  const path = await realpath(join(root, name)).catch(() => undefined);
  if (path === undefined || !path.startsWith(root + sep)) {
    throw new BotError("not-found", { detail: `There is no file ${name} in ${root}.` });
  }
  const { size } = await stat(path);
  if (size > maxBytes) {
    throw new BotError("file-too-large", {
      detail: `${name} has ${size} bytes; files up to ${maxBytes} bytes are read.`,
    });
  }
  return readFile(path);
}
