import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commandSpecs } from "../src/commands.ts";
import { readConfig } from "../src/config.ts";
import { readEnvironment } from "../src/env-file.ts";
import { renderEnvExample, renderSettingsTable, variables } from "../src/environment.ts";

// `npm test -- test/settings-pages.test.ts -u` writes these files anew.
const examplePath = join(import.meta.dirname, "../.env.example");
const readmePath = join(import.meta.dirname, "../README.md");

describe(".env.example", () => {
  test("says what src/environment.ts says, in the same order", async () => {
    const example = renderEnvExample();
    await expect(example).toMatchFileSnapshot(examplePath);
    const names = example.matchAll(/^#([A-Z_]+)=/gm);
    expect([...names].map((match) => match[1])).toEqual(Object.keys(variables));
  });

  test("is a .env file that works, every line taken in", () => {
    const folder = mkdtempSync(join(tmpdir(), "bobbin-env-"));
    const example = renderEnvExample().replaceAll(/^#(?=[A-Z_]+=)/gm, "");
    writeFileSync(join(folder, ".env"), example);
    const { env, unused } = readEnvironment(folder, {});
    rmSync(folder, { recursive: true });
    expect(unused).toEqual([]);
    expect(Object.keys(env).sort()).toEqual(Object.keys(variables).sort());
    expect(readConfig(env)).toMatchObject({ ok: true });
  });
});

describe("the README", () => {
  test("has the settings and the commands as they are", async () => {
    const readme = readFileSync(readmePath, "utf8");
    const filled = fill(fill(readme, "settings", renderSettingsTable()), "commands", commands());
    await expect(filled).toMatchFileSnapshot(readmePath);
    for (const name of Object.keys(variables)) expect(filled).toContain(`| \`${name}\` |`);
  });
});

function fill(page: string, name: string, text: string): string {
  const [before, rest] = page.split(`<!-- ${name} -->`);
  const after = rest?.split(`<!-- /${name} -->`)[1];
  if (after === undefined) throw new Error(`README.md has no place for ${name}`);
  return `${before}<!-- ${name} -->\n\n${text}\n\n<!-- /${name} -->${after}`;
}

function commands(): string {
  const lines = ["| command | what it does | for whom |", "| --- | --- | --- |"];
  const people = { person: "everybody", manager: "managers of the channel", admin: "admins" };
  for (const { usage, summary, role, changedBy } of commandSpecs) {
    const who = people[role].concat(changedBy ? `; ${people[changedBy]} change it` : "");
    lines.push(
      `| \`${usage.replaceAll("|", "\\|")}\` | ${summary.replaceAll("|", "\\|")} | ${who} |`,
    );
  }
  return lines.join("\n");
}
