import type { Assistant } from "#domain/assistant";
import type { CommandAnswer } from "#domain/command";
import type { FileUse, StoredFile } from "#domain/file";
import type { IndexState } from "#ports/file-index";
import type { Command } from "./command.ts";
import { code, nearestOf } from "./command-text.ts";
import {
  type CommandRequest,
  conversationFor,
  type Desk,
  mayNotWords,
  whyNotEdit,
} from "./desk.ts";
import { mayAct } from "./roles.ts";
import { bold, choice, count, done, listed, refused, size, typed } from "./words.ts";

type FilesCommand = Extract<Command, { readonly type: "files" }>;
type OfOneFile = Extract<FilesCommand, { readonly file: string }>;

/** More files than this are not kept for a channel: each run looks whether all can be searched. */
const maxChannelFiles = 200;

/** The files a run here reaches, by what holds them. */
interface Reach {
  readonly conversationKey: string;
  readonly assistant: Assistant;
  readonly ofConversation: readonly StoredFile[];
  readonly ofChannel: readonly StoredFile[];
  readonly ofAssistant: readonly StoredFile[];
}

/** `files`: what is within reach here, and what becomes of it. */
export async function files(
  desk: Desk,
  request: CommandRequest,
  command: FilesCommand,
): Promise<CommandAnswer> {
  if (command.action === "add") return addFiles(desk, request, command.to);
  const found = await conversationFor(desk, request, {
    ...command,
    command: filesCommand(command),
  });
  if ("answer" in found) return found.answer;
  const reach = await reachOf(desk, request, found.conversationKey);
  switch (command.action) {
    case "list":
      return listFiles(desk, reach);
    case "use":
      return useFile(desk, reach, command);
    case "remove":
      return removeFile(desk, request, { reach, command });
    case "share":
    case "unshare":
    case "pin":
    case "unpin":
      return keepFile(desk, request, { reach, command });
  }
}

async function reachOf(
  desk: Desk,
  { place, settings }: CommandRequest,
  conversationKey: string,
): Promise<Reach> {
  const { threads, catalogue } = desk.options;
  const [ofConversation, assistant] = await Promise.all([
    threads.files(conversationKey),
    catalogue.answering(place.channelKey),
  ]);
  const [ofChannel, ofAssistant] = await Promise.all([
    describe(desk, settings.fileIds),
    describe(desk, assistant.file_ids),
  ]);
  return { conversationKey, assistant, ofConversation, ofChannel, ofAssistant };
}

/** Files by id; what was deleted since is left out. */
async function describe(desk: Desk, ids: readonly string[]): Promise<readonly StoredFile[]> {
  const found = await Promise.all(ids.map(async (id) => desk.options.describeFile?.(id)));
  return found.filter((file) => file !== undefined);
}

async function listFiles(desk: Desk, reach: Reach): Promise<CommandAnswer> {
  const { assistant, ofConversation, ofChannel, ofAssistant } = reach;
  const groups = [
    { title: "In this conversation:", files: ofConversation },
    { title: "In all conversations of this channel:", files: ofChannel },
    { title: `Wherever ${bold(assistant.name)} answers:`, files: ofAssistant },
  ].filter(({ files }) => files.length > 0);
  if (groups.length === 0) {
    return done(
      `There are no files in this conversation. ${typed("files add")} with an attachment gives some to ${bold(assistant.name)}, ${typed("files add channel")} to this channel.`,
    );
  }
  const ids = groups.flatMap(({ files }) => files.map(({ id }) => id));
  const states = await desk.options.searchStates?.([...new Set(ids)]);
  const parts = groups.map(({ title, files }) => {
    const lines = files.slice(0, 50).map((file) => {
      const state = states?.get(file.id);
      // What is kept is never shown whole where it can be searched.
      const isSearchedOnly = state !== undefined && files !== ofConversation;
      const use = isSearchedOnly ? "" : `: ${useWords[file.use]}`;
      return `- ${code(file.filename)} (${size(file.bytes)}, ${code(file.id)})${use}${searchedWords(state)}`;
    });
    const more = files.length > 50 ? `\n… and ${files.length - 50} more` : "";
    const heading = groups.length === 1 && files === ofConversation ? "" : `${title}\n`;
    return `${heading}${lines.join("\n")}${more}`;
  });
  return done(parts.join("\n\n"));
}

