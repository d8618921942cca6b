import { z } from "zod";
import type { CodeFile, CodeOutcome } from "#domain/code-run";
import { fileNamesOf } from "#domain/file-names";
import { mimeTypeOf } from "#domain/mime-type";
import type { Tool, ToolContext, ToolFile } from "#domain/tool";
import type { CodeRunner } from "#ports/code-runner";
import { defineTool } from "./define-tool.ts";

/** All files of a conversation, newest first, as far as this goes. */
const maxInputBytes = 100_000_000;
/** A call may have to wait for others before it begins. */
const waitMs = 120_000;
const maxCodeCharacters = 100_000;

/** As the hosted tool is called, so that it stands in for that. */
export const codeInterpreterName = "code_interpreter";

/** Runs Python a model wrote: what a hosted code interpreter does, on every backend. */
export function createCodeInterpreter(runner: CodeRunner): Tool {
  return defineTool({
    name: codeInterpreterName,
    title: "Running Python",
    description: `Runs Python and gives back what it prints, the value of its last expression and errors. The files of the conversation lie in the working folder under their names; every file the code writes there is attached to the reply. ${packagesWords(runner.packages)} There is no network and nothing outlives a call but the files: import and read again what you need. At most ${runner.timeoutMs / 1_000} seconds. Use it to compute, to clean tables and to make files.`,
    schema: z.object({
      code: z.string().min(1).max(maxCodeCharacters).describe("Python source."),
    }),
    idempotent: true,
    timeoutMs: runner.timeoutMs + waitMs,
    async run({ code }, context, signal) {
      const { files, tooBig } = await readFiles(context);
      const outcome = await runner.run({ code, files }, signal);
      if (outcome.type === "stopped") return `The code was stopped. ${outcome.why}`;
      const output = [
        section("Printed", outcome.output),
        section("Value of the last expression", outcome.value),
        section("Error", outcome.error),
        hintFor(outcome, runner.packages, files),
        listed("Attached to the reply", outcome.files),
        listed("Not attached, because too many or too big", outcome.leftOut.map(named)),
        listed("Not in the working folder, because too big", tooBig.map(named)),
      ].filter((part) => part !== "");
      return {
        type: "output",
        output: output.join("\n\n") || "It ran, printed nothing and wrote no files.",
        files: outcome.files.map(toToolFile),
      };
    },
  });
}

function packagesWords(packages: readonly string[]): string {
  if (packages.length === 0) {
    return "Only Python's standard library is there (no numpy, pandas or matplotlib): draw charts with the chart tool.";
  }
  const pictures = packages.includes("matplotlib")
    ? " Open matplotlib figures are attached as PNG."
    : "";
  return `There are the standard library, ${packages.join(", ")} and what they need.${pictures}`;
}

/** The conversation's files under names of their own; of two with one name the newer one. */
async function readFiles(
  context: ToolContext,
): Promise<{ readonly files: readonly CodeFile[]; readonly tooBig: readonly string[] }> {
  const newestFirst = [...context.files].reverse();
  const distinct = newestFirst.filter(
    ({ name }, i) => newestFirst.findIndex((other) => other.name === name) === i,
  );
  const names = fileNamesOf(distinct.map(({ name }) => name));
  const files: CodeFile[] = [];
  const tooBig: string[] = [];
  let left = maxInputBytes;
  for (const [i, { id }] of distinct.entries()) {
    const name = names[i] ?? "file";
    const data = await context.readFile(id);
    if (data.length > left) {
      tooBig.push(name);
      continue;
    }
    left -= data.length;
    files.push({ name, data });
  }
  return { files, tooBig };
}

/** What helps a model that asked for something there is not. */
function hintFor(
  { error, missingModule }: Extract<CodeOutcome, { readonly type: "ran" }>,
  packages: readonly string[],
  files: readonly CodeFile[],
): string {
  if (error === undefined) return "";
  if (missingModule !== undefined) {
    const there = packages.length > 0 ? `; of packages there are ${packages.join(", ")}` : "";
    return `\`${missingModule}\` is not installed here and nothing can be installed${there}. Use the standard library, and the chart tool (draw_chart or make_chart) for charts.`;
  }
  if (error.includes("FileNotFoundError")) {
    return listed("In the working folder", files) || "The working folder is empty.";
  }
  if (/Host is unreachable|Name or service not known/.test(error)) {
    return "There is no network in here.";
  }
  return "";
}

function section(title: string, text: string | undefined): string {
  return text === undefined || text.trim() === "" ? "" : `${title}:\n${text.trimEnd()}`;
}

function listed(title: string, files: readonly { readonly name: string }[]): string {
  return files.length === 0 ? "" : `${title}: ${files.map(({ name }) => name).join(", ")}`;
}

function named(name: string) {
  return { name };
}

function toToolFile({ name, data }: CodeFile): ToolFile {
  return { name, mimeType: mimeTypeOf(name), data, altText: name };
}
