import type { Tool } from "#domain/tool";

/** A tool server as people are told of it. */
export interface ToolServerState {
  readonly name: string;
  /** Why it cannot be used, in words; undefined when it can. */
  readonly problem?: string;
}

/**
 * Servers that bring tools of their own. One that cannot be reached is no failure: it is said, tried
 * again, and its tools come when it does.
 */
export interface ToolServers {
  /**
   * Connects to all of them. Resolves once each has answered or a few seconds are over. `onTools` is
   * called with all their tools then, and whenever these change.
   */
  start(onTools: (tools: readonly Tool[]) => void): Promise<void>;
  states(): readonly ToolServerState[];
  close(): Promise<void>;
}
