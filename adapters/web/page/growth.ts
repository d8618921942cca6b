import type { ChatMessage, LiveDelta } from "../wire.ts";

/** A reply's message after a change of it; undefined when it is not the version that was changed. */
export function grown(message: ChatMessage, delta: LiveDelta): ChatMessage | undefined {
  const { reply, text, version } = message;
  if (!reply || version !== delta.base || text.length !== delta.from) return undefined;
  return {
    ...message,
    version: delta.version,
    text: text + delta.text,
    ...(delta.files ? { files: delta.files } : {}),
    ...(delta.patch ? { reply: patched(reply, delta.patch) } : {}),
  };
}

function patched(
  reply: NonNullable<ChatMessage["reply"]>,
  patch: NonNullable<LiveDelta["patch"]>,
): NonNullable<ChatMessage["reply"]> {
  if (patch.steps.length === 0) return { ...reply, ...patch.set };
  const steps = [...reply.steps];
  for (const change of patch.steps) {
    const before = steps[change.index];
    if (change.step) steps[change.index] = change.step;
    else if (before) {
      steps[change.index] = {
        ...before,
        input: before.input + (change.input ?? ""),
        output: before.output + (change.output ?? ""),
        status: change.status ?? before.status,
      };
    }
  }
  return { ...reply, ...patch.set, steps };
}
