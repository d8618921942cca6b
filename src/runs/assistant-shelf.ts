import { createHash } from "node:crypto";
import type { Assistant, AssistantTool } from "#domain/assistant";
import { type AssistantFile, instructionsOf, instructionsText } from "#domain/assistant-file";
import type { CommandAnswer } from "#domain/command";
import type { Person } from "#domain/conversation";
import { BotError } from "#domain/errors";
import type { StoredFile } from "#domain/file";
import { hostedToolTypes } from "#domain/tool";
import type { AssistantLibrary, ShelvedAssistant } from "#ports/assistant-library";
import { type Catalogue, hasAllTools, toolName } from "./catalogue.ts";
import { toJson } from "./checkpoint.ts";
import type { RunEnvironment } from "./environment.ts";
import { names, stableId } from "./names.ts";
import { readFiles, toStream } from "./run-files.ts";

type Needed = Pick<RunEnvironment, "ledger" | "records" | "files" | "documents" | "log" | "now"> & {
  readonly catalogue: Catalogue;
  readonly library: AssistantLibrary;
};

/** An assistant made from a file, and what of the file is not here. */
export interface Installed {
  readonly assistant: Assistant;
  readonly missingTools: readonly string[];
  readonly missingFiles: readonly string[];
}

/** Assistants as files, as commands and the start see them. */
export interface AssistantShelf {
  /** What an assistant can be made from. */
  templates(): Promise<readonly { readonly name: string; readonly description: string | null }[]>;
  /**
   * Makes an assistant from a template, or from one of the attached files. Throws a BotError
   * `not-found`, `bad-input` or `name-taken`.
   */
  install(request: {
    readonly from: string;
    /** In the place of the name in the file. */
    readonly as: string | null;
    readonly attached: readonly StoredFile[];
    readonly by: Person;
    readonly eventId: string;
  }): Promise<Installed>;
  /** An assistant as a file. */
  write(assistant: Assistant): Promise<NonNullable<CommandAnswer["file"]>>;
  /**
   * Brings the admin's own files into the catalogue: a new file makes an assistant, a changed one a
   * new version. What somebody changed in the chat stays until the file changes. A file that cannot be
   * used is logged and left out.
   */
  load(): Promise<void>;
}

/** Who acts when a file is loaded at the start. */
const starter: Person = { key: "file:start", name: "the assistants folder" };

export function createAssistantShelf(needed: Needed): AssistantShelf {
  const { library, catalogue, log } = needed;
  return {
    async templates() {
      const found = await library.templates();
      return found.map(({ name, file }) => ({ name, description: file.description }));
    },

    async install({ from, as, attached, by, eventId }) {
      const given = attached.find(({ filename }) => isSame(filename, from));
      const source = given
        ? await readAttached(given, attached, needed)
        : (await library.templates()).find(({ name }) =>
            isSame(name, from.replace(/\.ya?ml$/i, "")),
          );
      if (!source) {
        const known = (await library.templates()).map(({ name }) => `\`${name}\``).join(", ");
        throw new BotError("not-found", {
          detail: `There is no template \`${from}\`. There are ${known}; or attach an assistant's file here and name it.`,
        });
      }
      const name = as ?? source.file.name;
      const made = await catalogue.create({ name, instructions: null }, by, eventId);
      return fill(made, { ...source, file: { ...source.file, name } }, by, needed);
    },

    async write(assistant) {
      const file = await toFile(assistant, needed);
      const stem = assistant.name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
      return {
        name: `${stem.replace(/^-|-$/g, "") || "assistant"}.yaml`,
        mimeType: "application/yaml",
        data: new TextEncoder().encode(library.write(file)),
      };
    },

    async load() {
      const { assistants, problems } = await library.own();
      for (const { name, problem } of problems) {
        log.warn({ file: name, problem }, "assistant left out");
      }
      for (const shelved of assistants) {
        try {
          await loadOne(shelved, needed);
        } catch (error) {
          if (!(error instanceof BotError)) throw error;
          const problem = error.detail ?? error.code;
          log.warn({ file: shelved.name, problem }, "assistant left out");
        }
      }
    },
  };
}

