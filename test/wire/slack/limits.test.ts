import type { Block, KnownBlock } from "@slack/types";
import { describe, expect, test } from "vitest";
import { slackForTest } from "./slack-for-test.ts";
import { ManualClock, type SlackServerOptions } from "./slack-server.ts";
import { clientFor, codeOf } from "./tiny-bot.ts";

async function scene(options: SlackServerOptions = {}) {
  const clock = new ManualClock();
  const slack = await slackForTest({ clock, ...options });
  const ada = slack.addPerson("ada");
  const general = slack.addChannel("general", { members: [ada] });
  return { clock, slack, ada, general, client: clientFor(slack) };
}

/** How many calls of a kind pass at once before the first 429. */
async function passing(call: () => Promise<unknown>, most: number): Promise<number> {
  for (let count = 0; count < most; count += 1) {
    if ((await codeOf(call())) !== "none") return count;
  }
  return most;
}

describe("rate limits", () => {
  test("posts: three at once and then one a second in each channel", async () => {
    const { clock, slack, general, client } = await scene();
    const other = slack.addChannel("other");
    const post = (channel: string) => () => client.chat.postMessage({ channel, text: "x" });

    expect(await passing(post(general.id), 10)).toBe(3);
    expect(await passing(post(other.id), 10)).toBe(3);
    clock.advance(1000);
    expect(await passing(post(general.id), 10)).toBe(1);
  });

  test("posts: 300 a minute in a workspace", async () => {
    const { slack, client } = await scene();
    let posted = 0;
    for (let index = 0; index < 101; index += 1) {
      const { id } = slack.addChannel(`channel${index}`);
      posted += await passing(() => client.chat.postMessage({ channel: id, text: "x" }), 3);
    }

    expect(posted).toBe(300);
  });

  test.each([
    ["chat.startStream", 20],
    ["chat.stopStream", 20],
    ["chat.appendStream", 100],
    ["chat.update", 50],
    ["views.publish", 100],
    ["conversations.replies", 50],
    ["reactions.add", 50],
  ])("%s: %i at once, and again after a minute", async (method, most) => {
    const { clock, client } = await scene();
    // What is asked does not matter: a refused call is counted as well.
    const call = async () => {
      const code = await codeOf(client.apiCall(method, { channel: "C0" }));
      if (code === "ratelimited") throw new Error(code);
    };

    expect(await passing(call, most + 5)).toBe(most);
    clock.advance(60_000 / most);
    expect(await passing(call, 5)).toBe(1);
    clock.advance(60_000);
    expect(await passing(call, most + 5)).toBe(most);
  });

  test("conversations.replies of a distributed app: one a minute, 15 messages", async () => {
    const { clock, ada, general, client } = await scene({ app: { isDistributed: true } });
    const root = ada.posts(general, "root");
    for (let index = 0; index < 20; index += 1) {
      ada.posts(general, `reply ${index}`, { threadTs: root.ts });
    }
    const read = () =>
      client.conversations.replies({ channel: general.id, ts: root.ts, limit: 100 });

    const first = await read();
    expect(first.messages).toHaveLength(15);
    expect(first.has_more).toBe(true);
    expect(await codeOf(read())).toBe("ratelimited");
    clock.advance(60_000);
    expect(await codeOf(read())).toBe("none");
  });

  test("the real client waits as long as Retry-After says and then succeeds", async () => {
    const slack = await slackForTest();
    const general = slack.addChannel("general");
    const client = clientFor(slack, {
      rejectRateLimitedCalls: false,
      retryConfig: { retries: 3, minTimeout: 1 },
    });
    slack.faults.next("chat.postMessage", { type: "rate-limit", retryAfterSeconds: 1 });

    await client.chat.postMessage({ channel: general.id, text: "at last" });

    expect(slack.calls("chat.postMessage").map(({ status }) => status)).toEqual([429, 200]);
    expect(slack.seen(general).map(({ text }) => text)).toEqual(["at last"]);
  });

  test("each workspace has its own", async () => {
    const { slack, client } = await scene();
    const team = slack.addWorkspace("Other");
    const owner = slack.addPerson("eve", { teamId: team.id });
    const installation = slack.install(team, owner);
    const there = clientFor(slack, {}, installation.token);
    const call = async () => {
      const code = await codeOf(there.apiCall("chat.stopStream", { channel: "C0" }));
      if (code === "ratelimited") throw new Error(code);
    };

    expect(await passing(call, 30)).toBe(20);
    expect(await codeOf(client.apiCall("chat.stopStream", { channel: "C0" }))).toBe(
      "channel_not_found",
    );
  });
});

