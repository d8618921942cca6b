import type { Json } from "#domain/json";
import type { Source } from "#domain/run-event";
import type { TranscriptEntry } from "#domain/thread";
import { filesOfPeople, filesOfReplies } from "#domain/transcript";
import type { ModelTurn } from "#ports/model-backend";
import type { RemoteLoss } from "./failures.ts";
import { fromRemoteFiles, noRemoteFiles, type RemoteFiles, toRemoteFiles } from "./files.ts";
import { asObject, asString, asStrings } from "./wire.ts";

/** How one turn is to be asked: changed when something it relied on turns out to be gone. */
export interface Plan {
  readonly previousResponseId: string | undefined;
  readonly entries: readonly TranscriptEntry[];
  readonly remote: RemoteFiles;
  readonly replaysItems: boolean;
}

/** What the driver keeps in a {@link BackendState}. */
export interface Kept {
  readonly responseId: string | undefined;
  /** The last responses of chains that were left; the ones before are found through them. */
  readonly heads: readonly string[];
  readonly remote: RemoteFiles;
}

/** The plan without what was gone. */
export function repaired(
  plan: Plan,
  loss: RemoteLoss,
  transcript: readonly TranscriptEntry[],
): Plan {
  const { remote } = plan;
  switch (loss) {
    case "response":
      return { ...plan, previousResponseId: undefined, entries: transcript };
    case "reasoning":
      return { ...plan, replaysItems: false };
    case "container":
      return { ...plan, remote: { ...remote, container: null } };
    case "vector-store":
      return { ...plan, remote: { ...remote, vectorStore: null } };
    case "file":
      // Nobody knows which: all are uploaded again, and earlier responses name the old ones.
      return {
        ...plan,
        previousResponseId: undefined,
        entries: transcript,
        remote: noRemoteFiles,
      };
  }
}

/** What the person is told about it, if they would notice. */
export function repairNotice(loss: RemoteLoss): string | undefined {
  switch (loss) {
    case "container":
      return "The code interpreter's workspace had expired and was set up again.";
    case "vector-store":
      return "The file search store had expired and was rebuilt.";
    case "response":
    case "reasoning":
    case "file":
      return undefined;
  }
}

/** Our ids of all files that a conversation's tools may work on. */
export function reachableFiles(
  turn: ModelTurn,
  transcript: readonly TranscriptEntry[],
): readonly string[] {
  const ids = [
    ...turn.assistant.file_ids,
    ...filesOfPeople(transcript),
    ...filesOfReplies(transcript),
  ];
  return [...new Set(ids)];
}

/** The source behind a file that the service names by its own id, or only by its name. */
export function sourceOf(
  turn: ModelTurn,
  remote: RemoteFiles,
  remoteId: string | undefined,
  name: string,
): Source {
  const uploaded = Object.entries(remote.uploads).find(([, file]) => file.id === remoteId)?.[0];
  const named = [...turn.files.values()].find((file) => file.filename === name)?.id;
  const fileId = uploaded ?? named;
  return fileId === undefined ? { title: name } : { title: name, fileId };
}

/** Reads what a state was stored as. */
export function toKept(data: Json): Kept {
  const wire = asObject(data) ?? {};
  return {
    responseId: asString(wire.responseId),
    heads: asStrings(wire.heads),
    remote: toRemoteFiles(wire.remote),
  };
}

/** What a state is stored as. */
export function fromKept({ responseId, heads, remote }: Kept): Json {
  return { responseId, heads: [...heads], remote: fromRemoteFiles(remote) };
}
