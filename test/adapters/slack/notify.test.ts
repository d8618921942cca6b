import { expect, test } from "vitest";
import type { ChannelNote } from "#ports/platform";
import { startSlack } from "./slack-harness.ts";

const file = {
  name: "transcript.md",
  mimeType: "text/markdown",
  data: new TextEncoder().encode("**Ada**: My lamp is broken"),
};

function noteIn(channel: string): ChannelNote {
  return { channel, text: "**Ada** needs a person: <!channel> a refund", file };
}

test("people are told in a channel, with a file", async () => {
  const { slack, platform, grace } = await startSlack();
  const support = slack.addChannel("support", { members: [grace] });
  await platform.notify?.(noteIn(support.id));
  const [seen] = grace.sees(support);
  expect(seen?.text).toContain("*Ada* needs a person");
  expect(seen?.notified).toEqual([]);
  expect(seen?.files).toMatchObject([{ title: "transcript.md" }]);
});

test.each([
  ["a channel the bot is not in", { withBot: false }, undefined, "invite me"],
  ["a workspace without uploads", {}, "file_uploads_disabled", "does not allow uploads"],
])(
  "where nobody can be told, because of %s, the reason is said",
  async (_why, channel, refusal, words) => {
    const { slack, platform, grace } = await startSlack();
    slack.uploads.refusal = refusal;
    const support = slack.addChannel("support", { members: [grace], ...channel });
    await expect(platform.notify?.(noteIn(support.id))).rejects.toMatchObject({
      code: "not-allowed",
      detail: expect.stringContaining(words),
    });
  },
);
