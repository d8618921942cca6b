import type { IncompleteReason, StepType } from "#domain/run";
import { shortened } from "#domain/shortened";
import type { Usage } from "#domain/usage";
import { type TurnFailure, toReportedFailure } from "./failures.ts";
import { asNumber, asObject, asObjects, asString, asStrings, type WireObject } from "./wire.ts";

/** How a response ended, in the words of a turn's end. */
export type ResponseResult =
  | { readonly status: "completed" }
  | { readonly status: "incomplete"; readonly reason: IncompleteReason }
  | TurnFailure;

/** Items that are a step by being there; messages, reasoning and calls are not. */
export function hasOwnStep(type: string): boolean {
  return !["message", "reasoning", "function_call", "compaction", "other"].includes(type);
}

/** What kind of step shows an item, and its title. */
export function stepOf(
  type: string,
  wire: WireObject | undefined,
): { readonly type: StepType; readonly title: string } {
  switch (type) {
    case "code_interpreter_call":
      return { type: "code_interpreter", title: "Running code" };
    case "file_search_call":
      return { type: "file_search", title: "Searching the files" };
    case "web_search_call":
      return { type: "web_search", title: "Searching the web" };
    case "image_generation_call":
      return { type: "image_generation", title: "Drawing an image" };
    case "message":
    case "reasoning":
      return { type: "reasoning", title: "Thinking" };
    default:
      return { type: "other", title: asString(wire?.name) ?? type.replaceAll("_", " ") };
  }
}

/** What a finished step shows: code and logs, queries and results. */
export function shownOf(
  type: string,
  wire: WireObject,
): { readonly input: string; readonly output: string } {
  switch (type) {
    case "code_interpreter_call": {
      const logs = asObjects(wire.outputs).flatMap((output) => asString(output.logs) ?? []);
      return { input: asString(wire.code) ?? "", output: logs.join("\n") };
    }
    case "file_search_call": {
      const results = asObjects(wire.results).map((result) => {
        const score = asNumber(result.score);
        const name = asString(result.filename) ?? "file";
        const heading = score === undefined ? name : `${name} (${score.toFixed(2)})`;
        return `${heading}\n${shorten(asString(result.text) ?? "", 300)}`;
      });
      return { input: asStrings(wire.queries).join("\n"), output: results.join("\n\n") };
    }
    case "web_search_call": {
      const action = asObject(wire.action) ?? {};
      const queries = asStrings(action.queries);
      const query = queries.length > 0 ? queries.join("\n") : (asString(action.query) ?? "");
      const page = [asString(action.url), asString(action.pattern)].filter(Boolean).join("\n");
      const found = [...asObjects(action.sources), ...asObjects(wire.results)];
      const urls = [...new Set(found.flatMap((source) => asString(source.url) ?? []))];
      return { input: query === "" ? page : query, output: urls.join("\n") };
    }
    case "image_generation_call":
      return { input: asString(wire.revised_prompt) ?? "", output: "" };
    default: {
      const problem = asString(asObject(wire.error)?.message) ?? asString(wire.error);
      return {
        input: asString(wire.arguments) ?? asString(wire.input) ?? "",
        output: asString(wire.output) ?? problem ?? "",
      };
    }
  }
}

/** How a response ended, from its status. */
export function resultOf(response: WireObject, status: string): ResponseResult {
  switch (status) {
    case "completed":
      return { status: "completed" };
    case "incomplete": {
      const reason = asString(asObject(response.incomplete_details)?.reason);
      return {
        status: "incomplete",
        reason: reason === "content_filter" ? "content_filter" : "max_completion_tokens",
      };
    }
    case "cancelled":
      return {
        status: "failed",
        code: "model-failed",
        detail: "The answer was cancelled at the service.",
      };
    default:
      return toReportedFailure(reportedError(asObject(response.error)));
  }
}

/** The error of a response or an event, as far as it says anything. */
export function reportedError(error: WireObject | undefined) {
  return {
    code: asString(error?.code) ?? null,
    type: asString(error?.type) ?? null,
    message: asString(error?.message) ?? null,
  };
}

/** The tokens of a response; the searches come from its items where the service does not count them. */
export function toUsage(
  response: WireObject,
  counted: { readonly web: number; readonly file: number },
): Usage {
  const usage = asObject(response.usage) ?? {};
  const input = asNumber(usage.input_tokens) ?? 0;
  const output = asNumber(usage.output_tokens) ?? 0;
  const billed = asNumber(asObject(asObject(response.tool_usage)?.web_search)?.num_requests);
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: asNumber(usage.total_tokens) ?? input + output,
    cached_tokens: asNumber(asObject(usage.input_tokens_details)?.cached_tokens) ?? 0,
    reasoning_tokens: asNumber(asObject(usage.output_tokens_details)?.reasoning_tokens) ?? 0,
    web_searches: billed ?? counted.web,
    file_searches: counted.file,
  };
}

/** One line of at most so many characters. */
export function shorten(text: string, length: number): string {
  return shortened(text.replaceAll(/\s+/g, " ").trim(), length);
}