async function loadOne(shelved: ShelvedAssistant, needed: Needed): Promise<void> {
  const { ledger, catalogue, log } = needed;
  const register = names.assistantFile(shelved.name);
  const known = (await ledger.read(register))?.value as Loaded | undefined;
  if (known?.sha256 === shelved.sha256) return;
  const before = known && (await catalogue.find(known.id));
  const made =
    before ??
    (await catalogue.create(
      { name: shelved.file.name, instructions: null },
      starter,
      `${register}/${shelved.sha256}`,
    ));
  const { assistant, missingTools, missingFiles } = await fill(made, shelved, starter, needed);
  await ledger.apply({
    registers: [{ name: register, value: { id: assistant.id, sha256: shelved.sha256 } }],
  });
  log.info(
    { file: shelved.name, assistant: assistant.name, missingTools, missingFiles },
    "assistant loaded",
  );
}

/** What is kept of a file that was loaded. */
interface Loaded {
  readonly id: string;
  readonly sha256: string;
}

/** Gives an assistant all that its file says. */
async function fill(
  made: Assistant,
  source: ShelvedAssistant,
  by: Person,
  needed: Needed,
): Promise<Installed> {
  const { catalogue } = needed;
  const { instructions, tools, files, ...settings } = source.file;
  const kept = await keepFiles(source, needed);
  const known = new Set(catalogue.availableTools().map(toolName));
  const wanted = tools === "all" ? [] : tools;
  const assistant = await catalogue.edit(
    made.id,
    () => ({
      ...settings,
      instructions: instructionsText(instructions),
      ...(tools === "all"
        ? { hasAllTools: true }
        : { tools: wanted.map(toTool), hasAllTools: false }),
      file_ids: kept.ids,
    }),
    by,
  );
  return {
    assistant,
    missingTools: wanted.filter((name) => !known.has(name)),
    missingFiles: kept.missing,
  };
}

function toTool(name: string): AssistantTool {
  const hosted = hostedToolTypes.find((type) => type === name);
  return hosted ? { type: hosted } : { type: "function", function: { name } };
}

/** Stores the files beside an assistant's; the same bytes under the same name are the same file. */
async function keepFiles(
  source: ShelvedAssistant,
  { records, files, documents, now }: Needed,
): Promise<{ readonly ids: readonly string[]; readonly missing: readonly string[] }> {
  const ids: string[] = [];
  const missing: string[] = [];
  for (const name of source.file.files) {
    const data = await source.readFile(name).catch((error: unknown) => {
      if (error instanceof BotError) return undefined;
      throw error;
    });
    if (!data) {
      missing.push(name);
      continue;
    }
    const sha256 = createHash("sha256").update(data).digest("hex");
    const id = stableId("file", "assistant-file", name, sha256);
    ids.push(id);
    if ((await records.read(names.record.file(id))) !== undefined) continue;
    const kind = await documents.kindOf(data.subarray(0, 4100), name);
    const stored = await files.put(id, toStream(data), data.byteLength);
    const record: StoredFile = {
      id,
      object: "file",
      created_at: Math.floor(now() / 1000),
      filename: name,
      bytes: stored.bytes,
      mime_type: kind.mimeType,
      purpose: "assistants",
      use: kind.family === "sheet" ? "compute" : kind.family === "image" ? "look" : "search",
      sha256,
      alt_text: null,
    };
    await records.write(names.record.file(id), toJson(record));
  }
  return { ids, missing };
}

/** A file that somebody attached; files it names are looked for among the others. */
async function readAttached(
  given: StoredFile,
  attached: readonly StoredFile[],
  { library, files }: Needed,
): Promise<ShelvedAssistant> {
  const file = library.read(new TextDecoder().decode(await files.read(given.id)));
  return {
    name: given.filename,
    sha256: given.sha256,
    file,
    async readFile(name) {
      const other = attached.find(({ filename }) => isSame(filename, name));
      if (!other) throw new BotError("not-found", { detail: `There is no file ${name} here.` });
      return files.read(other.id);
    },
  };
}

async function toFile(assistant: Assistant, needed: Needed): Promise<AssistantFile> {
  const files = await readFiles(assistant.file_ids, needed);
  return {
    name: assistant.name,
    description: assistant.description,
    instructions: instructionsOf(assistant.instructions),
    model: assistant.model,
    tools: hasAllTools(assistant) ? "all" : assistant.tools.map(toolName),
    files: [...new Set(files.map(({ filename }) => filename))],
    temperature: assistant.temperature,
    top_p: assistant.top_p,
    reasoning_effort: assistant.reasoning_effort,
    truncation_strategy: assistant.truncation_strategy,
    max_prompt_tokens: assistant.max_prompt_tokens,
    max_completion_tokens: assistant.max_completion_tokens,
  };
}

function isSame(a: string, b: string): boolean {
  return a.normalize().trim().toLowerCase() === b.normalize().trim().toLowerCase();
}