describe("what a message may hold", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["nothing", {}, "no_text"],
    ["40,001 characters of text, cut", { text: "a".repeat(40_001) }, "none"],
    ["12,001 characters of Markdown", { markdown_text: "a".repeat(12_001) }, "msg_too_long"],
    ["Markdown and text", { markdown_text: "a", text: "b" }, "markdown_text_conflict"],
    [
      "Markdown and blocks",
      { markdown_text: "a", blocks: [{ type: "divider" }] },
      "markdown_text_conflict",
    ],
    [
      "51 blocks",
      { text: "a", blocks: Array.from({ length: 51 }, () => ({ type: "divider" })) },
      "invalid_blocks",
    ],
    ["an unknown block", { text: "a", blocks: [{ type: "sparkle" }] }, "invalid_blocks"],
    ["blocks that are no list", { text: "a", blocks: "oops" }, "invalid_blocks_format"],
    [
      "two tables",
      { markdown_text: "| a |\n| - |\n| 1 |\n\n| b |\n| - |\n| 2 |" },
      "invalid_attachments",
    ],
    [
      "too much in its blocks",
      { text: "a", blocks: Array.from({ length: 5 }, () => section("a".repeat(2900))) },
      "msg_blocks_too_long",
    ],
    ["a thread nobody knows", { text: "a", thread_ts: "1700000000.000001" }, "thread_not_found"],
    ["a thread that is none", { text: "a", thread_ts: "yesterday" }, "invalid_thread_ts"],
    ["another name without the scope", { text: "a", username: "Eve" }, "missing_scope"],
    ["metadata without a type", { text: "a", metadata: { run: 1 } }, "invalid_metadata_schema"],
  ])("%s", async (_case, content, code) => {
    const { general, client } = await scene();

    const call = client.apiCall("chat.postMessage", { channel: general.id, ...content });

    expect(await codeOf(call)).toBe(code);
  });

  test("an update takes 4,000 characters of text and 12,000 of Markdown", async () => {
    const { general, client } = await scene();
    const { ts = "" } = await client.chat.postMessage({ channel: general.id, text: "x" });
    const at = { channel: general.id, ts };

    expect(await codeOf(client.chat.update({ ...at, text: "a".repeat(4000) }))).toBe("none");
    expect(await codeOf(client.chat.update({ ...at, text: "a".repeat(4001) }))).toBe(
      "msg_too_long",
    );
    expect(await codeOf(client.chat.update({ ...at, markdown_text: "a".repeat(12_000) }))).toBe(
      "none",
    );
  });

  test("text over 40,000 characters is cut with a warning", async () => {
    const { slack, general, client } = await scene();

    const { warning } = await client.chat.postMessage({
      channel: general.id,
      text: "a".repeat(41_000),
    });

    expect(warning).toBe("message_truncated");
    expect(slack.seen(general)[0]?.text).toHaveLength(40_000);
  });

  test.each<[string, object]>([
    ["a section of 3,001 characters", section("a".repeat(3001))],
    ["a header of 151", { type: "header", text: plain("a".repeat(151)) }],
    ["a header in markup", { type: "header", text: { type: "mrkdwn", text: "a" } }],
    [
      "eleven context elements",
      { type: "context", elements: Array.from({ length: 11 }, () => plain("a")) },
    ],
    [
      "26 buttons",
      { type: "actions", elements: Array.from({ length: 26 }, (_, index) => button(`b${index}`)) },
    ],
    ["no buttons", { type: "actions", elements: [] }],
    ["a button of 76 characters", { type: "actions", elements: [button("a", "b".repeat(76))] }],
    [
      "a button value of 2,001",
      { type: "actions", elements: [{ ...button("a"), value: "v".repeat(2001) }] },
    ],
    ["the same action twice", { type: "actions", elements: [button("a"), button("a")] }],
    ["an image without alt text", { type: "image", image_url: "https://example.com/a.png" }],
    ["a table of 101 rows", table(101, 1)],
    ["a table of 21 columns", table(1, 21)],
    ["a table with an empty cell", { type: "table", rows: [[{ type: "raw_text", text: "" }]] }],
    ["a data table without a caption", { type: "data_table", rows: [[cell("a")]] }],
    ["101 options", { type: "actions", elements: [select(101)] }],
    [
      "six context actions",
      { type: "context_actions", elements: Array.from({ length: 6 }, () => feedback()) },
    ],
  ])("no message has %s", async (_case, block) => {
    const { general, client } = await scene();

    const call = client.chat.postMessage({
      channel: general.id,
      text: "a",
      blocks: [block as Block],
    });

    expect(await codeOf(call)).toBe("invalid_blocks");
  });

  test("every ordinary block passes", async () => {
    const { general, client } = await scene();
    const blocks: (KnownBlock | Block)[] = [
      section("hello") as KnownBlock,
      { type: "header", text: plain("Header") },
      { type: "divider" },
      { type: "context", elements: [plain("context")] },
      { type: "actions", elements: [button("a"), select(3)] } as KnownBlock,
      { type: "context_actions", elements: [feedback()] } as KnownBlock,
      table(3, 3) as Block,
      { type: "markdown", text: "**bold**" },
      { type: "image", image_url: "https://example.com/a.png", alt_text: "A" },
    ];

    expect(await codeOf(client.chat.postMessage({ channel: general.id, text: "a", blocks }))).toBe(
      "none",
    );
  });
});

