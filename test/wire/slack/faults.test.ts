import { describe, expect, test } from "vitest";
import { slackForTest } from "./slack-for-test.ts";
import { type Fault, ManualClock } from "./slack-server.ts";
import { clientFor, codeOf } from "./tiny-bot.ts";

async function scene() {
  const clock = new ManualClock();
  const slack = await slackForTest({ clock });
  const general = slack.addChannel("general");
  const client = clientFor(slack);
  const post = (text: string) => client.chat.postMessage({ channel: general.id, text });
  return { clock, slack, general, client, post };
}

describe("a call goes wrong", () => {
  test.each<[string, Fault, readonly string[]]>([
    ["with a refusal", { type: "refusal", error: "fatal_error" }, []],
    [
      "with a 500 before it is carried out",
      { type: "http-error", status: 500, accepted: false },
      [],
    ],
    [
      "with a 500 after it was carried out",
      { type: "http-error", status: 500, accepted: true },
      ["a"],
    ],
    ["with a reset before", { type: "reset", accepted: false }, []],
    ["with a reset after", { type: "reset", accepted: true }, ["a"]],
    ["with a page of HTML", { type: "html" }, []],
    ["with a 429", { type: "rate-limit", retryAfterSeconds: 7 }, []],
  ])("%s", async (_case, fault, left) => {
    const { slack, general, post } = await scene();
    slack.faults.next("chat.postMessage", fault);

    expect(await codeOf(post("a"))).not.toBe("none");

    expect(slack.seen(general).map(({ text }) => text)).toEqual(left);
    expect(await codeOf(post("b"))).toBe("none");
    expect(slack.seen(general).map(({ text }) => text)).toEqual([...left, "b"]);
    expect(slack.calls("chat.postMessage").map(({ wasCarriedOut }) => wasCarriedOut)).toEqual([
      left.length > 0,
      true,
    ]);
  });

  test("and the real client, left to itself, posts twice", async () => {
    const { slack, general } = await scene();
    const client = clientFor(slack, { retryConfig: { retries: 1, minTimeout: 1, maxTimeout: 2 } });
    slack.faults.next("chat.postMessage", { type: "reset", accepted: true });

    await client.chat.postMessage({ channel: general.id, text: "once?" });

    expect(slack.seen(general).map(({ text }) => text)).toEqual(["once?", "once?"]);
  });

  test.each([
    ["carried out at once", true, ["a"]],
    ["carried out late", false, []],
  ] as const)("late, on the server's clock, %s", async (_case, accepted, early) => {
    const { clock, slack, general, post } = await scene();
    slack.faults.next("chat.postMessage", { type: "slow", ms: 10_000, accepted });
    const texts = () => slack.seen(general).map(({ text }) => text);
    let isAnswered = false;

    const posted = post("a").then(() => {
      isAnswered = true;
    });
    await expect.poll(() => slack.faults.spent).toBe(1);
    expect(texts()).toEqual(early);
    clock.advance(9999);
    expect(isAnswered).toBe(false);
    clock.advance(1);
    await posted;

    expect(texts()).toEqual(["a"]);
  });

  test("only where it matches, and as often as ordered", async () => {
    const { slack, client, general } = await scene();
    const other = slack.addChannel("other");
    const refusal = { type: "refusal", error: "internal_error" } as const;
    slack.faults.next("chat.postMessage", refusal, {
      times: 2,
      matches: (args) => args.channel === other.id,
    });
    const post = (channel: string) => codeOf(client.chat.postMessage({ channel, text: "a" }));

    expect(await post(general.id)).toBe("none");
    expect(await post(other.id)).toBe("internal_error");
    expect(await post(other.id)).toBe("internal_error");
    expect(await post(other.id)).toBe("none");
  });

  test("with silence until all is well again", async () => {
    const { slack, post } = await scene();
    slack.faults.always("chat.postMessage", { type: "silence" });

    const posted = codeOf(post("a"));
    await expect.poll(() => slack.calls("chat.postMessage").length).toBe(1);
    slack.faults.clear();

    expect(await posted).not.toBe("none");
    expect(await codeOf(post("b"))).toBe("none");
  });
});
