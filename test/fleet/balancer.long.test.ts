import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasRedis } from "../adapters/redis/server.ts";
import { BobbinFleet } from "../fakes/bobbin-fleet.ts";
import type { BobbinProcess } from "../fakes/bobbin-process.ts";
import { startSlackServer } from "../wire/slack/slack-server.ts";

const patience = { timeout: 60_000, interval: 50 } as const;

/** Gives every request to the next one in turn. */
async function startBalancer(members: readonly BobbinProcess[]): Promise<string> {
  let turn = 0;
  const server: Server = createServer(async (request, response) => {
    const member = members[turn++ % members.length];
    const { host: _, connection: _kept, "content-length": _length, ...headers } = request.headers;
    const answer = await fetch(new URL(request.url ?? "", member?.url), {
      method: "POST",
      body: await text(request),
      headers: headers as Record<string, string>,
    });
    const type = answer.headers.get("content-type");
    response.writeHead(answer.status, type === null ? {} : { "content-type": type });
    response.end(await answer.text());
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/slack/events`;
}

describe.skipIf(!hasRedis)("gateways behind a balancer", () => {
  test("each takes whatever Slack posts, and what came to one comes to no other", async () => {
    const slack = await startSlackServer();
    onTestFinished(() => slack.stop());
    await using fleet = await BobbinFleet.open({
      CONSOLE: "off",
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_SIGNING_SECRET: slack.settings.signingSecret,
      SLACK_API_URL: slack.apiUrl,
    });
    const [first, second] = await Promise.all([
      fleet.start("gateway"),
      fleet.start("gateway"),
      fleet.start("worker"),
    ]);
    await slack.useRequestUrl(await startBalancer([first, second]));
    const ada = slack.addPerson("ada", { isAdmin: true });
    const general = slack.addChannel("general", { members: [ada] });
    const repliesTo = (ts: string) => slack.replies(general, ts);
    const read = (ts: string) => repliesTo(ts).at(-1)?.text;

    // In a channel it is in, each comes twice: app_mention and message.
    const questions = [2, 3, 4, 5].map((n) => ({
      ts: ada.mentions(general, `calculate 6 * ${n}`).ts,
      answer: `**${6 * n}**`,
    }));
    for (const { ts, answer } of questions) {
      await expect.poll(() => read(ts), patience).toContain(answer);
    }
    const said = slack.deliveries.filter(({ kind }) => kind === "events_api");
    const again = said.map((delivery) => slack.dispatcher.redeliver(delivery));
    const ends = await Promise.all(again.map(({ finished }) => finished));
    expect(ends.map(({ state }) => state)).toEqual(said.map(() => "acknowledged"));

    for (const name of ["Lace", "Bobbin lace"]) {
      await ada.types(`/assistant context channel We make ${name}.`, general);
      await expect.poll(() => ada.sees(general).at(-1)?.isEphemeral, patience).toBe(true);
      const { ts } = ada.mentions(general, "about");
      await expect.poll(() => read(ts), patience).toContain(`We make ${name}.`);
    }
    const form = '{"title": "Lunch", "fields": [{"id": "dish", "label": "Which dish?"}]}';
    const asked = ada.mentions(general, `call ask_form ${form}`);
    await expect.poll(() => repliesTo(asked.ts).at(-1)?.controls, patience).toContain("Answer");
    const [question] = repliesTo(asked.ts).slice(-1);
    if (question) await ada.presses(question, "Answer");
    await expect.poll(() => ada.modal?.title, patience).toBe("Lunch");
    await ada.submits({ "Which dish?": "Soup" });
    await expect.poll(() => read(asked.ts), patience).toContain("Soup");

    for (const { ts } of questions) expect(repliesTo(ts)).toHaveLength(1);
    for (const gateway of [first, second]) {
      const metrics = await (await gateway.get("metrics")).text();
      expect(metrics).toMatch(/bobbin_messages_received_total\{[^}]*"accepted"\} [1-9]/);
      expect(metrics).toMatch(/bobbin_messages_received_total\{[^}]*"repeat"\} [1-9]/);
      // They take in, and answer nothing themselves.
      expect(metrics).not.toMatch(/^bobbin_run_wait_seconds_count\{/m);
    }
    expect(slack.complaints).toEqual([]);
  }, 180_000);
});
