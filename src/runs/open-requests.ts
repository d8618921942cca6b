import type { Person } from "#domain/conversation";
import type { AskedForm, PersonRequest } from "#domain/run-event";
import type { Asked, FormAnswers, PersonAnswers } from "#domain/tool";
import type { Decision } from "#ports/bot";
import type { Ledger } from "#ports/ledger";
import { toJson } from "./checkpoint.ts";
import { names } from "./names.ts";

/** What is kept of an open question, so that a press can be checked, and a form asked again. */
export interface OpenRequest {
  readonly conversationKey: string;
  readonly runId: string;
  readonly personKey: string;
  readonly type: PersonRequest["type"];
  readonly expiresAtMs: number;
  /** Of a form: what it asks. */
  readonly asks?: Pick<AskedForm, "title" | "form">;
  /** Of a form to everyone: what was answered, and how it closed. */
  readonly group?: GroupAnswers;
}

/** The one truth of a form to everyone: an answer counts when it stands here before `closed` does. */
export interface GroupAnswers {
  readonly people: readonly PersonAnswers[];
  readonly closed?: {
    readonly as: Asked["ended"];
    /** Who finished it. */
    readonly byName?: string;
  };
}

/** So many people may answer one form, with so many characters together: it is kept in one register. */
const limits = { people: 100, characters: 400_000 } as const;

/** What a press on a form to everyone came to; `isTaken`: its run has to look. */
export interface GroupPress {
  readonly isTaken: boolean;
  readonly ok: boolean;
  readonly words: string;
}

/** Takes an answer to a form to everyone, or closes it. Durable, and in one order with all others. */
export async function pressGroupForm(
  ledger: Ledger,
  press: {
    readonly requestId: string;
    readonly by: Person;
    readonly decision: Decision["decision"];
    /** Whether they asked for it, or manage the channel. */
    readonly mayFinish: boolean;
    readonly nowMs: number;
  },
): Promise<GroupPress> {
  const { requestId, by, decision, mayFinish, nowMs } = press;
  for (;;) {
    const found = await readGroup(ledger, requestId);
    if (!found || found.group.closed || found.open.expiresAtMs <= nowMs)
      return refused(closedWords);
    const { people } = found.group;
    switch (decision.type) {
      case "approve":
        return refused("This asks for answers, not for an approval.");
      case "answer": {
        // Its run may not know yet, if the process ended right after the first press.
        if (people.some(({ personKey }) => personKey === by.key)) {
          return { isTaken: true, ok: false, words: "You have answered this already." };
        }
        const mine = { personKey: by.key, personName: by.name, answers: decision.answers };
        if (isFull([...people, mine])) {
          return refused("This holds as many answers as it can: yours was not taken.");
        }
        const group: GroupAnswers = { people: [...people, mine] };
        if (await found.replace(group)) return taken("Thank you, answered.");
        break;
      }
      case "decline":
      case "finish": {
        if (!mayFinish) {
          return refused("Only the person who asked for this, or a manager, can finish it.");
        }
        const group: GroupAnswers = { people, closed: { as: "finished", byName: by.name } };
        if (await found.replace(group)) return taken("Finished.");
        break;
      }
    }
  }
}

/**
 * What was answered to a form to everyone so far. Closes it when it is due, at the latest with this
 * look: from then on no answer is taken any more.
 */
export async function readGroupForm(
  ledger: Ledger,
  requestId: string,
  isDue: (open: OpenRequest, people: readonly PersonAnswers[]) => Asked["ended"] | undefined,
): Promise<GroupAnswers> {
  for (;;) {
    const found = await readGroup(ledger, requestId);
    if (!found) return { people: [], closed: { as: "expired" } };
    if (found.group.closed) return found.group;
    const as = isDue(found.open, found.group.people);
    if (as === undefined) return found.group;
    const closed: GroupAnswers = { ...found.group, closed: { as } };
    if (await found.replace(closed)) return closed;
  }
}

/** The answers of one form added to those of the forms before it. */
export function withAnswers(
  before: Asked | undefined,
  people: readonly PersonAnswers[],
  ended: Asked["ended"],
): Asked {
  const all = new Map((before?.people ?? []).map((one) => [one.personKey, one]));
  for (const one of people) {
    const answers = { ...all.get(one.personKey)?.answers, ...one.answers };
    all.set(one.personKey, { ...one, answers });
  }
  return { forms: (before?.forms ?? 0) + 1, people: [...all.values()], ended };
}

/** All answers together, as a tool that asks one person reads them. */
export function allAnswers({ people }: Asked): FormAnswers {
  return Object.assign({}, ...people.map(({ answers }) => answers));
}

/** What an open form asks; undefined when it is settled, or no form. */
export async function readAskedForm(
  ledger: Pick<Ledger, "read">,
  requestId: string,
): Promise<AskedForm | undefined> {
  const register = await ledger.read(names.request(requestId));
  const open = register?.value as unknown as OpenRequest | undefined;
  return open?.asks && { id: requestId, ...open.asks };
}

async function readGroup(ledger: Ledger, requestId: string) {
  const name = names.request(requestId);
  const register = await ledger.read(name);
  const open = register?.value as unknown as OpenRequest | undefined;
  if (!register || !open) return undefined;
  const ifVersion = register.version;
  return {
    open,
    group: open.group ?? { people: [] },
    replace: (group: GroupAnswers) =>
      ledger.apply({ registers: [{ name, value: toJson({ ...open, group }), ifVersion }] }),
  };
}

const closedWords = "This is closed: no answer is taken any more.";

function isFull(people: readonly PersonAnswers[]): boolean {
  return people.length > limits.people || JSON.stringify(people).length > limits.characters;
}

function taken(words: string): GroupPress {
  return { isTaken: true, ok: true, words };
}

function refused(words: string): GroupPress {
  return { isTaken: false, ok: false, words };
}
