import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createAssistantLibrary } from "../../adapters/yaml/assistant-library.ts";
import { calculateTool } from "../../src/tools/calculate.ts";
import { ScriptedBackend } from "../fakes/scripted-backend.ts";
import { TestWorld } from "../fakes/test-world.ts";

let world: TestWorld;
let folder: string;
beforeEach(() => {
  world = new TestWorld();
  folder = mkdtempSync(join(tmpdir(), "bobbin-shelf-"));
});
afterEach(async () => {
  await world.end();
  rmSync(folder, { recursive: true, force: true });
});

function start() {
  return world.start({
    backend: new ScriptedBackend(() => [{ type: "say", text: "Hello." }]),
    tools: [calculateTool],
    library: createAssistantLibrary({ folder, maxFileBytes: 100_000 }),
  });
}

/** What a manager is answered to a command. */
async function command(text: string) {
  const answer = await world.say(`/assistant ${text}`, { role: "manager" });
  if (answer.status !== "command") throw new Error(`it was ${answer.status}`);
  return answer.answer;
}

const ended = (count = 1) =>
  vi.waitFor(() => expect(world.metrics.runs).toHaveLength(count), { timeout: 20_000 });
const bee = "name: Bee\ndescription: Hums\ninstructions:\n  role: You hum.\ntools: [calculate]\n";

describe("assistants from files", () => {
  test("one command makes a shipped one, and says which of its tools are not here", async () => {
    await start();
    const made = await command("create from maths-tutor");
    expect(made).toMatchObject({ ok: true, choices: [{ command: "use Maths tutor" }, {}] });
    expect(made.text).toContain("Created **Maths tutor**");
    expect(made.text).toContain("`ask_form`");
    expect((await command("show Maths tutor")).text).toContain("## Rules");
    expect((await command("create from maths-tutor")).text).toContain("That name is taken.");
    expect((await command("create from maths-tutor as Algebra")).text).toContain("**Algebra**");
  });

  test("an unknown template is answered with those there are", async () => {
    await start();
    const answer = await command("create from nonsense");
    expect(answer.ok).toBe(false);
    expect(answer.text).toContain("`customer-service`, `data-analyst`, `maths-tutor`");
  });

  test("anybody but a manager may not", async () => {
    await start();
    const answer = await world.say("/assistant create from maths-tutor");
    expect(answer).toMatchObject({ status: "command", answer: { ok: false } });
    expect(await world.bobbin.catalogue.find("Maths tutor")).toBeUndefined();
  });

  test("an export attached to a message makes the same assistant again", async () => {
    await start();
    await command("create from data-analyst");
    const { file } = await command("export assistant Data analyst");
    expect(file).toMatchObject({ name: "data-analyst.yaml", mimeType: "application/yaml" });
    const text = new TextDecoder().decode(file?.data);
    await world.say("here", { attachments: [world.attach("data-analyst.yaml", text)] });
    await ended();
    const answer = await command("create from data-analyst.yaml as Copy");
    expect(answer.ok).toBe(true);
    const [first, second] = await Promise.all([
      world.bobbin.catalogue.find("Data analyst"),
      world.bobbin.catalogue.find("Copy"),
    ]);
    expect({ ...second, id: 0, name: 0, metadata: 0 }).toEqual({
      ...first,
      id: 0,
      name: 0,
      metadata: 0,
    });
  });

  test("an attached file that is none says what is wrong", async () => {
    await start();
    await world.say("here", { attachments: [world.attach("x.yaml", "nmae: X")] });
    await ended();
    const answer = await command("create from x.yaml");
    expect(answer).toMatchObject({ ok: false });
    expect(answer.text).toContain("nmae");
  });

  test("files in the folder are there after the start, with what they keep", async () => {
    writeFileSync(join(folder, "bee.yaml"), `${bee}files: [facts.txt, gone.txt]\n`);
    writeFileSync(join(folder, "facts.txt"), "Bees hum.");
    writeFileSync(join(folder, "broken.yaml"), "name: [");
    await start();
    const found = await world.bobbin.catalogue.find("Bee");
    expect(found).toMatchObject({
      instructions: "You hum.",
      tools: [{ type: "function", function: { name: "calculate" } }],
      file_ids: [expect.any(String)],
    });
    expect((await command("show Bee")).text).toContain("`facts.txt`");
  });

  test("a changed file makes a new version; what was changed in the chat stays until then", async () => {
    writeFileSync(join(folder, "bee.yaml"), bee);
    await start();
    await world.say("/assistant edit Bee instructions You buzz.", { role: "admin" });
    await world.stop();
    await start();
    expect((await world.bobbin.catalogue.find("Bee"))?.instructions).toBe("You buzz.");
    await world.stop();
    writeFileSync(join(folder, "bee.yaml"), bee.replace("hum.", "hum louder."));
    await start();
    expect((await world.bobbin.catalogue.find("Bee"))?.instructions).toBe("You hum louder.");
  });

  test("a name that somebody gave an assistant already is not taken over", async () => {
    await start();
    await command("create Bee instructions You are mine.");
    await world.stop();
    writeFileSync(join(folder, "bee.yaml"), bee);
    await start();
    expect((await world.bobbin.catalogue.find("Bee"))?.instructions).toBe("You are mine.");
  });
});
