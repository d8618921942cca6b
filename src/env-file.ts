import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { nearestOf } from "./desk/command-text.ts";
import { variables } from "./environment.ts";

/** Variables that files with tools may name begin with it: no setting of ours, whatever they are called. */
export const toolSecretPrefix = "TOOL_SECRET_";

/** The variables of the process over those of a `.env` file in the folder, if there is one. */
export function readEnvironment(
  folder: string,
  processEnv: { readonly [name: string]: string | undefined },
): {
  readonly env: { readonly [name: string]: string | undefined };
  /** What in the file is no setting (typing errors, most likely), a sentence each, without values. */
  readonly unused: readonly string[];
} {
  const text = readText(resolve(folder, ".env"));
  const fromFile = parseEnv(text);
  const names = Object.keys(fromFile).filter(
    (name) => !(name in variables) && !name.startsWith(toolSecretPrefix),
  );
  return {
    env: { ...fromFile, ...processEnv },
    unused: [
      ...names.map(aboutName),
      ...linesWithout(text).map(
        (line) => `line ${line} of .env is not NAME=value; it is not used.`,
      ),
    ],
  };
}

function aboutName(name: string): string {
  const nearest = nearestOf(name, Object.keys(variables));
  const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  return `${name} in .env is no setting of Bobbin; it is not used.${hint}`;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

/** The numbers of lines that `parseEnv` passes over in silence; values in quotes may take several. */
function linesWithout(text: string): readonly number[] {
  // The same length in lines, without what a value may hold.
  const plain = text.replace(/(=[ \t]*)(["'`])[\s\S]*?\2/g, (value, head: string) =>
    head.concat("\n".repeat(value.split("\n").length - 1)),
  );
  return plain.split(/\r?\n/).flatMap((line, index) => {
    const isPassedOver = /^\s*[^\s#=]/.test(line) && !line.includes("=");
    return isPassedOver ? [index + 1] : [];
  });
}
