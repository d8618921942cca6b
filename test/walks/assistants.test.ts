import { describe, expect, test } from "vitest";
import type { ModelTurn } from "#ports/model-backend";
import { consoleStage } from "./console-stage.ts";
import { discordStage } from "./discord-stage.ts";
import { chart, clean, complaint, quiz, rules, sales, sums } from "./fixtures.ts";
import { slackStage } from "./slack-stage.ts";
import type { Stage } from "./stage.ts";
import { call, commands, done, patience, say, says, walk } from "./walk.ts";

const namesOf = (turn: ModelTurn | undefined) => turn?.functions.map(({ name }) => name);

describe.each([
  ["Slack on the wire", slackStage],
  ["Discord on the wire", discordStage],
  ["the console over HTTP", consoleStage],
] as const)("on %s", (_name, createStage: () => Promise<Stage>) => {
  test("customer service tells orders and stock, takes a complaint and calls a person", async () => {
    const { stage, backend, office } = await walk(
      createStage,
      "customer-service",
      ({ said = "", output }) => {
        const [mark] = /\u3010[^\u3011]+\u3011/.exec(output ?? "") ?? [];
        if (mark) return say(`Within 30 days${mark}.`);
        if (output !== undefined) return say(`It says: ${output}`);
        if (said.includes("send it back")) return call("file_search", { query: "returns" });
        if (said.includes("A-1042")) {
          const email = said.includes("eve") ? "eve@e.example" : "ada@a.example";
          return call("order_status", { order: "A-1042", email });
        }
        if (said.includes("lamp?")) return call("stock", { name: "lamp" });
        if (said.includes("broken")) return call("ask_form", complaint);
        if (said.includes("person")) {
          return call("hand_over", { reason: "Wants a refund", summary: "The lamp is broken." });
        }
        return say(`You said: ${said}`);
      },
    );
    await commands(office, ["scope person"]);
    await commands(office, ["files add channel"], { name: "rules.md", text: rules });
    // A busy machine may answer first that it is still reading.
    await expect
      .poll(async () => {
        await commands(office, ["files"]);
        return office.whispersTo("Boss");
      }, patience)
      .toContain("can be searched (1 passage)");
    const ada = stage.talk();
    await ada.says("Ada", "Where is A-1042? I am ada@a.example");
    await says(ada, '"state":"sent"');
    expect(namesOf(backend.turns.at(-1))).toEqual(
      expect.arrayContaining(["order_status", "stock"]),
    );
    await ada.says("Ada", "And A-1042 of eve@e.example");
    await says(ada, /no such order|404/);
    await ada.says("Ada", "Have you a lamp?");
    await says(ada, "Desk lamp");

    await ada.says("Ada", "May I send it back?");
    await says(ada, /30 days\[?\^?\[?1/);
    await says(ada, "rules.md");

    await ada.says("Ada", "It came broken");
    await expect.poll(async () => (await ada.shown()).controls, patience).toContain("Answer");
    await expect
      .poll(await ada.answers("Grace", ["A-1", "Mine"]), patience)
      .toMatch(/Only the person who was asked/);
    await ada.answers("Ada", ["A-1042", "It came in two pieces"]);
    await says(ada, "It came in two pieces");
    await done(ada);

    await ada.says("Ada", "I want a person");
    await says(ada, "A colleague was told");
    await expect.poll(() => stage.staffReads(), patience).toContain("Wants a refund");
    const told = await stage.staffReads();
    expect(told).toContain("It came in two pieces");
    const key = /resume in ([^\s`]+)/.exec(told)?.[1] ?? "";
    const turns = backend.turns.length;
    await ada.says("Ada", "Hello? Anybody?");

    const grace = stage.talk();
    await grace.says("Grace", "Have you a lamp?");
    await says(grace, "Desk lamp");
    expect(JSON.stringify(backend.turns.slice(turns))).not.toContain("Anybody?");

    await commands(office, [`resume in ${key}`]);
    await ada.says("Ada", "Thank you");
    await says(ada, "You said: Thank you");
    expect(JSON.stringify(backend.turns.at(-1)?.transcript)).toContain("Hello? Anybody?");
  });

  test("the maths tutor asks all a quiz, over a restart, and scores each", async () => {
    const { stage, world, start } = await walk(
      createStage,
      "maths-tutor",
      ({ said = "", output }) => {
        if (output !== undefined) return say(scores(output));
        return said.includes("quiz") ? call("display_quiz", quiz) : say("Welcome.");
      },
    );
    const talk = stage.talk();
    await talk.says("Grace", "Hello");
    await done(talk);
    await talk.says("Ada", "Give us a quiz");
    await expect.poll(async () => (await talk.shown()).controls, patience).toContain("Answer");
    await talk.answers("Grace", ["4", "It is even"]);
    await says(talk, /Answered by Grace/);
    await expect
      .poll(await talk.answers("Grace", ["3", ""]), patience)
      .toMatch("You have answered this already.");
    await world.stop();
    await start();
    await talk.answers("Boss", ["3", ""]);
    await says(talk, /Grace and Boss|Answered by Boss/);
    await talk.presses("Grace", "Finish");
    await expect
      .poll(() => talk.whispersTo("Grace"), patience)
      .toContain("Only the person who asked for this, or a manager, can finish it.");
    await talk.answers("Ada", ["4", ""]);
    await says(talk, "Grace: 1 of 1, Boss: 0 of 1, Ada: 1 of 1");
    await done(talk);
  });

  test("the data analyst reads a table, draws it, cleans it and publishes what was agreed to", async () => {
    const { stage } = await walk(createStage, "data-analyst", ({ said = "", output }) => {
      if (output !== undefined) return say(`Found: ${output.slice(0, 300)}`);
      if (said.includes("best")) return call("query_data", { sql: sums });
      if (said.includes("chart")) return call("draw_chart", chart);
      if (said.includes("Clean")) return call("query_data", { sql: clean, save_as: "Clean sales" });
      if (said.includes("report")) {
        return call("publish_report", { title: "Sales", body: "January sold most." });
      }
      return call("summarise_table", { file: "sales.csv" });
    });
    const talk = stage.talk();
    await talk.says("Ada", "What is in it?", { name: "sales.csv", text: sales });
    await says(talk, '"rows":3');
    await done(talk);
    await talk.says("Ada", "Which month was best?");
    await says(talk, /Jan.{1,3},6/);
    await done(talk);
    await talk.says("Ada", "Draw a chart of it");
    await expect
      .poll(async () => (await talk.shown()).files, patience)
      .toMatchObject([{ name: "sales.png", altText: "Sales. January sold most." }]);
    await done(talk);
    await talk.says("Ada", "Clean it");
    await expect
      .poll(async () => (await talk.shown()).files, patience)
      .toMatchObject([{ name: "clean-sales.csv" }]);
    await done(talk);
    await talk.says("Ada", "Publish a report");
    await expect.poll(async () => (await talk.shown()).controls, patience).toContain("Approve");
    expect((await talk.shown()).files).toEqual([]);
    await talk.presses("Ada", "Approve");
    await expect
      .poll(async () => (await talk.shown()).files.map(({ name }) => name), patience)
      .toEqual([expect.stringContaining("sales.md")]);
  });
});

/** What a tutor says of a quiz: the score of each person. */
function scores(output: string): string {
  const { people } = JSON.parse(output) as {
    people: readonly { name: string; answers: readonly { answer: string | null }[] }[];
  };
  return people
    .map(({ name, answers }) => `${name}: ${answers[0]?.answer === "4" ? 1 : 0} of 1`)
    .join(", ");
}
