import type { Block } from "@slack/types";
import { expect, test } from "vitest";
import { type JsonObject, objectAt, objectsAt } from "./json.ts";
import { slackForTest } from "./slack-for-test.ts";
import type { Delivery } from "./slack-server.ts";
import { clientFor, connectHandler } from "./tiny-bot.ts";

/** What the documentation's own examples of each payload hold, beyond what depends on the case. */
const recorded: Readonly<Record<string, readonly string[]>> = {
  envelope:
    "token team_id context_team_id api_app_id event type event_id event_time authorizations is_ext_shared_channel event_context".split(
      " ",
    ),
  message: "type user ts client_msg_id text team blocks channel event_ts channel_type".split(" "),
  file_share: "type subtype user ts text team blocks files channel event_ts channel_type".split(
    " ",
  ),
  thread_reply: "type user ts text thread_ts parent_user_id channel event_ts channel_type".split(
    " ",
  ),
  thread_broadcast: "type subtype user ts text thread_ts root channel event_ts channel_type".split(
    " ",
  ),
  bot_message:
    "type user bot_id app_id bot_profile ts text team blocks channel event_ts channel_type".split(
      " ",
    ),
  message_changed:
    "type subtype message previous_message channel hidden ts event_ts channel_type".split(" "),
  message_deleted:
    "type subtype previous_message channel hidden deleted_ts event_ts ts channel_type".split(" "),
  app_mention: "type user ts client_msg_id text team blocks channel event_ts".split(" "),
  reaction_added: "type user reaction item item_user event_ts".split(" "),
  member_joined_channel: "type user channel channel_type team inviter event_ts".split(" "),
  app_home_opened: "type user channel tab event_ts".split(" "),
  agent_session_stopped: "type channel user thread_ts streaming_message_ts event_ts".split(" "),
  block_actions:
    "type user api_app_id token container trigger_id team is_enterprise_install channel message state response_url actions".split(
      " ",
    ),
  block_actions_in_view: "type user api_app_id token container trigger_id team view actions".split(
    " ",
  ),
  view_submission: "type team user api_app_id token trigger_id view response_urls".split(" "),
  view: "id team_id type blocks private_metadata callback_id state hash title clear_on_close notify_on_close close submit previous_view_id root_view_id app_id external_id app_installed_team_id bot_id".split(
    " ",
  ),
  view_closed: "type team user api_app_id token view is_cleared".split(" "),
  message_action:
    "type token action_ts team user channel callback_id trigger_id message_ts message response_url".split(
      " ",
    ),
  shortcut: "type token action_ts team user callback_id trigger_id".split(" "),
  slash_command:
    "token team_id team_domain channel_id channel_name user_id user_name command text api_app_id is_enterprise_install response_url trigger_id".split(
      " ",
    ),
  block_suggestion: "type user container api_app_id token action_id block_id value team view".split(
    " ",
  ),
  file: "id created timestamp name title mimetype filetype pretty_type user user_team editable size mode is_external external_type is_public public_url_shared display_as_bot username url_private url_private_download permalink permalink_public file_access".split(
    " ",
  ),
};

test("every payload has the members of its recorded shape", async () => {
  const slack = await slackForTest({ app: { shortcuts: new Set(["on_message", "anywhere"]) } });
  await connectHandler(slack, () => ({ status: 200 }));
  const ada = slack.addPerson("ada");
  const robot = slack.addPerson("robot", { isBot: true, botId: "B0ROBOT" });
  const general = slack.addChannel("general", { members: [ada, robot] });
  const client = clientFor(slack);
  const modal = {
    type: "modal" as const,
    notify_on_close: true,
    title: { type: "plain_text" as const, text: "Modal" },
    submit: { type: "plain_text" as const, text: "Save" },
    blocks: [
      {
        type: "actions" as const,
        elements: [
          { type: "external_select" as const, action_id: "pick", min_query_length: 1 },
          {
            type: "button" as const,
            action_id: "go",
            text: { type: "plain_text" as const, text: "Go" },
          },
        ],
      },
    ],
  };
  const openModal = () =>
    client.views.open({
      trigger_id: slack.interactions.newTrigger({ userId: ada.id, teamId: slack.workspace.id }),
      view: modal,
    });
  const seen: Record<string, JsonObject> = {};
  const last = async (name: string, act: () => unknown) => {
    const before = slack.deliveries.length;
    await act();
    await slack.settled();
    const fresh = slack.deliveries.slice(before);
    seen[name] = bodyOf(fresh.at(-1));
    return fresh;
  };

  const message = ada.posts(general, "hello");
  await last("message", () => ada.posts(general, "hello"));
  seen.envelope = slack.deliveries.at(-1)?.payload ?? {};
  await last("file_share", () =>
    ada.posts(general, "look", { files: [{ name: "a.png", bytes: "a" }] }),
  );
  seen.file = objectsAt(seen.file_share, "files")[0] ?? {};
  await last("thread_reply", () => ada.posts(general, "reply", { threadTs: message.ts }));
  await last("thread_broadcast", () =>
    ada.posts(general, "reply", { threadTs: message.ts, broadcast: true }),
  );
  await last("bot_message", () => robot.posts(general, "beep"));
  await last("message_changed", () => ada.edits(message, "edited"));
  const [mention] = await last("app_mention", () => ada.mentions(general, "hello"));
  seen.app_mention = bodyOf(mention);
  await last("reaction_added", () => ada.reacts(message, "eyes"));
  const spare = ada.posts(general, "spare");
  await last("message_deleted", () => ada.deletes(spare));
  await last("member_joined_channel", () =>
    ada.invitesBot(slack.addChannel("new", { members: [ada], withBot: false })),
  );
  await last("app_home_opened", () => ada.opensHome());
  await client.agents.sessions.setStatus({
    channel_id: general.id,
    thread_ts: message.ts,
    status: "processing",
  });
  await last("agent_session_stopped", () => ada.pressesStop(general, message.ts));
  const { ts = "" } = await client.chat.postMessage({
    channel: general.id,
    text: "?",
    blocks: [modal.blocks[0] as Block],
  });
  await last("block_actions", () => ada.presses({ ts }, "Go"));
  await openModal();
  await last("block_actions_in_view", () => ada.presses("modal", "Go"));
  await last("block_suggestion", () => ada.looksUp("pick", "a"));
  await last("view_closed", () => ada.closesModal());
  await openModal();
  await last("view_submission", () => ada.submits());
  seen.view = objectAt(seen.view_submission, "view");
  await last("message_action", () => ada.usesShortcut("on_message", message));
  await last("shortcut", () => ada.usesShortcut("anywhere"));
  await last("slash_command", () => ada.types("/assistant help", general));

  for (const [name, members] of Object.entries(recorded)) {
    expect(Object.keys(seen[name] ?? {}), name).toEqual(expect.arrayContaining([...members]));
  }
});

/** The event inside an envelope, or the whole interaction. */
function bodyOf(delivery: Delivery | undefined): JsonObject {
  if (!delivery) throw new Error("nothing was sent");
  return (delivery.kind === "events_api" ? delivery.payload.event : delivery.payload) as JsonObject;
}
