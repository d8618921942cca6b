import { hash, randomBytes } from "node:crypto";

/**
 * The names of what the run engine keeps. Registers, lists, rankings and counters live in the
 * ledger; those under `record` live in the record store.
 */
export const names = {
  /** Register: a conversation's current thread and where its backend carries on. */
  head: (conversationKey: string) => `head/${conversationKey}`,
  /** Register: the run at work or parked in a conversation, and who asked. */
  atHand: (conversationKey: string) => `at-hand/${conversationKey}`,
  /** Register: where a run belongs. */
  run: (runId: string) => `run/${runId}`,
  /** Register: a reply that is looked at once more, by conversation and run. Ranking: these, by when. */
  lateLook: (id: string) => `late-look/${id}`,
  lateLooks: "late-looks",
  /** Register: what is shown on a message that waits. Ranking: these of an owner, by since when. */
  waitingMark: (id: string) => `waiting-mark/${id}`,
  waitingMarks: (owner: string) => `waiting-marks/${owner}`,
  /** Register: which run answered a message. */
  answered: (eventId: string) => `answered/${eventId}`,
  /** Register: a question to a person that is still open. */
  request: (requestId: string) => `request/${requestId}`,
  /** Register: a person has the conversation. List: what was said there meanwhile. */
  handedOver: (conversationKey: string) => `handed-over/${conversationKey}`,
  missed: (conversationKey: string) => `missed/${conversationKey}`,
  /** Register: which assistant a file in the assistants folder made, and from what. */
  assistantFile: (name: string) => `assistant-file/${name}`,
  /** Register: what somebody thought of an answer. */
  feedback: (runId: string, personKey: string) => `feedback/${runId}/${personKey}`,
  /** List: the pages of a thread, in order. */
  pages: (threadId: string) => `pages/${threadId}`,
  /** List: pages whose place another has taken, or nothing: people see them no more. */
  replacedPages: (threadId: string) => `replaced-pages/${threadId}`,
  /** List: what a service keeps of a conversation though nothing goes on from it any more. */
  left: (conversationKey: string) => `left/${conversationKey}`,
  /** Rankings: files by age: those within reach of a conversation, and all. */
  files: (conversationKey: string) => `files/of/${conversationKey}`,
  filesByAge: "files/age",
  /** List: threads a conversation had, oldest first. */
  threads: (conversationKey: string) => `threads/${conversationKey}`,
  /** Rankings: conversations by when they were last used. */
  conversationsByAge: "conversations/age",
  /** Ranking: who took part in a conversation, by when they last did. */
  peopleIn: (conversationKey: string) => `people/in/${conversationKey}`,
  conversationsIn: (channelKey: string) => `conversations/in/${channelKey}`,
  conversationsOf: (personKey: string) => `conversations/of/${personKey}`,
  record: {
    page: (runId: string, epoch: string) => `page/${runId}/${epoch}`,
    run: (runId: string, epoch: string) => `run/${runId}/${epoch}`,
    thread: (threadId: string) => `thread/${threadId}`,
    file: (fileId: string) => `file/${fileId}`,
  },
  usage: {
    person: (personKey: string, day: string) => `usage/person/${personKey}/${day}`,
    channel: (channelKey: string, month: string) => `usage/channel/${channelKey}/${month}`,
    assistant: (assistantId: string, month: string) => `usage/assistant/${assistantId}/${month}`,
    all: (month: string) => `usage/all/${month}`,
  },
} as const;

/** An id that the same cause always gives: a repeated attempt makes no second run, file or request. */
export function stableId(prefix: string, ...cause: readonly string[]): string {
  return `${prefix}_${digestOf(cause).slice(0, 24)}`;
}

/** The same for a cause, whose time leads: what is stored one after the other lies side by side. */
export function timedId(prefix: string, atMs: number, ...cause: readonly string[]): string {
  return `${prefix}_${timeDigits(atMs)}${digestOf(cause).slice(0, 12)}`;
}

/** By time too, and otherwise by chance. */
export function newThreadId(atMs: number): string {
  return `thread_${timeDigits(atMs)}${randomBytes(10).toString("hex")}`;
}

function timeDigits(ms: number): string {
  return Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0");
}

function digestOf(cause: readonly string[]): string {
  return hash("sha256", cause.join("\n"));
}

/** `2026-11-21`, in UTC. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** `2026-11`, in UTC. */
export function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7);
}
