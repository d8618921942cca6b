import type { Turn } from "../conversation.ts";
import type { Plan } from "../plan.ts";
import { exampleCall } from "./call.ts";
import { type Ask, fenced, say } from "./skill.ts";

/** What the brain can do here, with examples that work as they stand. */
export function help({ text }: Ask, turn: Turn): Plan {
  const asked = /^(help|hi|hello|hey)?[!?.]*$/i.test(text);
  const has = (tool: string) => turn.hosted.includes(tool);
  const offers = (tool: string) => turn.functions.some(({ name }) => name === tool);
  const lines = [
    "- **Arithmetic**, exact: `what is 15% of 80`, `2^200`, `round(10/3, 2)`",
    "- **Tables**: attach a CSV file, then `facts` or `sum of amount`",
    ...(offers("query_data")
      ? ["- **Data**: `tables`, `query SELECT count(*) FROM sales`, `clean sales.csv`"]
      : []),
    ...(offers("draw_chart") ? ["- **Charts**: `chart of amount by month`, from a CSV file"] : []),
    "- **Search**: attach a text, then `search refund policy`; the answer cites the passages",
    has("code_interpreter")
      ? "- **Files**: `make files` (from an attached CSV), `chart Mon=3, Tue=5, Wed=2`"
      : "- **Files** (`make files`, `chart …`) need the code interpreter, which is not on for this assistant",
    ...(has("image_generation") ? ["- **Pictures**: `image of blue waves` draws a pattern"] : []),
    "- **Memory**: `what did I say?`; **what I was given**: `about`",
    "- **Everything Markdown**: `showcase`; **thinking shown**: `reason 12*12`",
    "- **Slow, long, failing**: `slow 30` (seconds), `long 30000` (characters), `fail 429`, `fail cut once`; `fail` lists all",
  ];
  const calls = turn.functions.map(exampleCall);
  const functions =
    calls.length > 0
      ? `**Functions**, one call per line, several lines in parallel:\n\n${fenced(calls.join("\n"), "text")}`
      : "No functions are on for this assistant.";
  return say(
    asked
      ? "I am a small program that stands in for a model, so that everything around it can be tried. I answer by fixed rules:"
      : "Without a model I cannot answer that: I am a small program that goes by fixed rules. I can do this:",
    lines.join("\n"),
    functions,
    "For real answers set `OPENAI_API_KEY`, or `OPENAI_BASE_URL` to a model server of your own, and start again.",
  );
}
