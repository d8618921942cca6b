import type { CommandAnswer } from "#domain/command";
import type { ReplyAction } from "#domain/reply-view";
import type { Log } from "#ports/log";
import type { SlackApi } from "./api.ts";
import { refusalOf } from "./failures.ts";
import { escaped, notificationOf } from "./markdown.ts";
import { actionIds, answerBlocks, type Block, offerBlocks, plain, section } from "./sections.ts";

/** Whom to tell something, and where. */
export interface Ear {
  readonly channel: string;
  readonly user: string;
  /** Undefined: in the channel itself. */
  readonly threadTs: string | undefined;
}

/** Messages only one person sees. They are courtesies: none of them fails anything. */
export class Whispers {
  readonly #api: SlackApi;
  readonly #log: Log;

  constructor(api: SlackApi, log: Log) {
    this.#api = api;
    this.#log = log;
  }

  answer(ear: Ear, answer: Pick<CommandAnswer, "text" | "choices" | "ok">): void {
    this.#say(ear, notificationOf(answer.text, "An answer"), answerBlocks(answer));
  }

  offer(
    ear: Ear,
    offer: {
      readonly words: string;
      readonly label: string;
      readonly action: ReplyAction;
      readonly runId: string;
    },
  ): void {
    this.#say(ear, offer.words, offerBlocks(offer));
  }

  /** The reply before waits for somebody: nobody has to wait with it. */
  waitingFor(ear: Ear, who: { readonly personName: string; readonly requestId: string }): void {
    const words = `I am waiting for ${who.personName} to decide something first.`;
    const button = {
      type: "button",
      action_id: actionIds.decline,
      text: plain("Decline and answer me"),
      value: who.requestId,
    };
    this.#say(ear, words, [section(escaped(words)), { type: "actions", elements: [button] }]);
  }

  #say({ channel, user, threadTs }: Ear, text: string, blocks: readonly Block[]): void {
    const thread = threadTs === undefined ? {} : { thread_ts: threadTs };
    this.#api
      .call("chat.postEphemeral", { channel, user, ...thread, text, blocks }, { priority: "shown" })
      .catch((error: unknown) => {
        this.#log.warn(
          { platform: "slack", problem: refusalOf(error) ?? "unclear" },
          "words not shown",
        );
      });
  }
}
