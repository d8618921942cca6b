import type { BlockAction, SlashCommand } from "@slack/bolt";
import type { ModalView } from "@slack/types";
import { describe, expect, test } from "vitest";
import { slackForTest } from "./slack-for-test.ts";
import { ManualClock } from "./slack-server.ts";
import { clientFor, codeOf, connectBot } from "./tiny-bot.ts";

const modal: ModalView = {
  type: "modal",
  callback_id: "settings",
  private_metadata: "c1",
  title: { type: "plain_text", text: "Settings" },
  submit: { type: "plain_text", text: "Save" },
  blocks: [
    {
      type: "input",
      block_id: "name",
      label: { type: "plain_text", text: "Name" },
      element: { type: "plain_text_input", action_id: "value", max_length: 10 },
    },
    {
      type: "input",
      block_id: "mode",
      optional: true,
      label: { type: "plain_text", text: "Mode" },
      element: {
        type: "static_select",
        action_id: "value",
        options: [
          { text: { type: "plain_text", text: "Fast" }, value: "fast" },
          { text: { type: "plain_text", text: "Careful" }, value: "careful" },
        ],
      },
    },
  ],
};

const buttons = [
  {
    type: "actions" as const,
    block_id: "row",
    elements: [
      {
        type: "button" as const,
        action_id: "approve",
        value: "r1",
        text: { type: "plain_text" as const, text: "Approve" },
      },
    ],
  },
];

