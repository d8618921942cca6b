import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createSlackApi, type SlackApi } from "../../../adapters/slack/api.ts";
import { Budget } from "../../../adapters/slack/budget.ts";
import { fixedToken } from "../../../adapters/slack/tokens.ts";
import type { Processes } from "../../../src/ports/processes.ts";
import { CountingMetrics } from "../../fakes/counting-metrics.ts";
import { silentLog } from "../../fakes/silent-log.ts";
import { type SlackServer, startSlackServer } from "../../wire/slack/slack-server.ts";
import { openNeighbours } from "../redis/neighbours.ts";
import { hasRedis, RedisServer } from "../redis/server.ts";

describe.skipIf(!hasRedis)("two processes in one workspace", () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.remove());

  function apiOf(slack: SlackServer, processes: Processes): SlackApi {
    return createSlackApi({
      tokens: fixedToken(slack.botToken),
      apiUrl: slack.apiUrl,
      budget: new Budget(Date.now, processes),
      metrics: new CountingMetrics(),
      log: silentLog,
    });
  }

  async function world() {
    const slack = await startSlackServer();
    onTestFinished(() => slack.stop());
    const [first, second] = await openNeighbours(redis, 2);
    if (!first || !second) throw new Error("there are no two");
    return { slack, first, second };
  }

  const refused = (slack: SlackServer) => slack.calls().filter(({ status }) => status === 429);

  test("call no more than one may, and are never told to wait", async () => {
    const { slack, first, second } = await world();
    const ada = slack.addPerson("ada");
    const apis = [apiOf(slack, first), apiOf(slack, second)];
    for (const api of apis) {
      for (let call = 0; call < 70; call += 1) {
        // Those that are still waiting at the end fail with the server.
        api.call("users.info", { user: ada.id }).catch(() => undefined);
      }
    }
    // Slack's tier 4 is a hundred a minute: each alone would make seventy calls at once.
    await expect
      .poll(() => slack.calls("users.info").length, { timeout: 30_000 })
      .toBeGreaterThan(98);
    expect(refused(slack)).toEqual([]);
  });

  test("keep back what the other's streams need to be ended", async () => {
    const { first, second } = await world();
    const [ours, theirs] = [new Budget(Date.now, first), new Budget(Date.now, second)];
    expect(ours.canStream).toBe(true);
    await expect
      .poll(() => {
        theirs.holdStream();
        return ours.canStream;
      })
      .toBe(false);
  });

  test("hear of each other's 429", async () => {
    const { first, second } = await world();
    const [ours, theirs] = [new Budget(Date.now, first), new Budget(Date.now, second)];
    expect(ours.available("chat.update", "C1")).toBeGreaterThan(0);
    await expect
      .poll(() => {
        theirs.pause("chat.update", "C1", 60_000);
        return ours.available("chat.update", "C1");
      })
      .toBe(0);
  });
});
