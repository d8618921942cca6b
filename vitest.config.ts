import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** It has one core busy for twenty minutes: begun first, everything else is done beside it. */
const longest = /split-markdown\.long\.test\.ts$/;

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => (longest.test(moduleId) ? 0 : 1);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

/** `unit` is the everyday suite, `process` starts real processes, `browser` needs a Chromium, `long` holds chaos and property runs. */
export default defineConfig({
  test: {
    // Most tests wait for sockets and processes: one at a time would leave two cores idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.{process,browser,long}.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // A busy machine may take its time before something is to be observed.
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        test: {
          name: "process",
          include: ["test/**/*.process.test.ts"],
          // What is waited for has deadlines of its own, which say what did not come.
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "browser",
          include: ["test/**/*.browser.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "long",
          include: ["test/**/*.long.test.ts"],
          testTimeout: 1_200_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
