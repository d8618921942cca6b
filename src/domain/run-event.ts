import type { Person } from "#domain/conversation";
import type { BotErrorCode } from "#domain/errors";
import type { IncompleteReason, RunEndStatus, StepStatus, StepType } from "#domain/run";
import type { Form } from "#domain/tool";
import type { Usage } from "#domain/usage";

/** Where a statement comes from. Two citations of the same source share one number. */
export interface Source {
  readonly title: string;
  readonly url?: string;
  readonly fileId?: string;
  readonly page?: number;
  readonly quote?: string;
}

/** A file of the reply: in our file store under `id`. */
export interface ReplyFile {
  readonly id: string;
  readonly name: string;
  readonly mimeType: string;
  readonly bytes: number;
  readonly altText: string;
}

/** Something a person must decide before the run goes on. `id` is all a control carries. */
export interface ApprovalRequest {
  readonly type: "approval";
  readonly id: string;
  readonly callId: string;
  readonly toolName: string;
  readonly title: string;
  /** What would be done, in words; for those who may decide. */
  readonly arguments: string;
  readonly expiresAtMs: number;
  /** The person who is asked. */
  readonly personKey: string;
}

export interface FormRequest {
  readonly type: "form";
  readonly id: string;
  readonly callId: string;
  readonly toolName: string;
  readonly title: string;
  readonly form: Form;
  readonly expiresAtMs: number;
  /** Who asked the bot; of a form to everyone, who may finish it. */
  readonly personKey: string;
  /** Of a form to everyone: who has answered so far. */
  readonly answered?: readonly Person[];
}

/** What somebody who answers a form is asked. */
export type AskedForm = Pick<FormRequest, "id" | "title" | "form">;

export type PersonRequest = ApprovalRequest | FormRequest;

/** How a request was settled, in words for the chat: "Approved by Ada", "Declined", "Expired". */
export interface Settlement {
  readonly requestId: string;
  readonly outcome: "approved" | "declined" | "answered" | "expired" | "withdrawn";
  readonly byName?: string;
}

/** Something the bot itself says on a reply, beside the answer: never the model's words. */
export interface Notice {
  readonly kind: "info" | "warning" | "error";
  readonly text: string;
}

/** What happened in a run, in order. Folded into a view by `applyEvent`. */
export type RunEvent =
  /** The turn is asked again: what it showed so far is withdrawn. */
  | { readonly type: "turn-restart" }
  | { readonly type: "turn-start"; readonly turn: number }
  | { readonly type: "text-delta"; readonly text: string }
  /** Stands where the statement ends; the fold writes the footnote mark. */
  | { readonly type: "citation"; readonly source: Source }
  | {
      readonly type: "step-start";
      readonly step: { readonly id: string; readonly type: StepType; readonly title: string };
    }
  | {
      readonly type: "step-delta";
      readonly id: string;
      /** In the place of the title so far: a line of progress. */
      readonly title?: string;
      readonly input?: string;
      readonly output?: string;
    }
  | {
      readonly type: "step-end";
      readonly id: string;
      readonly status: StepStatus;
      readonly title?: string;
    }
  | { readonly type: "file-ready"; readonly file: ReplyFile }
  | { readonly type: "approval-request"; readonly request: ApprovalRequest }
  | { readonly type: "form-request"; readonly request: FormRequest }
  /** All who have answered a form to everyone so far. */
  | {
      readonly type: "request-answered";
      readonly requestId: string;
      readonly answered: readonly Person[];
    }
  | { readonly type: "request-settled"; readonly settlement: Settlement }
  | { readonly type: "usage"; readonly usage: Usage }
  | { readonly type: "notice"; readonly notice: Notice }
  | {
      readonly type: "run-end";
      readonly status: RunEndStatus;
      readonly error?: { readonly code: BotErrorCode | "unknown"; readonly message: string };
      readonly reason?: IncompleteReason;
    };
