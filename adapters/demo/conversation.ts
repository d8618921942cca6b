import type { ContainerFile, DemoFile, DemoState, Remembered } from "./state.ts";
import {
  asObject,
  asObjects,
  asString,
  asStrings,
  notFound,
  Refusal,
  type WireObject,
} from "./wire.ts";

/** A file the brain may read. `id` is absent when it came inside the request: it cannot be cited. */
export interface ReachableFile {
  readonly id?: string;
  readonly name: string;
  readonly data: Uint8Array;
  readonly isSearchable: boolean;
}

/** What was said, called and returned, in order. */
export type Entry =
  | {
      readonly type: "user";
      /** Who wrote it, when the request says so on a line of its own: `Ada writes:`. */
      readonly author?: string;
      readonly text: string;
      readonly files: readonly ReachableFile[];
      readonly imageCount: number;
    }
  | { readonly type: "assistant"; readonly text: string }
  | {
      readonly type: "call";
      readonly callId: string;
      readonly name: string;
      readonly arguments: string;
    }
  | { readonly type: "output"; readonly callId: string; readonly output: string };

/** A function the request offers. */
export interface OfferedFunction {
  readonly name: string;
  readonly description: string;
  readonly parameters: WireObject;
}

/** Everything one request lets the brain know and do. */
export interface Turn {
  readonly model: string;
  readonly instructions: string;
  readonly entries: readonly Entry[];
  readonly functions: readonly OfferedFunction[];
  readonly hosted: readonly string[];
  /** All files within reach, oldest first. */
  readonly files: readonly ReachableFile[];
}

/** The request's items after everything it goes on from. Refuses an id that is not known (any more). */
export function itemsOf(
  request: WireObject,
  state: DemoState,
): { readonly items: readonly WireObject[]; readonly before: Remembered | undefined } {
  const { input } = request;
  const items =
    typeof input === "string"
      ? [{ type: "message", role: "user", content: input }]
      : asObjects(input);
  const previous = asString(request.previous_response_id);
  if (previous === "") return { items, before: undefined };
  const before = state.memories.get(previous);
  if (!before) {
    throw new Refusal({
      status: 400,
      message: `Previous response with id '${previous}' not found.`,
      param: "previous_response_id",
      code: "previous_response_not_found",
    });
  }
  return { items, before };
}

/** All items from the beginning. */
export function wholeOf(memory: Remembered): readonly WireObject[] {
  const pages: (readonly WireObject[])[] = [];
  for (let page: Remembered | undefined = memory; page; page = page.before)
    pages.unshift(page.items);
  return pages.flat();
}

/** Refuses, in the real service's words, calls without an output and outputs without a call. */
export function checkCalls(items: readonly WireObject[]): void {
  const idsOf = (type: string) =>
    items.filter((item) => item.type === type).map((item) => asString(item.call_id));
  const calls = idsOf("function_call");
  const outputs = idsOf("function_call_output");
  const open = calls.find((id) => !outputs.includes(id));
  if (open !== undefined) {
    throw new Refusal({
      status: 400,
      message: `No tool output found for function call ${open}.`,
      param: "input",
    });
  }
  const stray = outputs.find((id) => !calls.includes(id));
  if (stray !== undefined) {
    throw new Refusal({
      status: 400,
      message: `No tool call found for function call output with call_id ${stray}.`,
      param: "input",
    });
  }
}

/** Refuses ids of files, vector stores and containers that are not known (any more). */
export function checkResources(
  request: WireObject,
  items: readonly WireObject[],
  state: DemoState,
): void {
  const tools = asObjects(request.tools);
  for (const id of tools.flatMap((tool) => asStrings(tool.vector_store_ids))) {
    if (!state.vectorStores.has(id)) throw notFound(`Vector store with id '${id}'`);
  }
  for (const { container } of tools) {
    if (typeof container !== "string" || state.container(container)) continue;
    throw notFound(`Container with id '${container}'`);
  }
  const inTools = tools.flatMap((tool) => asStrings(asObject(tool.container).file_ids));
  const inItems = items.flatMap((item) =>
    asObjects(item.content).flatMap((part) => asString(part.file_id) || []),
  );
  const lost = [...inTools, ...inItems].find((id) => !state.files.has(id));
  if (lost === undefined) return;
  throw new Refusal({ status: 404, message: `No such File object: ${lost}`, param: "input" });
}

/** What the brain is given, read from the wire. */
export function toTurn(request: WireObject, items: readonly WireObject[], state: DemoState): Turn {
  const tools = asObjects(request.tools);
  const entries = items.flatMap((item) => toEntry(item, state));
  const said = entries.flatMap((entry) => (entry.type === "user" ? entry.files : []));
  return {
    model: asString(request.model),
    instructions: asString(request.instructions),
    entries,
    functions: tools
      .filter((tool) => tool.type === "function")
      .map((tool) => ({
        name: asString(tool.name),
        description: asString(tool.description),
        parameters: asObject(tool.parameters),
      })),
    hosted: tools.map((tool) => asString(tool.type)).filter((type) => type !== "function"),
    files: inOrder([...toolFiles(tools, state), ...said], state),
  };
}

