import { join } from "node:path";
import { expect, test } from "vitest";
import type { JsonObject } from "../wire/slack/json.ts";
import { discordStage } from "./discord-stage.ts";
import { chart, quiz, rules, sales } from "./fixtures.ts";
import { slackStage } from "./slack-stage.ts";
import type { Stage } from "./stage.ts";
import { call, commands, done, patience, say, says, walk } from "./walk.ts";

const page = join(import.meta.dirname, "../../docs/payloads.md");

/** A request as the server took it. */
interface Accepted {
  readonly name: string;
  readonly body: JsonObject;
}

/** How a message gets there depends on how fast it is written; what it holds in the end does not. */
function messageIn({ body }: Accepted, name: string, fields: readonly string[]): Accepted {
  return { name, body: Object.fromEntries(fields.map((field) => [field, body[field]])) };
}

/** A quiz with its modal, a citation and a chart: the requests by which people came to see them. */
async function shownOn<S extends Stage>(
  createStage: () => Promise<S>,
  acceptedBy: (stage: S) => readonly Accepted[],
) {
  const { stage, office } = await walk(createStage, "maths-tutor", ({ said = "", output }) => {
    const [mark] = /\u3010[^\u3011]+\u3011/.exec(output ?? "") ?? [];
    if (mark) return say(`Within 30 days${mark}.`);
    if (output !== undefined) return say("There you are.");
    if (said.includes("quiz")) return call("display_quiz", quiz);
    if (said.includes("chart")) return call("draw_chart", chart);
    return said.includes("send") ? call("file_search", { query: "returns" }) : say("Hello.");
  });
  const last = (...words: readonly string[]) => {
    const found = acceptedBy(stage).findLast(({ body }) => {
      const text = JSON.stringify(body ?? null);
      return words.every((word) => text.includes(word));
    });
    if (!found) throw new Error(`nothing accepted says ${words.join(", ")}`);
    return found;
  };
  await commands(office, ["tools on file_search", "tools on draw_chart"]);
  await commands(office, ["files add channel"], { name: "rules.md", text: rules });
  const talk = stage.talk();
  await talk.says("Ada", "Give me a quiz");
  await expect.poll(async () => (await talk.shown()).controls, patience).toContain("Answer");
  const quizShown = last("Sums", "Finish");
  await talk.answers("Ada", ["4", ""]);
  const modal = last("Sums", "2 + 2?", "field0");
  await done(talk);
  await talk.says("Ada", "May I send it back?");
  await says(talk, "rules.md");
  await done(talk);
  const citation = last("rules.md", "30 days");
  await talk.says("Ada", "Draw a chart", { name: "sales.csv", text: sales });
  await expect.poll(async () => (await talk.shown()).files.length, patience).toBe(1);
  return { quiz: quizShown, modal, citation, chart: last("sales.png") };
}

/** What differs from run to run, under a name. */
function steady(text: string): string {
  return text
    .replace(/\b\d{10}\.\d{6}\b/g, "TIMESTAMP")
    .replace(/\b\d{17,20}\b/g, "SNOWFLAKE")
    .replace(/\b(run|req|file|msg)_[0-9a-f]{12,}\b/g, "$1_ID")
    .replace(/(<!date\^|<t:)\d+/g, "$1TIME")
    .replace(/\b([TUCFB])0?[0-9A-Z]{5,}\b/g, "$1_ID")
    .replace(/"length": "?\d+"?/g, '"length": "BYTES"')
    .replace(/"(trigger_id|client_msg_id|nonce|external_id|view_id)": "[^"]+"/g, '"$1": "ID"');
}

function section(title: string, { name, body }: Accepted): string {
  return `### ${title}\n\n\`${name}\`\n\n\`\`\`json\n${steady(JSON.stringify(body, null, 2))}\n\`\`\`\n`;
}

test("docs/payloads.md shows what Slack and Discord were sent for a quiz, a citation and a chart", async () => {
  // Posted and updated: what is streamed arrives in pieces, each as fast as it comes.
  const slack = await shownOn(
    () => slackStage("update"),
    ({ server }) =>
      server
        .calls()
        .filter(({ error }) => error === undefined)
        .map(({ method, args }) => ({ name: method, body: args })),
  );
  const discord = await shownOn(discordStage, ({ server }) =>
    server
      .requests()
      .filter(({ status }) => status >= 200 && status < 300)
      .map(({ method, route, body, fileNames }) => ({
        name: `${method} ${route}`,
        body: { ...(body as JsonObject), ...(fileNames.length > 0 ? { files: fileNames } : {}) },
      })),
  );
  const inSlack = (one: Accepted) =>
    messageIn(one, "chat.postMessage, chat.update", ["text", "blocks"]);
  const inDiscord = (one: Accepted) =>
    messageIn(one, "POST or PATCH /channels/:channel/messages", [
      "content",
      "components",
      "allowed_mentions",
      "flags",
    ]);
  const parts = (on: typeof slack, message: typeof inSlack) =>
    [
      section("A quiz", message(on.quiz)),
      section("Its modal, after *Answer*", on.modal),
      section("An answer that cites a file", message(on.citation)),
      section("A chart", on.chart),
    ].join("\n");
  await expect(
    `# What people see in Slack and Discord, as it is sent

Requests of the real clients that the test servers, which hold to the platforms' rules, accepted. Written by
\`test/walks/payloads.test.ts\`; ids and times stand under names. For the console there are pictures in
[tools.md](tools.md).

## Slack

${parts(slack, inSlack)}
## Discord

${parts(discord, inDiscord)}`,
  ).toMatchFileSnapshot(page);
});
