import { App, LogLevel } from "@slack/bolt";
import OpenAI from "openai";
import { serve, startedWith } from "../child.ts";
import type { FloorOptions } from "../floor-bot.ts";
import type { SlackAccess } from "./slack-process.ts";

/**
 * The smallest Bolt bot: a mention is answered with the same call of the same SDK that Bobbin makes,
 * and its text is posted once it is complete.
 *
 * It keeps nothing, answers only mentions, shows nothing while the model writes, reads no names,
 * knows no limits but to wait when it is told, and loses what it works on in a crash.
 */
const { baseUrl, body, slack } = startedWith<FloorOptions & { readonly slack: SlackAccess }>();
const client = new OpenAI({ apiKey: "none", baseURL: baseUrl, maxRetries: 0, logLevel: "off" });
const app = new App({
  token: slack.botToken,
  appToken: slack.appToken,
  socketMode: true,
  clientOptions: { slackApiUrl: slack.apiUrl },
  logLevel: LogLevel.ERROR,
});

app.event("app_mention", async ({ event, say }) => {
  const stream = await client.responses.create({
    ...body,
    input: [{ role: "user", content: [{ type: "input_text", text: event.text }] }],
  });
  let text = "";
  for await (const part of stream)
    if (part.type === "response.output_text.delta") text += part.delta;
  await say({ markdown_text: text, thread_ts: event.ts });
});

await app.start();
serve({}, { stop: () => app.stop() });