function toEntry(item: WireObject, state: DemoState): Entry | [] {
  switch (item.type ?? "message") {
    case "message":
      return item.role === "user" ? toUserEntry(item, state) : toOtherEntry(item);
    case "function_call":
      return {
        type: "call",
        callId: asString(item.call_id),
        name: asString(item.name),
        arguments: asString(item.arguments),
      };
    case "function_call_output":
      return { type: "output", callId: asString(item.call_id), output: textOf(item.output) };
    default:
      return [];
  }
}

/**
 * The last text part is what was said; the ones before it are what goes with it: the author's line,
 * documents in their tags, earlier messages. A summary of earlier turns is nobody's message.
 */
function toUserEntry(item: WireObject, state: DemoState): Entry | [] {
  const parts = asObjects(item.content);
  const texts =
    typeof item.content === "string"
      ? [item.content]
      : parts.filter((part) => part.type === "input_text").map((part) => asString(part.text));
  if (/^(summary of the conversation|files that belong to)/i.test(texts[0] ?? "")) return [];
  const author = texts.flatMap((text) => /^(.{1,80}) writes:$/.exec(text)?.[1] ?? [])[0];
  const said = texts.filter((text) => !/^.{1,80} writes:$/.test(text) && !isDocument(text));
  return {
    type: "user",
    ...(author === undefined ? {} : { author }),
    text: said.at(-1) ?? "",
    files: [
      ...texts.filter(isDocument).map(toDocument),
      ...parts.flatMap((part) => (part.type === "input_file" ? toFile(part, state) : [])),
    ],
    imageCount: parts.filter((part) => part.type === "input_image").length,
  };
}

function isDocument(text: string): boolean {
  return /^<document name="[^\n]*">\n/.test(text);
}

function toDocument(text: string): ReachableFile {
  const [, name = "document", body = ""] =
    /^<document name="([^\n]*)">\n([\s\S]*?)(?:\n<\/document>)?$/.exec(text) ?? [];
  return { name, data: new TextEncoder().encode(body), isSearchable: true };
}

/** System and developer messages instruct; they are not something anybody said. */
function toOtherEntry(item: WireObject): Entry | [] {
  return item.role === "assistant" ? { type: "assistant", text: textOf(item.content) } : [];
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return asObjects(content)
    .filter((part) => ["input_text", "output_text", "text"].includes(asString(part.type)))
    .map((part) => asString(part.text))
    .join("\n");
}

function toFile(part: WireObject, state: DemoState): readonly ReachableFile[] {
  const stored = state.files.get(asString(part.file_id));
  if (stored) return [fromUpload(stored, false)];
  const name = asString(part.filename) || "file";
  const [, base64 = ""] = /^(?:data:[^,]*;base64,)?([\s\S]*)$/.exec(asString(part.file_data)) ?? [];
  if (base64 === "") return [];
  return [{ name, data: new Uint8Array(Buffer.from(base64, "base64")), isSearchable: true }];
}

/** What tools may read: the container's files and the vector stores'. */
function toolFiles(tools: readonly WireObject[], state: DemoState): readonly ReachableFile[] {
  return tools.flatMap((tool) => {
    if (tool.type === "code_interpreter") return containerFiles(tool.container, state);
    if (tool.type !== "file_search") return [];
    return asStrings(tool.vector_store_ids).flatMap((id) =>
      [...(state.vectorStores.get(id)?.files.keys() ?? [])].flatMap((fileId) => {
        const file = state.files.get(fileId);
        return file ? [fromUpload(file, true)] : [];
      }),
    );
  });
}

function containerFiles(container: unknown, state: DemoState): readonly ReachableFile[] {
  if (typeof container === "string") {
    return [...(state.container(container)?.files.values() ?? [])]
      .filter((file) => file.source === "user")
      .map(fromContainer);
  }
  return asStrings(asObject(container).file_ids).flatMap((id) => {
    const file = state.files.get(id);
    return file ? [fromUpload(file, false)] : [];
  });
}

function fromUpload(file: DemoFile, isSearchable: boolean): ReachableFile {
  return { id: file.id, name: file.name, data: file.data, isSearchable };
}

function fromContainer(file: ContainerFile): ReachableFile {
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  return { id: file.id, name, data: file.data, isSearchable: false };
}

/** Each file once, in the order of upload; what came inside the request is the newest. */
function inOrder(files: readonly ReachableFile[], state: DemoState): readonly ReachableFile[] {
  const byKey = new Map<string, ReachableFile>();
  for (const file of files) {
    const key = file.id ?? `${file.name}/${file.data.byteLength}`;
    const known = byKey.get(key);
    byKey.set(key, known?.isSearchable ? known : file);
  }
  const orderOf = (file: ReachableFile) => {
    const container = state.containers.find((one) => file.id && one.files.has(file.id));
    return (
      state.files.get(file.id ?? "")?.order ??
      container?.files.get(file.id ?? "")?.order ??
      Number.MAX_SAFE_INTEGER
    );
  };
  return [...byKey.values()].sort((a, b) => orderOf(a) - orderOf(b));
}
