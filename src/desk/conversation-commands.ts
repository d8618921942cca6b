import type { CommandAnswer } from "#domain/command";
import type { ConversationStatus } from "#ports/thread-control";
import type { AboutConversation, Command } from "./command.ts";
import { code } from "./command-text.ts";
import { type CommandRequest, conversationFor, type Desk, mayNotWords } from "./desk.ts";
import { mayAct } from "./roles.ts";
import { policyWords, spanWords } from "./settings-commands.ts";
import { runUsageWords } from "./usage-words.ts";
import { bold, choice, count, done, refused, typed } from "./words.ts";

type Of<T extends Command["type"]> = Extract<Command, { readonly type: T }>;

/** `status`: who answers here, what goes on, what waits. */
export async function status(
  desk: Desk,
  request: CommandRequest,
  command: Of<"status">,
): Promise<CommandAnswer> {
  const { catalogue, threads, queue, backend } = desk.options;
  const { settings } = request;
  const [answering, found] = await Promise.all([
    catalogue.answering(request.place.channelKey),
    conversationFor(desk, request, { ...command, command: "status", prefersBusy: true }),
  ]);
  const model = settings.model ?? catalogue.modelOf(answering);
  const lines = [
    `${bold(answering.name)} (version ${answering.version}) answers here with ${code(model)}.`,
    `- Conversations: ${spanWords(request)}`,
    `- What waits: ${policyWords[settings.policy]}`,
  ];
  if ("conversationKey" in found) {
    const now = await threads.status(found.conversationKey);
    lines.push(
      `- ${found.title ? `“${found.title}”` : "This conversation"}: ${count(now.messageCount, "message")}; ${activityWords(desk, now)}`,
    );
    if (now.lastRun) {
      lines.push(`- Last reply: ${now.lastRun.status}, ${runUsageWords(now.lastRun)}`);
    }
  }
  if (mayAct(request.role, "admin")) {
    const all = await queue.inspect();
    lines.push(
      `- Everywhere: ${count(all.running, "reply", "replies")} being written, ${count(all.parked, "reply", "replies")} waiting for somebody, ${count(all.waiting.length, "message")} waiting; models by ${code(backend.name)}. ${typed("list audit")} shows who changed what.`,
    );
  }
  const choices = "answer" in found ? (found.answer.choices ?? []) : [];
  return done(lines.join("\n"), choices);
}

function activityWords(desk: Desk, now: ConversationStatus): string {
  const waits = now.waiting.length > 0 ? `, ${count(now.waiting.length, "message")} waiting` : "";
  if (now.handedOver)
    return `a person has taken over (${now.handedOver}); ${typed("resume")} gives it back`;
  if (now.waitingFor) return `waiting for ${desk.nameOf(now.waitingFor)} to decide${waits}`;
  return `${now.isRunning ? "a reply is being written" : "nothing is being written"}${waits}`;
}

/** `resume`: the bot answers again. A manager may name any conversation of the channel, not only their own. */
export async function resume(
  desk: Desk,
  request: CommandRequest,
  command: Of<"resume">,
): Promise<CommandAnswer> {
  const { threads, catalogue } = desk.options;
  const { place, person } = request;
  const conversationKey = command.conversation ?? (await threads.conversationOf(place, person));
  if (!(await threads.resume(conversationKey))) {
    return done("Nobody has taken over here: I answer.");
  }
  await catalogue.note({ action: "resume", target: `conversation ${conversationKey}` }, person);
  return done("I answer there again, and know what was written meanwhile.");
}

