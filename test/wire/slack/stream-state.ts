import type { AppSettings } from "./app-settings.ts";
import type { TaskCard } from "./message-stream.ts";
import type { SlackMessage } from "./model.ts";
import type { World } from "./world.ts";

/**
 * What a message's stream is by now; undefined when it is no stream. It dies a fixed time after
 * its start, however busy it is, and its open tasks then show as failed.
 */
export function currentState(
  message: SlackMessage,
  {
    world,
    settings,
  }: { readonly world: World; readonly settings: Pick<AppSettings, "streamLifeMs"> },
): "live" | "stopped" | "stopped-by-user" | "expired" | undefined {
  const { stream } = message;
  if (stream?.state === "live" && world.clock.now() >= stream.startedAtMs + settings.streamLifeMs) {
    expire(message);
  }
  return stream?.state;
}

/** Ends a live stream the way Slack does when its time is over. */
export function expire(message: SlackMessage): void {
  const { stream } = message;
  if (stream?.state !== "live") return;
  stream.state = "expired";
  for (const task of stream.tasks.values()) {
    if (isOpen(task)) stream.tasks.set(task.id, { ...task, status: "error" });
  }
}

function isOpen(task: TaskCard): boolean {
  return task.status === "in_progress" || task.status === "pending";
}
