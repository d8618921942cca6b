import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { scopes } from "../../../adapters/slack/set-up.ts";

const root = join(import.meta.dirname, "../../..");
const manifest = parse(readFileSync(join(root, "slack-manifest.yaml"), "utf8"));
const guide = readFileSync(join(root, "docs/slack.md"), "utf8");

test("the manifest keeps to Slack's limits", () => {
  const { display_information, features } = manifest;
  expect(display_information.name.length).toBeLessThanOrEqual(35);
  expect(display_information.description.length).toBeLessThanOrEqual(140);
  const about = display_information.long_description;
  if (about !== undefined) expect(about.length).toBeGreaterThanOrEqual(174);
  expect(features.bot_user.display_name.length).toBeLessThanOrEqual(80);
  expect(features.agent_view.agent_description.length).toBeLessThanOrEqual(300);
  expect(features.agent_view.suggested_prompts.length).toBeLessThanOrEqual(4);
  for (const { command, usage_hint } of features.slash_commands) {
    expect(command).toMatch(/^\/[a-z0-9_-]{1,31}$/);
    expect(usage_hint.length).toBeLessThanOrEqual(1_000);
  }
  expect(features.shortcuts.length).toBeLessThanOrEqual(10);
  for (const { name, type, callback_id, description } of features.shortcuts) {
    expect(name.length).toBeLessThanOrEqual(24);
    expect(["message", "global"]).toContain(type);
    expect(callback_id.length).toBeLessThanOrEqual(255);
    expect(description.length).toBeLessThanOrEqual(150);
  }
});

test("it holds no key that Slack's manifests do not know", () => {
  const keys: { readonly [at: string]: readonly string[] } = {
    "": ["_metadata", "display_information", "features", "oauth_config", "settings"],
    features: [
      "app_home",
      "bot_user",
      "agent_view",
      "slash_commands",
      "shortcuts",
      "unfurl_domains",
    ],
    oauth_config: ["redirect_urls", "scopes", "token_management_enabled", "pkce_enabled"],
    settings: [
      "event_subscriptions",
      "interactivity",
      "org_deploy_enabled",
      "socket_mode_enabled",
      "token_rotation_enabled",
      "is_mcp_enabled",
    ],
  };
  for (const [at, known] of Object.entries(keys)) {
    const part = at === "" ? manifest : manifest[at];
    expect(Object.keys(part).filter((key) => !known.includes(key))).toEqual([]);
  }
});

test("everything it offers is there: Home tab, messages, agent view, the shortcut", () => {
  const { features } = manifest;
  expect(features.app_home).toEqual({
    home_tab_enabled: true,
    messages_tab_enabled: true,
    messages_tab_read_only_enabled: false,
  });
  expect(features.assistant_view).toBeUndefined();
  expect(features.shortcuts).toMatchObject([{ callback_id: "ask_about_message" }]);
});

test("it asks for exactly the scopes the bot checks for, and the guide explains each", () => {
  expect([...manifest.oauth_config.scopes.bot].sort()).toEqual(Object.keys(scopes).sort());
  for (const scope of Object.keys(scopes)) expect(guide).toContain(`\`${scope}\``);
});

test("every event has the scope Slack wants for it", () => {
  const wanted: { readonly [event: string]: string } = {
    app_mention: "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    reaction_added: "reactions:read",
    member_joined_channel: "channels:read",
  };
  for (const event of manifest.settings.event_subscriptions.bot_events) {
    const scope = wanted[event];
    if (scope !== undefined) expect(manifest.oauth_config.scopes.bot).toContain(scope);
  }
  for (const event of ["agent_session_stopped", "app_home_opened", "member_joined_channel"]) {
    expect(manifest.settings.event_subscriptions.bot_events).toContain(event);
  }
  expect(manifest.settings.interactivity.is_enabled).toBe(true);
});
