import type { StepView } from "#domain/reply-view";
import { titleOf } from "./sections.ts";

/** Bytes of titles the cards of one message may take. */
const mostBytes = 900;
/** Of these, what the card takes that steps without room for one of their own share. */
const sharedBytes = 250;
const mostSharedCharacters = 60;
const mostTitle = 150;
const sharedId = "more";

/** What a streamed message shows of a step (docs.slack.dev, task_update chunk). */
export interface Card {
  readonly id: string;
  readonly title: string;
  readonly status: "in_progress" | "complete";
}

/** Cards to be sent, and what to do once Slack has taken them. */
export interface CardChanges {
  readonly cards: readonly Card[];
  readonly sent: () => void;
}

/**
 * The task cards of one streamed message: which steps have one, within the weight that is kept for
 * them beside the text. What finds no room shares the last card, which tells the newest of it.
 */
export class Cards {
  /** What Slack shows of each, by id. */
  readonly #shown = new Map<string, Card>();

  /** What has to be sent so that the cards show these steps. */
  changes(steps: readonly StepView[]): CardChanges {
    const wanted = new Map<string, Card>();
    const crowded: StepView[] = [];
    let bytes = [...this.#shown.values()].reduce((sum, card) => sum + weightOf(card), 0);
    for (const step of steps) {
      const card = cardOf(step);
      const isNew = !this.#shown.has(card.id) && !wanted.has(card.id);
      if (isNew && bytes + weightOf(card) > mostBytes - sharedBytes) {
        crowded.push(step);
        continue;
      }
      if (isNew) bytes += weightOf(card);
      wanted.set(card.id, card);
    }
    if (crowded.length > 0) wanted.set(sharedId, sharedCard(crowded));
    const cards = [...wanted.values()].filter((card) => !isSame(card, this.#shown.get(card.id)));
    return {
      cards,
      sent: () => {
        for (const card of cards) this.#shown.set(card.id, card);
      },
    };
  }
}

const endings: { readonly [S in StepView["status"]]: string } = {
  in_progress: "",
  completed: "",
  // A failed tool is no failed run: Slack would draw the whole plan as failed.
  failed: ": did not work",
  cancelled: ": stopped",
};
/** A card's title may come to end so; " (continued)" is shorter. */
const longestEnding = Math.max(...Object.values(endings).map((ending) => ending.length));

function cardOf(step: StepView): Card {
  return {
    id: shortId(step.id),
    title: `${titleOf(step, mostTitle - longestEnding)}${endings[step.status]}`,
    status: step.status === "in_progress" ? "in_progress" : "complete",
  };
}

function sharedCard(steps: readonly StepView[]): Card {
  const running = steps.findLast(({ status }) => status === "in_progress");
  const title = running
    ? titleOf(running, mostSharedCharacters)
    : `${steps.length} more ${steps.length === 1 ? "step" : "steps"}`;
  return { id: sharedId, title, status: running ? "in_progress" : "complete" };
}

/** Bytes, with room for the words it may end with. */
function weightOf({ id, title }: Card): number {
  return id === sharedId ? 0 : Buffer.byteLength(title) + longestEnding;
}

function isSame(card: Card, other: Card | undefined): boolean {
  return card.title === other?.title && card.status === other.status;
}

/** Slack wants short ids; the end of ours is the part that differs. */
function shortId(id: string): string {
  return id.length <= 24 ? id : id.slice(-24);
}