/** `queue`: shows the line, or sets the channel's policy. */
export async function queue(
  desk: Desk,
  request: CommandRequest,
  command: Of<"queue">,
): Promise<CommandAnswer> {
  const { catalogue, threads } = desk.options;
  const { settings, person } = request;
  const { policy } = command;
  if (policy !== null) {
    const after = await catalogue.changeChannel(
      request.place.channelKey,
      () => ({ policy }),
      person,
    );
    if (after.version === settings.version)
      return done(`That is so already: ${policyWords[policy]}.`);
    return done(`From now on: ${policyWords[policy]}.`);
  }
  const rule = `What waits in this channel: ${policyWords[settings.policy]}.`;
  const found = await conversationFor(desk, request, {
    ...command,
    command: "queue",
    prefersBusy: true,
  });
  if ("answer" in found) return done(rule, found.answer.choices);
  const now = await threads.status(found.conversationKey);
  const current = now.waitingFor
    ? `The reply at hand waits for ${desk.nameOf(now.waitingFor)} to decide.`
    : now.isRunning
      ? "A reply is being written."
      : "Nothing is being written.";
  const line = now.waiting.map(
    ({ personKey }, index) =>
      `${index + 1}. ${personKey === person.key ? "you" : desk.nameOf(personKey)}`,
  );
  const shown = line.slice(0, 20).join("\n");
  const more = line.length > 20 ? `\n… and ${line.length - 20} more` : "";
  return done(
    line.length === 0
      ? `${rule}\n${current} Nothing waits.`
      : `${rule}\n${current} ${count(line.length, "message")} waiting, from:\n${shown}${more}`,
    line.length > 0 ? [choice("Stop all", "stop all")] : [],
  );
}

/** `new`: after the running reply when there is one, which can be stopped. */
export async function startNew(
  desk: Desk,
  request: CommandRequest,
  command: Of<"new">,
): Promise<CommandAnswer> {
  const { threads } = desk.options;
  const found = await conversationFor(desk, request, { ...command, command: "new" });
  if ("answer" in found) return found.answer;
  const { conversationKey, title } = found;
  const now = await threads.status(conversationKey);
  await threads.startNewThread(conversationKey, request.incoming.eventId);
  const where = title ? ` in “${title}”` : "";
  const kept = "What was said before is kept, but I no longer read it.";
  if (!now.isRunning && !now.waitingFor) {
    return done(`A new conversation begins${where} with the next message. ${kept}`);
  }
  return done(`A new conversation begins${where} after the reply at hand. ${kept}`, [
    choice("Stop that reply now", about("stop", command.conversation, title, conversationKey)),
  ]);
}

/** `stop`: bypasses the queue. `all` also takes away what others wait for, which needs a manager. */
export async function stop(
  desk: Desk,
  request: CommandRequest,
  command: Of<"stop">,
): Promise<CommandAnswer> {
  const { threads } = desk.options;
  const isAll = command.what === "all";
  const found = await conversationFor(desk, request, {
    ...command,
    command: isAll ? "stop all" : "stop",
    prefersBusy: true,
  });
  if ("answer" in found) return found.answer;
  if (isAll && !mayAct(request.role, "manager")) {
    const { waiting } = await threads.status(found.conversationKey);
    if (waiting.some(({ personKey }) => personKey !== request.person.key)) {
      return refused(mayNotWords(desk, request, "manager", "remove messages of others that wait"), [
        choice(
          "Stop the reply",
          about("stop", command.conversation, found.title, found.conversationKey),
        ),
      ]);
    }
  }
  const { stopped, removedFromQueue } = await threads.stop(found.conversationKey, command.what);
  const where = found.title ? ` in “${found.title}”` : "";
  const removed =
    removedFromQueue > 0 ? ` ${count(removedFromQueue, "waiting message")} removed.` : "";
  if (stopped) return done(`Stopped the reply${where}; what was written is kept.${removed}`);
  if (removedFromQueue > 0) return done(`Nothing was being written${where}.${removed}`);
  return done(`Nothing was being written${where}.`);
}

/** `retry`. */
export async function retry(
  desk: Desk,
  request: CommandRequest,
  command: Of<"retry">,
): Promise<CommandAnswer> {
  const { threads } = desk.options;
  const found = await conversationFor(desk, request, { ...command, command: "retry" });
  if ("answer" in found) return found.answer;
  const now = await threads.status(found.conversationKey);
  const { eventId } = request.incoming;
  const isAsked = await threads.retry(found.conversationKey, eventId, request.person);
  const where = found.title ? ` in “${found.title}”` : "";
  if (!isAsked) return refused(`There is no answered message${where} to answer again.`);
  if (!now.isRunning && !now.waitingFor) return done(`I answer the last message${where} again.`);
  return done(`I answer the last answered message${where} again, after the reply at hand.`, [
    choice(
      "Stop that reply now",
      about("stop", command.conversation, found.title, found.conversationKey),
    ),
  ]);
}

