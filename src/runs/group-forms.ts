import { listOfNames } from "#domain/request-words";
import type { FormRequest, Settlement } from "#domain/run-event";
import type { PersonAnswers } from "#domain/tool";
import type { PendingCall } from "./checkpoint.ts";
import type { RunEnvironment } from "./environment.ts";
import { names } from "./names.ts";
import {
  type GroupAnswers,
  type OpenRequest,
  readGroupForm,
  withAnswers,
} from "./open-requests.ts";
import { answerCall, askedOf, setCall } from "./pending-calls.ts";
import type { RunWork } from "./run-work.ts";

/** Who spoke longer ago is not waited for. */
const takesPartForMs = 24 * 3_600_000;
const maxWaitedFor = 1_000;

/** A form can be answered by several people where several can talk: not where each is alone with the bot. */
export function isShared({ task }: RunWork): boolean {
  return !task.place.isDirect && task.channel.scope !== "person";
}

/** The form to everyone a call waits for. */
export function groupRequestOf({ view }: RunWork, { state }: PendingCall): FormRequest | undefined {
  if (state.type !== "waiting") return undefined;
  const request = view.requests.find(({ id }) => id === state.requestId);
  return request?.type === "form" && request.form.everyone ? request : undefined;
}

/**
 * Shows who has answered the forms to everyone, and goes on with those that are closed. Answers lie in
 * the question's register, whose one order says which of them count; it goes with the step that takes them.
 */
export async function settleGroupForms(work: RunWork, environment: RunEnvironment): Promise<void> {
  for (const call of work.state.calls) {
    const request = groupRequestOf(work, call);
    if (request) await settleGroupForm(work, environment, { call, request });
  }
}

async function settleGroupForm(
  work: RunWork,
  { ledger, now }: RunEnvironment,
  { call, request }: { readonly call: PendingCall; readonly request: FormRequest },
): Promise<void> {
  const waitedFor = await peopleOf(work, { ledger, now });
  const group = await readGroupForm(ledger, request.id, (open, people) =>
    endOf({ open, people, waitedFor, nowMs: now() }),
  );
  const answered = group.people.map(({ personKey: key, personName: name }) => ({ key, name }));
  if (answered.length > (request.answered?.length ?? 0)) {
    work.tell({ type: "request-answered", requestId: request.id, answered });
  }
  const { closed, people } = group;
  if (!closed) return;
  const before = askedOf(call);
  const isAnswered = people.length > 0 || (before?.people.length ?? 0) > 0;
  if (isAnswered) {
    setCall(work, call, { type: "cleared", asked: withAnswers(before, people, closed.as) });
  } else {
    answerCall(work, call, { output: unansweredWords(closed), status: "cancelled" });
  }
  work.tell({ type: "request-settled", settlement: settlementOf(request, group) });
  await work.save({ registers: [{ name: names.request(request.id), value: null }] });
}

function endOf(form: {
  readonly open: OpenRequest;
  readonly people: readonly PersonAnswers[];
  readonly waitedFor: ReadonlySet<string>;
  readonly nowMs: number;
}): "answered" | "expired" | undefined {
  const { open, people, waitedFor, nowMs } = form;
  const answered = new Set(people.map(({ personKey }) => personKey));
  if ([...waitedFor].every((key) => answered.has(key))) return "answered";
  return open.expiresAtMs <= nowMs ? "expired" : undefined;
}

/** Who asked, and who else talked in this conversation lately. */
async function peopleOf(
  { task }: RunWork,
  { ledger, now }: Pick<RunEnvironment, "ledger" | "now">,
): Promise<ReadonlySet<string>> {
  const ranked = await ledger.ranked(names.peopleIn(task.conversationKey), {
    from: now() - takesPartForMs,
    limit: maxWaitedFor,
    highestFirst: true,
  });
  const authors = task.messages.map(({ author }) => author.key);
  return new Set([task.asker.key, ...authors, ...ranked.map(({ member }) => member)]);
}

function unansweredWords({ as, byName }: NonNullable<GroupAnswers["closed"]>): string {
  return as === "finished"
    ? `${byName ?? "Somebody"} ended this before anybody had answered.`
    : "Nobody answered in time, so this was not done.";
}

function settlementOf(
  { id: requestId }: FormRequest,
  { people, closed }: GroupAnswers,
): Settlement {
  if (people.length > 0) {
    const byName = listOfNames(people.map(({ personName }) => personName));
    return { requestId, outcome: "answered", byName };
  }
  if (closed?.as !== "finished") return { requestId, outcome: "expired" };
  return {
    requestId,
    outcome: "declined",
    ...(closed.byName === undefined ? {} : { byName: closed.byName }),
  };
}
