import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createMetrics } from "../adapters/prometheus/metrics.ts";
import { variables } from "../src/environment.ts";

const root = join(import.meta.dirname, "..");
const guide = readFileSync(join(root, "docs/operating.md"), "utf8");
const compose = readFileSync(join(root, "compose.yaml"), "utf8");

test("docs/operating.md has every metric in its table, and names none that there is not", async () => {
  const queue = async () => ({ waiting: [], running: 0, parked: 0, oldestMs: 0 });
  const here = () => ({ runs: 0, leasesLost: 0 });
  const { scrape } = createMetrics({ queue, here, platforms: () => [] });
  const { body } = await scrape();
  const there = [...body.matchAll(/^# TYPE (bobbin_\w+) (\w+)$/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
  const rows = [...guide.matchAll(/^\| `(bobbin_\w+)` \| (\w+) \|/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
  expect(rows.toSorted()).toEqual(there.toSorted());
  const names = new Set(there.map((row) => row.split(" ")[0]));
  const named = [...guide.matchAll(/bobbin_\w+/g)].map(([name]) => name.replace(/_count$/, ""));
  expect(named.filter((name) => !names.has(name))).toEqual([]);
});

test.each([
  ["docs/operating.md", guide],
  ["compose.yaml", compose],
])("%s names no setting that there is not", (_file, text) => {
  const named = [...text.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([name]) => name);
  expect(named).toContain("BOBBIN_ROLE");
  expect(named.filter((name) => !(name in variables))).toEqual([]);
});

test("docs/operating.md leads to headings and files that are there", () => {
  const headings = [...guide.matchAll(/^#+ (.+)$/gm)].map(([, words = ""]) =>
    words
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  const links = [...guide.matchAll(/\]\(([^)#\s]*)#?([^)\s]*)\)/g)];
  for (const [, file = "", heading = ""] of links) {
    if (file.startsWith("https:")) continue;
    if (file !== "") expect(readFileSync(join(root, "docs", file), "utf8")).not.toBe("");
    else expect(headings).toContain(heading);
  }
  for (const [, heading] of compose.matchAll(/"([^"]+)" in docs\/operating\.md/g)) {
    expect(guide).toMatch(new RegExp(`^#+ ${heading}$`, "m"));
  }
});