/** `export`: the conversation as JSON lines. */
export async function exportConversation(
  desk: Desk,
  request: CommandRequest,
  command: Extract<Of<"export">, AboutConversation>,
): Promise<CommandAnswer> {
  const { threads, catalogue } = desk.options;
  const found = await conversationFor(desk, request, { ...command, command: "export" });
  if ("answer" in found) return found.answer;
  const file = await threads.exportConversation(found.conversationKey);
  if (!file) return refused("Nothing was said here yet.");
  await catalogue.note(
    { action: "export", target: `conversation ${found.conversationKey}` },
    request.person,
  );
  return { ...done("Here is this conversation, one JSON object a line."), file };
}

/** `forget`: after a question, since it cannot be undone. */
export async function forget(
  desk: Desk,
  request: CommandRequest,
  command: Of<"forget">,
): Promise<CommandAnswer> {
  switch (command.what) {
    case null:
      return done("What shall I forget? It is really deleted and cannot be brought back.", [
        choice("This conversation", "forget conversation"),
        choice("All that I ever said", "forget me"),
      ]);
    case "me":
      return forgetPerson(desk, request, command.confirmed);
    case "conversation":
      return forgetConversation(desk, request, command);
  }
}

async function forgetPerson(
  desk: Desk,
  request: CommandRequest,
  isConfirmed: boolean,
): Promise<CommandAnswer> {
  const { threads, catalogue } = desk.options;
  if (!isConfirmed) {
    return done(
      "Forget all that you ever said to me, with the answers only you asked for and your files, and what I know about you? What others said in the same conversations stays. It is really deleted and cannot be brought back.",
      [choice("Forget me", "forget me yes")],
    );
  }
  const touched = await threads.forgetPerson(request.person.key, request.incoming.eventId);
  await catalogue.forgetPerson(request.person.key);
  await catalogue.note(
    { action: "forget", target: `person ${request.person.key}` },
    request.person,
  );
  return done(
    `I forget what you said in ${count(touched, "conversation")}, and what I knew about you. What you see in the chat itself is yours to delete.`,
  );
}

async function forgetConversation(
  desk: Desk,
  request: CommandRequest,
  command: Of<"forget">,
): Promise<CommandAnswer> {
  const { threads, catalogue } = desk.options;
  const found = await conversationFor(desk, request, {
    ...command,
    command: "forget conversation",
  });
  if ("answer" in found) return found.answer;
  const isOwn = request.place.isDirect || request.settings.scope === "person";
  if (!isOwn && !mayAct(request.role, "manager")) {
    return refused(
      `${mayNotWords(desk, request, "manager", "forget a conversation that others share")} ${typed("forget me")} deletes what you said yourself.`,
      [choice("Forget what I said", "forget me")],
    );
  }
  const name = found.title ? `“${found.title}”` : "this conversation";
  if (!command.confirmed) {
    const now = await threads.status(found.conversationKey);
    const running = now.isRunning ? " The reply being written is stopped." : "";
    return done(
      `Forget ${name}: ${count(now.messageCount, "message")} and all files?${running} It is really deleted and cannot be brought back.`,
      [
        choice(
          "Forget it",
          about(
            "forget conversation yes",
            command.conversation,
            found.title,
            found.conversationKey,
          ),
        ),
      ],
    );
  }
  await threads.forgetConversation(found.conversationKey, request.incoming.eventId);
  await catalogue.note(
    { action: "forget", target: `conversation ${found.conversationKey}` },
    request.person,
  );
  return done(
    `I forget ${name}: its messages, its files, and what the model's service kept. What you see in the chat itself is yours to delete.`,
  );
}

/** The command for a button that is about the same conversation. */
function about(
  command: string,
  named: string | null,
  title: string | undefined,
  conversationKey: string,
): string {
  return named !== null || title !== undefined ? `${command} in ${conversationKey}` : command;
}
