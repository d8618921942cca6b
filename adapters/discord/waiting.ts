import type { Json } from "#domain/json";
import type { Bot, MessageAnswer } from "#ports/bot";
import type { Ear, Notes } from "./notes.ts";

type Accepted = Extract<MessageAnswer, { readonly status: "accepted" }>;

/** Whose the marks of waiting messages are. */
const owner = "discord";

/** Says of a message that it waits. */
export async function sayWaiting(
  message: { readonly eventId: string; readonly ear: Ear; readonly answer: Accepted },
  { notes, bot }: { readonly notes: Notes; readonly bot: Pick<Bot, "markWaiting"> },
): Promise<void> {
  const { eventId, ear, answer } = message;
  const { conversationKey, position, waitingFor } = answer;
  const note = waitingFor
    ? await notes.waitingFor(ear, waitingFor)
    : await notes.line(ear, queuedWords(position));
  if (note === undefined) return;
  const shown = { channel: ear.channel, note };
  await bot.markWaiting({ owner, eventId, conversationKey, shown });
}

/** Takes back what says of messages that they wait, when their turn has come. */
export function takeBackWaited(bot: Pick<Bot, "onWaited">, notes: Notes): () => void {
  return bot.onWaited(owner, (shown: Json) => {
    const { channel, note } = shown as { readonly channel: string; readonly note: string };
    return notes.takeBack(channel, note);
  });
}

function queuedWords(position: number): string {
  return position === 1
    ? "I am answering something else here; this is next."
    : `I am answering something else here; ${position} messages are before this one.`;
}
