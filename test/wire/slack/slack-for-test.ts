import { expect, onTestFinished } from "vitest";
import { type SlackServer, type SlackServerOptions, startSlackServer } from "./slack-server.ts";

/**
 * A Slack that ends with the test, after everything the test itself ends. Whatever it complained
 * of fails the test, unless the test took it with {@link SlackServer.takeComplaints}.
 */
export async function slackForTest(options: SlackServerOptions = {}): Promise<SlackServer> {
  const slack = await startSlackServer(options);
  onTestFinished(async () => {
    await slack.stop();
    expect(slack.complaints).toEqual([]);
  });
  return slack;
}