function searchedWords(state: IndexState | undefined): string {
  if (!state) return "";
  if (state.status === "failed") return `; not searched: ${state.why}`;
  const cut = state.truncated ? ", its end left out" : "";
  return `; can be searched (${count(state.passages, "passage")}${cut})`;
}

async function useFile(
  desk: Desk,
  { conversationKey, ofConversation }: Reach,
  command: Extract<FilesCommand, { readonly action: "use" }>,
): Promise<CommandAnswer> {
  const file = findFile(ofConversation, command.file);
  if (!file) return unknownFile(ofConversation, command);
  const isMoved = await desk.options.threads.useFile(conversationKey, file.id, command.use);
  if (!isMoved) return unknownFile(ofConversation, command);
  return done(`${code(file.filename)} is ${useWords[command.use]} from the next message on.`);
}

async function removeFile(
  desk: Desk,
  { person, settings }: CommandRequest,
  { reach, command }: { readonly reach: Reach; readonly command: OfOneFile },
): Promise<CommandAnswer> {
  const { threads, catalogue } = desk.options;
  const { conversationKey, assistant, ofConversation } = reach;
  const file = findFile(ofConversation, command.file);
  if (!file) return unknownFile(ofConversation, command);
  const keepers = [
    { ids: assistant.file_ids, undo: "unshare", words: `${bold(assistant.name)} keeps ` },
    { ids: settings.fileIds, undo: "unpin", words: "This channel keeps " },
  ];
  const keeper = keepers.find(({ ids }) => ids.includes(file.id));
  if (keeper) {
    return refused(
      `${keeper.words}${code(file.filename)} for all its conversations. Take it back first: ${typed(`files ${keeper.undo} ${file.filename}`)}.`,
      [choice("Take it back", `files ${keeper.undo} ${file.id}`)],
    );
  }
  const isRemoved = await threads.removeFile(conversationKey, file.id);
  if (!isRemoved) return unknownFile(ofConversation, command);
  await catalogue.note({ action: "remove file", target: `file ${file.id}` }, person);
  return done(`Deleted ${code(file.filename)}; it is no longer used here.`);
}

/** `share` and `pin` take any file within reach; what was kept can be taken back though it is gone. */
async function keepFile(
  desk: Desk,
  request: CommandRequest,
  { reach, command }: { readonly reach: Reach; readonly command: OfOneFile },
): Promise<CommandAnswer> {
  const { assistant, ofConversation, ofChannel, ofAssistant } = reach;
  const isOfAssistant = command.action === "share" || command.action === "unshare";
  const kept = isOfAssistant ? ofAssistant : ofChannel;
  const known = [...new Map([...ofConversation, ...kept].map((file) => [file.id, file])).values()];
  const keptIds = isOfAssistant ? assistant.file_ids : request.settings.fileIds;
  const file =
    findFile(known, command.file) ??
    (keptIds.includes(command.file) ? { id: command.file, filename: command.file } : undefined);
  if (!file) return unknownFile(known, command);
  const isKept = command.action === "share" || command.action === "pin";
  const change = { files: [file], isKept };
  return isOfAssistant
    ? keepForAssistant(desk, request, change)
    : keepForChannel(desk, request, change);
}

/** `files add`: what was attached to the command. */
async function addFiles(
  desk: Desk,
  request: CommandRequest,
  to: "assistant" | "channel",
): Promise<CommandAnswer> {
  const given = request.incoming.files ?? [];
  if (given.length === 0) {
    const command = typed(to === "channel" ? "files add channel" : "files add");
    return refused(`Attach the files to the message that says ${command}.`);
  }
  const ids = given.flatMap(({ fileId }) => fileId ?? []);
  const files = await describe(desk, ids);
  const unread = given
    .filter(({ fileId }) => fileId === undefined)
    .map(
      ({ name, detail }) => `- ${code(name)} was not taken: ${detail ?? "it could not be read"}`,
    );
  if (files.length === 0) return refused(unread.join("\n"));
  const change = { files, isKept: true };
  const kept =
    to === "channel"
      ? await keepForChannel(desk, request, change)
      : await keepForAssistant(desk, request, change);
  if (!kept.ok) return kept;
  const states = await desk.options.searchStates?.(ids);
  const lines = files.map(
    (file) => `- ${code(file.filename)}${searchedWords(states?.get(file.id))}`,
  );
  return done([kept.text, ...lines, ...unread].join("\n"));
}

