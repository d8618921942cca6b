import type { AnyChunk } from "@slack/types";
import type { WebClient } from "@slack/web-api";
import { describe, expect, test } from "vitest";
import { slackForTest } from "./slack-for-test.ts";
import { ManualClock, type SlackServer, type SlackServerOptions } from "./slack-server.ts";
import { clientFor, codeOf } from "./tiny-bot.ts";

async function scene(options: SlackServerOptions = {}) {
  const clock = new ManualClock();
  const slack = await slackForTest({ clock, ...options });
  const ada = slack.addPerson("ada");
  const bob = slack.addPerson("bob");
  const general = slack.addChannel("general", { members: [ada, bob] });
  const question = ada.mentions(general, "tell me");
  const client = clientFor(slack);
  const start = {
    channel: general.id,
    thread_ts: question.ts,
    recipient_user_id: ada.id,
    recipient_team_id: slack.workspace.id,
  };
  return { clock, slack, ada, bob, general, question, client, start };
}

async function startedStream(
  client: WebClient,
  start: Parameters<WebClient["chat"]["startStream"]>[0],
) {
  const { channel = "", ts = "" } = await client.chat.startStream(start);
  return {
    ts,
    append: (...chunks: AnyChunk[]) => client.chat.appendStream({ channel, ts, chunks }),
    stop: (extra: Readonly<Record<string, unknown>> = {}) =>
      client.chat.stopStream({ channel, ts, chunks: [], ...extra }),
  };
}

function text(value: string): AnyChunk {
  return { type: "markdown_text", text: value };
}

function task(id: string, status: "in_progress" | "complete", more: object = {}): AnyChunk {
  return { type: "task_update", id, title: `Task ${id}`, status, ...more };
}

