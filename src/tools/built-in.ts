import type { Tool } from "#domain/tool";
import { askForm } from "./ask-form.ts";
import { calculateTool } from "./calculate.ts";
import { currentTime } from "./current-time.ts";
import { displayQuiz } from "./display-quiz.ts";
import { makeChart } from "./make-chart.ts";
import { publishReport } from "./publish-report.ts";
import { summariseTable } from "./summarise-table.ts";

/** The functions every installation has: useful without a key, an account or a network. */
export const builtInTools: readonly Tool[] = [
  askForm,
  calculateTool,
  currentTime,
  displayQuiz,
  makeChart,
  publishReport,
  summariseTable,
];