describe.each(["socket", "http"] as const)("over %s", (transport) => {
  test("a slash command is answered with its acknowledgement and through its response URL", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const heard: SlashCommand[] = [];
    await connectBot(slack, transport, (app) => {
      app.command("/assistant", async ({ command, ack, respond }) => {
        heard.push(command);
        await ack("one moment");
        await respond({ text: "here for all", response_type: "in_channel" });
      });
    });

    const { status } = await ada.types("/assistant help me", general);

    expect(status).toBe("acknowledged");
    expect(heard).toMatchObject([
      { command: "/assistant", text: "help me", user_id: ada.id, channel_id: general.id },
    ]);
    await expect
      .poll(() => ada.sees(general).map(({ text, isEphemeral }) => ({ text, isEphemeral })))
      .toEqual([
        { text: "one moment", isEphemeral: true },
        { text: "here for all", isEphemeral: false },
      ]);
  });

  test("a pressed button changes its message", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const heard: BlockAction[] = [];
    const app = await connectBot(slack, transport, (bolt) => {
      bolt.action<BlockAction>("approve", async ({ ack, body, respond }) => {
        heard.push(body);
        await ack();
        await respond({ text: "approved", blocks: [], replace_original: true });
      });
    });
    await app.client.chat.postMessage({ channel: general.id, text: "ok?", blocks: buttons });
    const [question] = slack.replies(general);
    if (!question) throw new Error("nothing was posted");

    const { status } = await ada.presses(question, "Approve");

    expect(status).toBe("acknowledged");
    await expect.poll(() => slack.replies(general).map(({ text }) => text)).toEqual(["approved"]);
    expect(heard).toMatchObject([
      {
        actions: [{ type: "button", action_id: "approve", block_id: "row", value: "r1" }],
        container: { type: "message", message_ts: question.ts, channel_id: general.id },
        message: { ts: question.ts },
        user: { id: ada.id, team_id: slack.workspace.id },
      },
    ]);
  });

  test("a modal is opened, refused, filled in again and closed", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const names: (string | null | undefined)[] = [];
    await connectBot(slack, transport, (app) => {
      app.command("/assistant", async ({ ack, client, command }) => {
        await ack();
        await client.views.open({ trigger_id: command.trigger_id, view: modal });
      });
      app.view("settings", async ({ ack, view }) => {
        const name = view.state.values.name?.value?.value;
        if (name === "bad") {
          await ack({ response_action: "errors", errors: { name: "Another, please" } });
          return;
        }
        names.push(name, view.state.values.mode?.value?.selected_option?.value);
        await ack();
      });
    });
    await ada.types("/assistant config", general);
    await expect.poll(() => ada.modal?.title).toBe("Settings");

    await expect(ada.submits({})).rejects.toThrow("required field: Name");
    await expect(ada.submits({ name: "much too long a name" })).rejects.toThrow("10 characters");
    expect((await ada.submits({ name: "bad" })).status).toBe("errors");
    expect(ada.modal?.errors).toEqual({ name: "Another, please" });

    expect((await ada.submits({ Name: "good", mode: "Careful" })).status).toBe("closed");
    expect(ada.modal).toBeUndefined();
    expect(names).toEqual(["good", "careful"]);
  });

  test("modals are pushed on top of each other, updated and cleared", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    await connectBot(slack, transport, (app) => {
      app.command("/assistant", async ({ ack, client, command }) => {
        await ack();
        await client.views.open({ trigger_id: command.trigger_id, view: modal });
      });
      app.view("settings", async ({ ack, view }) => {
        const name = view.state.values.name?.value?.value;
        const titled = (text: string): ModalView => ({
          ...modal,
          title: { type: "plain_text", text },
        });
        if (name === "push") await ack({ response_action: "push", view: titled("Second") });
        else if (name === "update") await ack({ response_action: "update", view: titled("Other") });
        else await ack({ response_action: "clear" });
      });
    });
    await ada.types("/assistant config", general);
    await expect.poll(() => ada.modal?.title).toBe("Settings");

    expect((await ada.submits({ name: "push" })).status).toBe("pushed");
    expect(ada.modal?.title).toBe("Second");
    expect((await ada.submits({ name: "update" })).status).toBe("updated");
    expect(ada.modal?.title).toBe("Other");
    await ada.closesModal();
    expect(ada.modal?.title).toBe("Settings");
    expect((await ada.submits({ name: "push" })).status).toBe("pushed");
    expect((await ada.submits({ name: "all" })).status).toBe("cleared");
    expect(ada.modal).toBeUndefined();
  });

  test("shortcuts bring the message, or none", async () => {
    const slack = await slackForTest({ app: { shortcuts: new Set(["ask_about_message", "ask"]) } });
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const heard: unknown[] = [];
    await connectBot(slack, transport, (app) => {
      app.shortcut(/ask/, async ({ ack, shortcut }) => {
        heard.push(shortcut);
        await ack();
      });
    });
    const message = ada.posts(general, "what is this?");

    expect((await ada.usesShortcut("ask_about_message", message)).status).toBe("acknowledged");
    expect((await ada.usesShortcut("ask")).status).toBe("acknowledged");

    expect(heard).toMatchObject([
      {
        type: "message_action",
        message_ts: message.ts,
        message: { text: "what is this?" },
        channel: { id: general.id },
      },
      { type: "shortcut", user: { id: ada.id } },
    ]);
  });

  test("the Home tab is published when it is opened, and its buttons work", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const pressed: string[] = [];
    await connectBot(slack, transport, (app) => {
      app.event("app_home_opened", async ({ event, client }) => {
        await client.views.publish({
          user_id: event.user,
          view: { type: "home", blocks: buttons },
        });
      });
      app.action<BlockAction>("approve", async ({ ack, body }) => {
        pressed.push(body.view?.type ?? "");
        await ack();
      });
    });

    ada.opensHome();

    await expect.poll(() => ada.home?.controls).toEqual(["Approve"]);
    expect((await ada.presses("home", "Approve")).status).toBe("acknowledged");
    expect(pressed).toEqual(["home"]);
  });
});

test("an external select offers what the app answers", async () => {
  const slack = await slackForTest();
  const ada = slack.addPerson("ada");
  const general = slack.addChannel("general", { members: [ada] });
  const pick = { type: "external_select" as const, action_id: "assistant", min_query_length: 0 };
  await connectBot(slack, "socket", (app) => {
    app.command("/assistant", async ({ ack, client, command }) => {
      await ack();
      await client.views.open({
        trigger_id: command.trigger_id,
        view: {
          ...modal,
          blocks: [
            {
              type: "input",
              block_id: "pick",
              label: { type: "plain_text", text: "Assistant" },
              element: pick,
            },
          ],
        },
      });
    });
    app.options("assistant", async ({ ack, options }) => {
      const names = ["Writer", "Reader"].filter((name) => name.startsWith(options.value));
      await ack({
        options: names.map((name) => ({ text: { type: "plain_text", text: name }, value: name })),
      });
    });
    app.view("settings", async ({ ack }) => await ack());
  });
  await ada.types("/assistant config", general);
  await expect.poll(() => ada.modal?.title).toBe("Settings");

  expect(await ada.looksUp("assistant", "W")).toEqual(["Writer"]);
  const { delivery } = await ada.submits({ Assistant: "Writer" });

  expect(delivery.payload.view).toMatchObject({
    state: { values: { pick: { assistant: { selected_option: { value: "Writer" } } } } },
  });
});

