import type { QuotedMessage } from "#domain/message";
import { shortened } from "#domain/shortened";
import { escaped, notificationOf, withoutPings } from "./markdown.ts";
import { type Block, context, plain, section } from "./sections.ts";

const mostQuestion = 3_000;
const mostShown = 1_000;

export const askCallback = "bobbin_ask";
const questionBlock = "question";
/** The block that asks where the answer goes; complaints about the place stand below it. */
export const whereBlock = "where";

/** What somebody wants to know of a message, and who shall see it. */
export interface Question {
  readonly text: string;
  readonly where: "direct" | "thread";
}

/** Asks what somebody wants to know of a message. Only the id of what was kept goes with it. */
export function askModal(keptId: string, text: string) {
  return {
    type: "modal",
    callback_id: askCallback,
    private_metadata: keptId,
    notify_on_close: true,
    title: plain("Ask the assistant"),
    submit: plain("Ask"),
    close: plain("Cancel"),
    blocks: [
      section(quote(shortenedMarkup(text))),
      {
        type: "input",
        block_id: questionBlock,
        label: plain("Your question about this message"),
        element: {
          type: "plain_text_input",
          action_id: questionBlock,
          multiline: true,
          max_length: mostQuestion,
        },
      },
      {
        type: "input",
        block_id: whereBlock,
        label: plain("Where shall I answer?"),
        element: {
          type: "radio_buttons",
          action_id: whereBlock,
          options: [where.direct, where.thread],
          initial_option: where.direct,
        },
      },
    ],
  };
}

const where = {
  direct: { text: plain("Only to me, in a direct message"), value: "direct" },
  thread: { text: plain("In the message's thread, for everybody there"), value: "thread" },
} as const;

/** What was written into {@link askModal}. */
export function questionIn(view: unknown): Question {
  const { state } = view as {
    readonly state?: { readonly values?: { readonly [block: string]: Given | undefined } };
  };
  const values = state?.values ?? {};
  const chosen = values[whereBlock]?.[whereBlock]?.selected_option?.value;
  return {
    text: values[questionBlock]?.[questionBlock]?.value?.trim() ?? "",
    where: chosen === "thread" ? "thread" : "direct",
  };
}

interface Given {
  readonly [action: string]: {
    readonly value?: string | null;
    readonly selected_option?: { readonly value: string } | null;
  };
}

/** The message an answer stands below, so that who reads along knows what was asked. */
export function questionMessage(asked: {
  readonly question: Question;
  readonly user: string;
  readonly about: QuotedMessage;
  readonly link: string | undefined;
}): { readonly text: string; readonly blocks: readonly Block[] } {
  const { question, user, about, link } = asked;
  const words = escaped(shortened(withoutPings(question.text), 2_500));
  const author = escaped(shortened(about.author, 80));
  const source = link ? `<${link}|a message> of ${author}` : `a message of ${author}`;
  return {
    text: notificationOf(question.text, "A question"),
    blocks: [
      section(`<@${user}> asks: ${words}`),
      ...(question.where === "direct" ? [section(quote(escapedShort(about.text)))] : []),
      context(`About ${source}`),
    ],
  };
}

function quote(mrkdwn: string): string {
  return (mrkdwn.trim() || "_no text_").replace(/^/gm, "> ");
}

/** Slack's own markup shows names of people and channels by itself; half a tag would not. */
function shortenedMarkup(text: string): string {
  return shortened(text, mostShown).replace(/<[^>]*…$/, "…");
}

function escapedShort(markdown: string): string {
  return escaped(shortened(withoutPings(markdown), mostShown));
}