describe("a stream", () => {
  test("goes from start to stop with the SDK's own helper", async () => {
    const { slack, general, question, client, start } = await scene();

    const streamer = client.chatStream({ ...start, buffer_size: 5 });
    await streamer.append({ markdown_text: "Hello **wor" });
    await streamer.append({ markdown_text: "ld**, this is it." });
    await streamer.stop();

    expect(slack.replies(general, question.ts)).toMatchObject([
      { text: "Hello **world**, this is it.", stream: "stopped", author: "Bobbin" },
    ]);
  });

  test("is live for its recipient only until it is stopped", async () => {
    const { ada, bob, general, question, client, start } = await scene();
    const stream = await startedStream(client, start);
    await stream.append(text("First. "));
    await stream.append(text("Second."));

    expect(ada.sees(general, question.ts).at(-1)?.text).toBe("First. Second.");
    expect(bob.sees(general, question.ts).at(-1)?.text).toBe("First. ");

    await stream.stop();
    expect(bob.sees(general, question.ts).at(-1)?.text).toBe("First. Second.");
  });

  test("keeps task cards: titles are replaced, details appended, sources added", async () => {
    const { slack, general, question, client, start } = await scene();
    const stream = await startedStream(client, { ...start, task_display_mode: "plan" });
    const source = { type: "url" as const, url: "https://example.com", text: "A" };
    await stream.append(
      { type: "plan_update", title: "Looking" },
      task("a", "in_progress", { details: "one ", sources: [source] }),
    );
    await stream.append(task("a", "complete", { details: "two", output: "ok", sources: [source] }));

    expect(slack.seen(general, question.ts).at(-1)).toMatchObject({
      planTitle: "Looking",
      tasks: [
        {
          id: "a",
          status: "complete",
          details: "one two",
          output: "ok",
          sources: [source, source],
        },
      ],
    });
  });

  test("shows final blocks below its text and answers with the message", async () => {
    const { slack, general, question, client, start } = await scene();
    const stream = await startedStream(client, start);
    await stream.append(text("Done."));
    const blocks = [{ type: "section", text: { type: "mrkdwn", text: "Sources" } }];
    const stopped = await stream.stop({
      blocks,
      metadata: { event_type: "answer", event_payload: { run: "r1" } },
    });

    expect(stopped.message).toMatchObject({ text: "Done.", streaming_state: "completed" });
    expect(slack.seen(general, question.ts).at(-1)).toMatchObject({
      text: "Done.",
      blocks,
      metadata: { event_type: "answer" },
    });
  });

  test("loses whitespace that begins an appended chunk, and keeps it where told to", async () => {
    const { slack, general, question, client, start } = await scene();
    const stream = await startedStream(client, start);
    await stream.append(text("one"));
    await stream.append(text(" two"));
    expect(slack.seen(general, question.ts).at(-1)?.text).toBe("onetwo");

    slack.configure({ losesLeadingWhitespace: false });
    await stream.append(text(" three"));
    expect(slack.seen(general, question.ts).at(-1)?.text).toBe("onetwo three");
  });

  test("dies five minutes after its start, however busy, and can be repaired by an update", async () => {
    const { clock, slack, general, question, client, start } = await scene();
    const stream = await startedStream(client, start);
    clock.advance(299_000);
    await stream.append(text("Almost "), task("a", "in_progress"));
    clock.advance(1000);

    expect(await codeOf(stream.append(text("there")))).toBe("message_not_in_streaming_state");
    expect(await codeOf(stream.stop())).toBe("message_not_in_streaming_state");
    expect(slack.seen(general, question.ts).at(-1)).toMatchObject({
      stream: "expired",
      tasks: [{ status: "error" }],
    });

    await client.chat.update({ channel: general.id, ts: stream.ts, markdown_text: "Almost there" });
    expect(slack.seen(general, question.ts).at(-1)).toMatchObject({
      text: "Almost there",
      stream: undefined,
      tasks: [],
    });
  });

  test("cannot be updated or deleted while it runs", async () => {
    const { general, client, start } = await scene();
    const stream = await startedStream(client, start);
    const at = { channel: general.id, ts: stream.ts };

    expect(await codeOf(client.chat.update({ ...at, text: "x" }))).toBe("streaming_state_conflict");
    expect(await codeOf(client.chat.delete(at))).toBe("cant_delete_message");

    await stream.stop();
    expect(await codeOf(client.chat.update({ ...at, text: "x" }))).toBe("none");
    expect(await codeOf(stream.stop())).toBe("message_not_in_streaming_state");
  });

  test("is stopped by the person's own stop button", async () => {
    const { slack, ada, general, question, client, start } = await scene();
    const stream = await startedStream(client, start);
    await stream.append(text("So far"));

    ada.pressesStop(general, question.ts);

    expect(await codeOf(stream.append(text(" and on")))).toBe("stopped_by_user");
    expect(await codeOf(stream.stop())).toBe("stopped_by_user");
    expect(slack.deliveries.at(-1)?.payload.event).toMatchObject({
      type: "agent_session_stopped",
      channel: general.id,
      user: ada.id,
      thread_ts: question.ts,
      streaming_message_ts: [stream.ts],
    });
    expect(slack.seen(general, question.ts).at(-1)).toMatchObject({
      text: "So far",
      stream: "stopped-by-user",
    });
  });

  test("is refused when too large and stays as it was", async () => {
    const { slack, general, question, client, start } = await scene();
    const stream = await startedStream(client, start);
    await stream.append(text("a".repeat(10_000)));

    expect(await codeOf(stream.append(text("b".repeat(601))))).toBe("msg_too_long");
    // Details and output count twice.
    const heavy = task("a", "complete", { output: "x".repeat(250), details: "y".repeat(60) });
    expect(await codeOf(stream.append(heavy))).toBe("msg_too_long");
    const blocks = [{ type: "section", text: { type: "mrkdwn", text: "c".repeat(700) } }];
    expect(await codeOf(stream.stop({ blocks }))).toBe("msg_too_long");
    expect(slack.seen(general, question.ts).at(-1)).toMatchObject({
      text: "a".repeat(10_000),
      stream: "live",
      tasks: [],
    });
    expect(await codeOf(stream.stop())).toBe("none");
  });

  test("counts bytes, not characters", async () => {
    const { client, start } = await scene();
    const stream = await startedStream(client, start);

    expect(await codeOf(stream.append(text("ä".repeat(5301))))).toBe("msg_too_long");
    expect(await codeOf(stream.append(text("ä".repeat(5300))))).toBe("none");
  });

  test("takes one table", async () => {
    const { client, start } = await scene();
    const stream = await startedStream(client, start);
    await stream.append(text("| a | b |\n| - | - |\n| 1 | 2 |\n\n"));
    await stream.append(text("```\n| x | y |\n| - | - |\n```\n\n"));

    const second = stream.append(text("| c | d |\n| - | - |\n"));

    await expect(second).rejects.toMatchObject({
      data: {
        error: "invalid_attachments",
        response_metadata: { messages: ["[ERROR] only_one_table_allowed"] },
      },
    });
  });

  test.each([
    ["without a thread", { thread_ts: undefined }, "invalid_thread_ts"],
    ["under a message that is not there", { thread_ts: "1700000000.000001" }, "invalid_thread_ts"],
    ["without a recipient", { recipient_user_id: undefined }, "missing_recipient_user_id"],
    ["without the recipient's team", { recipient_team_id: undefined }, "missing_recipient_team_id"],
    ["to a channel as recipient", { recipient_user_id: "C12345678" }, "user_not_found"],
    ["with text and chunks", { markdown_text: "a", chunks: [text("b")] }, "invalid_arguments"],
    ["with an unknown chunk", { chunks: [{ type: "sparkle" }] }, "invalid_chunks"],
    [
      "with a title of 257 characters",
      { chunks: [task("a".repeat(257), "complete")] },
      "invalid_chunks",
    ],
  ])("is not started %s", async (_case, change, code) => {
    const { client, start } = await scene();

    expect(await codeOf(client.apiCall("chat.startStream", { ...start, ...change }))).toBe(code);
  });

  test("needs no recipient in a direct message", async () => {
    const { slack, ada, client } = await scene();
    const question = ada.directMessage("hello");

    const { channelId, ts } = question;
    await client.chat.startStream({ channel: channelId, thread_ts: ts, chunks: [text("Hi")] });

    expect(slack.replies(channelId, ts)).toMatchObject([{ text: "Hi", stream: "live" }]);
  });

  test("is refused where there is no streaming", async () => {
    const { slack, general, client, start } = await scene();

    general.refusesStreams = true;
    expect(await codeOf(client.chat.startStream(start))).toBe("channel_type_not_supported");
    slack.workspace.hasStreaming = false;
    expect(await codeOf(client.chat.startStream(start))).toBe("unknown_method");
  });

  test("belongs to the app that started it", async () => {
    const { general, question, client } = await scene();
    const foreign = { channel: general.id, ts: question.ts, chunks: [text("x")] };

    expect(await codeOf(client.chat.appendStream(foreign))).toBe("message_not_owned_by_app");
    const missing = { ...foreign, ts: "1700000000.000001" };
    expect(await codeOf(client.chat.appendStream(missing))).toBe("message_not_found");
  });
});