describe("where and with what rights", () => {
  test("a bot posts only where it is, may and can", async () => {
    const { slack, ada, general, client } = await scene();
    const post = (channel: string) => codeOf(client.chat.postMessage({ channel, text: "a" }));
    const away = slack.addChannel("away", { members: [ada], withBot: false });
    const secret = slack.addChannel("secret", { members: [ada], type: "group", withBot: false });

    expect(await post("C0NOWHERE")).toBe("channel_not_found");
    expect(await post(away.id)).toBe("not_in_channel");
    expect(await post(secret.id)).toBe("channel_not_found");
    expect(await post(ada.id)).toBe("none");
    expect(ada.sees(ada.directChannel())).toHaveLength(1);
    general.isReadOnly = true;
    expect(await post(general.id)).toBe("restricted_action_read_only_channel");
    general.isArchived = true;
    expect(await post(general.id)).toBe("is_archived");
  });

  test("scopes are checked and named", async () => {
    const { slack, general, client } = await scene({
      app: { botScopes: ["chat:write", "channels:read"] },
    });

    await expect(client.users.info({ user: slack.botUserId })).rejects.toMatchObject({
      data: { error: "missing_scope", needed: "users:read", provided: "chat:write,channels:read" },
    });
    const replies = client.conversations.replies({ channel: general.id, ts: "1.0" });
    expect(await codeOf(replies)).toBe("missing_scope");
    const { response_metadata } = await client.auth.test();
    expect(response_metadata).toMatchObject({ scopes: ["chat:write", "channels:read"] });
  });

  test("tokens are good, foreign, of the wrong kind, revoked or dead", async () => {
    const { slack, ada, client } = await scene();
    const test = (token: string) => codeOf(client.apiCall("auth.test", { token }));

    expect(await test(slack.botToken)).toBe("none");
    expect(await test("xoxb-unknown")).toBe("invalid_auth");
    expect(await test(slack.settings.appToken)).toBe("not_allowed_token_type");
    expect(await codeOf(client.apps.connections.open({}))).toBe("not_allowed_token_type");
    slack.revokeToken();
    expect(await test(slack.botToken)).toBe("token_revoked");
    ada.uninstalls();
    expect(await test(slack.botToken)).toBe("account_inactive");
  });

  test("an unknown method is refused and on record", async () => {
    const { slack, client } = await scene();

    expect(await codeOf(client.apiCall("chat.sparkle", { a: [1, 2] }))).toBe("unknown_method");

    expect(slack.calls("chat.sparkle")).toMatchObject([
      {
        error: "unknown_method",
        args: { a: [1, 2] },
        teamId: slack.workspace.id,
        wasCarriedOut: false,
      },
    ]);
  });

  test("reactions, deletes and permalinks know what is there", async () => {
    const { slack, ada, general, client } = await scene();
    const message = ada.posts(general, "hm");
    const at = { channel: general.id, timestamp: message.ts, name: "eyes" };

    expect(await codeOf(client.reactions.add(at))).toBe("none");
    expect(await codeOf(client.reactions.add(at))).toBe("already_reacted");
    expect(slack.seen(general)[0]?.reactions).toEqual({ eyes: ["Bobbin"] });
    expect(await codeOf(client.reactions.remove(at))).toBe("none");
    expect(await codeOf(client.reactions.remove(at))).toBe("no_reaction");
    expect(await codeOf(client.chat.delete({ channel: general.id, ts: message.ts }))).toBe(
      "cant_delete_message",
    );
    expect(await codeOf(client.chat.delete({ channel: general.id, ts: "1700000000.000001" }))).toBe(
      "message_not_found",
    );
    const { permalink } = await client.chat.getPermalink({
      channel: general.id,
      message_ts: message.ts,
    });
    expect(permalink).toContain(`/archives/${general.id}/p`);
  });

  test("people, channels and groups can be looked up", async () => {
    const { slack, ada, general, client } = await scene();
    const group = slack.addGroup("crew", [ada]);

    expect((await client.users.info({ user: ada.id })).user).toMatchObject({
      name: "ada",
      is_admin: false,
    });
    expect((await client.conversations.info({ channel: general.id })).channel).toMatchObject({
      name: "general",
    });
    expect((await client.conversations.members({ channel: general.id })).members).toContain(ada.id);
    expect((await client.usergroups.users.list({ usergroup: group })).users).toEqual([ada.id]);
    const opened = await client.conversations.open({ users: ada.id });
    expect(opened.channel?.id).toBe(ada.directChannel().id);
    expect(await codeOf(client.users.info({ user: "U0NOBODY" }))).toBe("user_not_found");
  });

  test("an agent reads back only what people wrote to it directly", async () => {
    const { ada, client } = await scene();
    const question = ada.directMessage("hello");
    await client.chat.postMessage({ channel: question.channelId, text: "Hi" });

    const { messages } = await client.conversations.history({ channel: question.channelId });

    expect(messages?.map(({ text }) => text)).toEqual(["hello"]);
  });

  test("metadata comes back only when it is asked for", async () => {
    const { general, client } = await scene();
    const metadata = { event_type: "segment", event_payload: { run: "r1" } };
    const { ts = "" } = await client.chat.postMessage({ channel: general.id, text: "a", metadata });
    const read = async (withMetadata: boolean) =>
      (
        await client.conversations.replies({
          channel: general.id,
          ts,
          include_all_metadata: withMetadata,
        })
      ).messages?.[0]?.metadata;

    expect(await read(false)).toBeUndefined();
    expect(await read(true)).toEqual(metadata);
  });
});

function plain(text: string) {
  return { type: "plain_text" as const, text };
}

function section(text: string) {
  return { type: "section", text: { type: "mrkdwn", text } };
}

function button(actionId: string, text = "Go") {
  return { type: "button" as const, action_id: actionId, text: plain(text) };
}

function select(count: number) {
  const options = Array.from({ length: count }, (_, index) => ({
    text: plain(`option ${index}`),
    value: String(index),
  }));
  return { type: "static_select" as const, action_id: "select", options };
}

function cell(text: string) {
  return { type: "raw_text", text };
}

function table(rows: number, columns: number) {
  return {
    type: "table",
    rows: Array.from({ length: rows }, () => Array.from({ length: columns }, () => cell("a"))),
  };
}

function feedback() {
  return {
    type: "feedback_buttons" as const,
    action_id: "feedback",
    positive_button: { text: plain("Good"), value: "good" },
    negative_button: { text: plain("Bad"), value: "bad" },
  };
}