describe("feedback", () => {
  test("arrives as a press of one of two buttons", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    await connectBot(slack, "socket", (app) => {
      app.action("feedback", async ({ ack }) => await ack());
    });
    await clientFor(slack).chat.postMessage({
      channel: general.id,
      text: "answer",
      blocks: [
        {
          type: "context_actions",
          elements: [
            {
              type: "feedback_buttons",
              action_id: "feedback",
              positive_button: { text: { type: "plain_text", text: "Good" }, value: "+r1" },
              negative_button: { text: { type: "plain_text", text: "Bad" }, value: "-r1" },
            },
          ],
        },
      ],
    });
    const [answer] = slack.replies(general);
    if (!answer) throw new Error("nothing was posted");

    const { delivery, status } = await ada.presses(answer, "Bad");

    expect(answer.controls).toEqual(["Good", "Bad"]);
    expect(status).toBe("acknowledged");
    expect(delivery.payload.actions).toMatchObject([{ type: "feedback_buttons", value: "-r1" }]);
  });
});

describe("what is short-lived", () => {
  test("a trigger works once and for three seconds", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const ada = slack.addPerson("ada");
    const client = clientFor(slack);
    const trigger = () =>
      slack.interactions.newTrigger({ userId: ada.id, teamId: slack.workspace.id });
    const open = (id: string) => codeOf(client.views.open({ trigger_id: id, view: modal }));

    const first = trigger();
    expect(await open(first)).toBe("none");
    expect(await open(first)).toBe("exchanged_trigger_id");
    const second = trigger();
    clock.advance(3001);
    expect(await open(second)).toBe("expired_trigger_id");
    expect(await open("1.2.nonsense")).toBe("invalid_trigger_id");
  });

  test("a response URL works five times and for thirty minutes", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const newUrl = () =>
      slack.interactions.newResponseUrl({
        channelId: general.id,
        userId: ada.id,
        originalTs: undefined,
        isEphemeral: true,
      });
    const post = async (url: string, body: object) => {
      const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
      return `${response.status} ${await response.text()}`;
    };

    const url = newUrl();
    expect(await post(url, { markdown_text: "**no**" })).toContain("no_text");
    for (let use = 0; use < 5; use += 1) expect(await post(url, { text: `${use}` })).toBe("200 ok");
    expect(await post(url, { text: "5" })).toContain("used_url");
    expect(ada.sees(general)).toHaveLength(5);
    expect(slack.interactions.responses.map(({ status }) => status)).toEqual([
      500, 200, 200, 200, 200, 200, 404,
    ]);

    const late = newUrl();
    clock.advance(30 * 60_000 + 1);
    expect(await post(late, { text: "late" })).toContain("expired_url");
  });

  test("an answer stands in the channel unless it is for all and names the thread", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    const root = ada.posts(general, "root");
    await connectBot(slack, "http", (app) => {
      app.action("approve", async ({ ack, respond }) => {
        await ack();
        await respond({ text: "for you", replace_original: false, thread_ts: root.ts });
        await respond({
          text: "for all",
          replace_original: false,
          response_type: "in_channel",
          thread_ts: root.ts,
        });
        await respond({ text: "unsure" });
      });
    });
    const { ts = "" } = await clientFor(slack).chat.postMessage({
      channel: general.id,
      thread_ts: root.ts,
      text: "ok?",
      blocks: buttons,
    });

    await ada.presses({ ts }, "Approve");

    await expect
      .poll(() => ada.sees(general).map(({ text }) => text))
      .toEqual(["root", "for you", "unsure"]);
    expect(ada.sees(general, root.ts).map(({ text }) => text)).toEqual([
      "root",
      "[Approve]",
      "for all",
    ]);
    expect(slack.takeComplaints()).toEqual([
      "an answer to a press does not say whether it replaces the message",
    ]);
  });

  test("an ephemeral message is replaced and removed through its response URL", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    let presses = 0;
    await connectBot(slack, "socket", (app) => {
      app.action("approve", async ({ ack, respond }) => {
        presses += 1;
        await ack();
        if (presses === 1) {
          await respond({ text: "sure?", blocks: buttons, replace_original: true });
        } else await respond({ delete_original: true });
      });
    });
    const user = ada.id;
    await clientFor(slack).chat.postEphemeral({
      channel: general.id,
      user,
      text: "ok?",
      blocks: buttons,
    });
    const [asked] = ada.sees(general);
    if (!asked) throw new Error("nothing was posted");

    const { delivery } = await ada.presses(asked, "Approve");
    expect(delivery.payload.container).toMatchObject({ is_ephemeral: true });
    expect(delivery.payload.message).toBeUndefined();
    await expect.poll(() => ada.sees(general)[0]?.notification).toBe("sure?");
    await ada.presses(asked, "Approve");
    await expect.poll(() => ada.sees(general)).toEqual([]);
  });

  test("views are checked, stacked three deep, and guarded by a hash", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const ada = slack.addPerson("ada");
    const client = clientFor(slack);
    const trigger = (viewId?: string) =>
      slack.interactions.newTrigger({
        userId: ada.id,
        teamId: slack.workspace.id,
        ...(viewId ? { viewId } : {}),
      });
    const { view } = await client.views.open({ trigger_id: trigger(), view: modal });
    const push = () => client.views.push({ trigger_id: trigger(view?.id ?? ""), view: modal });

    expect(await codeOf(client.views.push({ trigger_id: trigger(), view: modal }))).toBe(
      "not_found",
    );
    expect(await codeOf(push())).toBe("none");
    expect(await codeOf(push())).toBe("none");
    expect(await codeOf(push())).toBe("push_limit_reached");
    const update = (hash: string | undefined) =>
      codeOf(client.views.update({ view_id: view?.id ?? "", hash: hash ?? "", view: modal }));
    expect(await update(view?.hash)).toBe("none");
    expect(await update(view?.hash)).toBe("hash_conflict");
    await ada.closesModal(true);
    expect(await update(undefined)).toBe("not_found");

    const open = (change: object) =>
      codeOf(
        client.views.open({ trigger_id: trigger(), view: { ...modal, ...change } as ModalView }),
      );
    expect(await open({ title: { type: "plain_text", text: "a".repeat(25) } })).toBe(
      "invalid_arguments",
    );
    expect(await open({ submit: undefined })).toBe("invalid_arguments");
    expect(await open({ private_metadata: "a".repeat(3001) })).toBe("invalid_arguments");
    expect(await open({ blocks: [{ type: "markdown", text: "no" }] })).toBe("invalid_arguments");
    expect(await open({ private_metadata: "a".repeat(250_000) })).toBe("view_too_large");
  });

  test("a command nobody acknowledges fails after three seconds and is not repeated", async () => {
    const clock = new ManualClock();
    const slack = await slackForTest({ clock });
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });
    let heard = 0;
    await connectBot(slack, "socket", (app) => {
      app.command("/assistant", async () => {
        heard += 1;
      });
    });

    const typed = ada.types("/assistant", general);
    await expect.poll(() => heard).toBe(1);
    clock.advance(3000);

    expect((await typed).status).toBe("failed");
    expect(ada.sees(general).map(({ text }) => text)).toEqual([
      "/assistant failed because the app did not respond",
    ]);
    expect(heard).toBe(1);
  });

  test("a command the app never declared is unknown", async () => {
    const slack = await slackForTest();
    const ada = slack.addPerson("ada");
    const general = slack.addChannel("general", { members: [ada] });

    await expect(ada.types("/nonsense", general)).rejects.toThrow("not a valid command");
  });
});
