import type { CommandAnswer } from "#domain/command";
import { conversationKeyOf, type Person, type Place, type Scope } from "#domain/conversation";
import type { FileUse, StoredFile } from "#domain/file";

import type {
  ConversationStatus,
  ConversationSummary,
  PlacedConversation,
  ThreadControl,
} from "#ports/thread-control";

/** What was asked of it, in order: `stop web:general:1 all`. */
export type ThreadCall = string;

/** Threads as the commands see them, without any: remembers what was asked, answers what a test sets. */
export class FakeThreadControl implements ThreadControl {
  readonly calls: ThreadCall[] = [];
  /** By conversation key. What is not set here is an empty, idle conversation. */
  readonly statuses = new Map<string, Partial<ConversationStatus>>();
  readonly open: ConversationSummary[] = [];
  readonly recent: PlacedConversation[] = [];
  readonly fileLists = new Map<string, StoredFile[]>();
  scope: Scope = "thread";
  canRetry = true;
  exported: CommandAnswer["file"] = {
    name: "conversation.jsonl",
    mimeType: "application/jsonl",
    data: new TextEncoder().encode("{}\n"),
  };

  async conversationOf(place: Place, person: Person): Promise<string> {
    return conversationKeyOf(place, person, this.scope);
  }

  async openConversations(
    channelKey: string,
    _person: Person,
  ): Promise<readonly ConversationSummary[]> {
    return this.open.filter((one) => one.channelKey === channelKey);
  }

  async recentConversations(
    _person: Person,
    { platform, limit }: { readonly platform: string; readonly limit: number },
  ): Promise<readonly PlacedConversation[]> {
    return this.recent.filter(({ place }) => place.platform === platform).slice(0, limit);
  }

  async resume(conversationKey: string): Promise<boolean> {
    this.calls.push(`resume ${conversationKey}`);
    return this.statuses.get(conversationKey)?.handedOver !== undefined;
  }

  async status(conversationKey: string): Promise<ConversationStatus> {
    return {
      conversationKey,
      threadId: undefined,
      messageCount: 0,
      isRunning: false,
      waitingFor: undefined,
      waiting: [],
      lastRun: undefined,
      assistant: undefined,
      ...this.statuses.get(conversationKey),
    };
  }

  async stop(
    conversationKey: string,
    what: "current" | "all",
  ): Promise<{ readonly stopped: boolean; readonly removedFromQueue: number }> {
    this.calls.push(`stop ${conversationKey} ${what}`);
    const { isRunning, waiting } = await this.status(conversationKey);
    return { stopped: isRunning, removedFromQueue: what === "all" ? waiting.length : 0 };
  }

  async startNewThread(conversationKey: string, eventId: string): Promise<void> {
    this.calls.push(`new ${conversationKey} ${eventId}`);
  }

  async retry(conversationKey: string, eventId: string, by: Person): Promise<boolean> {
    this.calls.push(`retry ${conversationKey} ${eventId} ${by.key}`);
    return this.canRetry;
  }

  async forgetConversation(conversationKey: string, eventId: string): Promise<void> {
    this.calls.push(`forget ${conversationKey} ${eventId}`);
  }

  async stopUnder(keyPrefix: string): Promise<number> {
    this.calls.push(`stop-under ${keyPrefix}`);
    return 0;
  }

  async forgetUnder(keyPrefix: string, eventId: string): Promise<number> {
    this.calls.push(`forget-under ${keyPrefix} ${eventId}`);
    return 0;
  }

  async forgetOlderThan(beforeMs: number): Promise<number> {
    this.calls.push(`forget older ${beforeMs}`);
    return 0;
  }

  async forgetPerson(personKey: string, eventId: string): Promise<number> {
    this.calls.push(`forget-person ${personKey} ${eventId}`);
    return 2;
  }

  async exportConversation(conversationKey: string): Promise<CommandAnswer["file"]> {
    this.calls.push(`export ${conversationKey}`);
    return this.exported;
  }

  async files(conversationKey: string): Promise<readonly StoredFile[]> {
    return this.fileLists.get(conversationKey) ?? [];
  }

  async useFile(conversationKey: string, fileId: string, use: FileUse): Promise<boolean> {
    this.calls.push(`use-file ${conversationKey} ${fileId} ${use}`);
    return this.#has(conversationKey, fileId);
  }

  async removeFile(conversationKey: string, fileId: string): Promise<boolean> {
    this.calls.push(`remove-file ${conversationKey} ${fileId}`);
    return this.#has(conversationKey, fileId);
  }

  #has(conversationKey: string, fileId: string): boolean {
    return (this.fileLists.get(conversationKey) ?? []).some((file) => file.id === fileId);
  }
}