describe("a session", () => {
  test("is processing while a stream runs and active after it", async () => {
    const { slack, general, question, client, start } = await scene();
    const stream = await startedStream(client, start);
    expect(slack.session(general, question.ts)?.status).toBe("processing");

    await stream.stop({ session_status: "suspended" });
    expect(slack.session(general, question.ts)?.status).toBe("suspended");
  });

  test("is set and renamed, and forgets processing after an hour", async () => {
    const { clock, slack, ada, general, question, client } = await scene();
    const at = { channel_id: general.id, thread_ts: question.ts };
    expect(await codeOf(client.agents.sessions.rename({ ...at, title: "x" }))).toBe(
      "not_authorized",
    );

    const set = await client.agents.sessions.setStatus({
      ...at,
      status: "processing",
      title: "One",
    });
    expect(set).toMatchObject({ status: "processing", title: "One" });
    await client.agents.sessions.rename({ ...at, title: "Two" });
    ada.renamesSession(general, question.ts, "Three");
    expect(slack.deliveries.at(-1)?.payload.event).toMatchObject({
      type: "agent_session_title_changed",
      title: "Three",
      previous_title: "Two",
    });

    clock.advance(3_600_000);
    expect(slack.session(general, question.ts)).toMatchObject({ status: "active", title: "Three" });
    expect(() => ada.pressesStop(general, question.ts)).toThrow("no stop button");
  });

  test.each([
    ["not_agent_app", { isAgent: false }],
    ["none", { events: new Set(["app_mention"]) }],
  ])("depends on the app's set-up: %s", async (code, app) => {
    const { general, question, client } = await scene({ clock: new ManualClock(), app });
    const call = client.agents.sessions.setStatus({
      channel_id: general.id,
      thread_ts: question.ts,
      status: "processing",
    });

    expect(await codeOf(call)).toBe(code);
    if (code === "none") {
      expect((await call).warning).toBe("missing_agent_session_stopped_event_subscription");
    }
  });

  test("shows a status text for two minutes, or until the app posts", async () => {
    const { clock, slack, general, question, client } = await scene();
    const at = { channel_id: general.id, thread_ts: question.ts };
    await client.assistant.threads.setStatus({ ...at, status: "Reading 3 files…" });
    expect(slack.status(general, question.ts)?.text).toBe("Reading 3 files…");
    clock.advance(120_000);
    expect(slack.status(general, question.ts)).toBeUndefined();

    await client.assistant.threads.setStatus({ ...at, status: "Thinking…" });
    await client.chat.postMessage({ channel: general.id, thread_ts: question.ts, text: "Hi" });
    expect(slack.status(general, question.ts)).toBeUndefined();
  });

  test("has no use for a status text while a stream runs", async () => {
    const { slack, general, question, client, start } = await scene();
    await client.chat.startStream({ ...start, chunks: [text("Hi")] });

    const at = { channel_id: general.id, thread_ts: question.ts };
    await client.assistant.threads.setStatus({ ...at, status: "Thinking…" });

    expect(slack.takeComplaints()).toEqual([
      "a status set while a stream runs keeps its text from being seen",
    ]);
  });

  test("offers prompts and a title", async () => {
    const { slack, ada, client } = await scene();
    const channel = ada.directChannel();
    const prompts = [{ title: "Sum up", message: "Sum this up" }] as [
      { title: string; message: string },
    ];

    await client.assistant.threads.setSuggestedPrompts({ channel_id: channel.id, prompts });

    expect(slack.prompts(channel)).toMatchObject({ prompts });
    const five = Array.from({ length: 5 }, () => prompts[0]);
    const tooMany = client.assistant.threads.setSuggestedPrompts({
      channel_id: channel.id,
      prompts: five,
    });
    expect(await codeOf(tooMany)).toBe("invalid_arguments");
  });
});

/** Streams are found again after a crash by what still runs. */
test("streams that run and those that were ended are told apart", async () => {
  const { slack, client, start } = await scene();
  const first = await startedStream(client, start);
  const second = await startedStream(client, start);

  expect(slack.liveStreams.map(({ ts }) => ts)).toEqual([first.ts, second.ts]);
  slack.expireStreams(first.ts);
  expect(live(slack)).toEqual([second.ts]);
});

function live(slack: SlackServer): readonly string[] {
  return slack.liveStreams.map(({ ts }) => ts);
}