interface Keeping {
  readonly files: readonly Pick<StoredFile, "id" | "filename">[];
  readonly isKept: boolean;
}

/** It belongs to the assistant: it is within reach of all its conversations. */
async function keepForAssistant(
  desk: Desk,
  request: CommandRequest,
  change: Keeping,
): Promise<CommandAnswer> {
  const { catalogue } = desk.options;
  const answering = await catalogue.answering(request.place.channelKey);
  const whyNot = await whyNotEdit(desk, request, answering);
  if (whyNot) return refused(whyNot);
  const after = await catalogue.edit(
    answering.id,
    ({ file_ids: ids }) => {
      const next = changedIds(ids, change);
      return next === ids ? {} : { file_ids: next };
    },
    request.person,
  );
  const state = change.isKept
    ? `${bold(after.name)} has ${fileNames(change)} in all its conversations`
    : `${bold(after.name)} has ${fileNames(change)} only where it was sent`;
  return done(`${state}${after.version === answering.version ? " already" : ""}.`);
}

/** It belongs to the channel: it is within reach of all conversations there, whoever answers. */
async function keepForChannel(
  desk: Desk,
  request: CommandRequest,
  change: Keeping,
): Promise<CommandAnswer> {
  const { place, person, settings, role } = request;
  if (!mayAct(role, "manager")) {
    return refused(mayNotWords(desk, request, "manager", "choose the files of this channel"));
  }
  if (changedIds(settings.fileIds, change).length > maxChannelFiles) {
    return refused(`A channel keeps at most ${maxChannelFiles} files.`);
  }
  const after = await desk.options.catalogue.changeChannel(
    place.channelKey,
    ({ fileIds }) => {
      const next = changedIds(fileIds, change);
      return next === fileIds ? {} : { fileIds: next };
    },
    person,
  );
  const state = change.isKept
    ? `All conversations of this channel have ${fileNames(change)}`
    : `This channel has ${fileNames(change)} only where it was sent`;
  return done(`${state}${after.version === settings.version ? " already" : ""}.`);
}

/** The same list when nothing changes. */
function changedIds(ids: readonly string[], { files, isKept }: Keeping): readonly string[] {
  const changed = files.map(({ id }) => id).filter((id) => ids.includes(id) !== isKept);
  if (changed.length === 0) return ids;
  return isKept ? [...ids, ...changed] : ids.filter((id) => !changed.includes(id));
}

function fileNames({ files }: Keeping): string {
  return listed(files.map(({ filename }) => code(filename)));
}

const useWords: { readonly [use in FileUse]: string } = {
  look: "shown to the model",
  search: "searched when a question needs it",
  compute: "given to code that computes with it",
};

function filesCommand(command: Exclude<FilesCommand, { readonly action: "add" }>): string {
  if (command.action === "list") return "files";
  const tail = command.action === "use" ? ` ${command.use}` : "";
  return `files ${command.action} ${command.file}${tail}`;
}

function findFile(known: readonly StoredFile[], wanted: string): StoredFile | undefined {
  const name = wanted.toLowerCase();
  return (
    known.find((file) => file.id === wanted) ??
    known.find((file) => file.filename.toLowerCase() === name)
  );
}

function unknownFile(known: readonly StoredFile[], command: OfOneFile): CommandAnswer {
  const names = known.map((file) => file.filename);
  const nearest = nearestOf(command.file, names);
  if (nearest) {
    const meant = filesCommand({ ...command, file: nearest });
    return refused(`There is no file ${code(command.file)} here. Did you mean ${code(nearest)}?`, [
      choice(`/assistant ${meant}`, meant),
    ]);
  }
  const rest =
    names.length > 0 ? `There are ${listed(names.slice(0, 10).map(code))}.` : "There are none.";
  return refused(`There is no file ${code(command.file)} here. ${rest}`);
}
