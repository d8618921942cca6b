import { describe, expect, test } from "vitest";
import { commandIn } from "../../../adapters/web/commands.ts";
import {
  mayRead,
  mentionsBot,
  messageIdOf,
  personOf,
  placeOf,
  slugOf,
  stripMention,
  toIncomingMessage,
} from "../../../adapters/web/inbound.ts";
import type { ChatMessage } from "../../../adapters/web/wire.ts";

test.each([
  ["Ada Lovelace", "ada-lovelace"],
  ["  Ada   Lovelace ", "ada-lovelace"],
  ["Zoë", "zoë"],
  ["Ａｄａ", "ada"],
  ["李 雷", "李-雷"],
  ["a:b/c@d", "a-b-c-d"],
  ["!!!", ""],
])("slugOf makes %j into %j", (name, slug) => {
  expect(slugOf(name)).toBe(slug);
});

test.each([
  ["calls the bot", "@Bobbin hello", true],
  ["calls it in lower case", "hello @bobbin!", true],
  ["calls it in brackets", "(@Bobbin)", true],
  ["calls it in bold", "**@Bobbin** hello", true],
  ["names somebody whose name only begins so", "@Bobbinette hello", false],
  ["is an address", "mail ada@bobbin", false],
  ["only names it", "Bobbin is down", false],
  ["shows it as code", "write `@Bobbin`", false],
])("a text that %s: %j", (_case, text, expected) => {
  expect(mentionsBot(text, "Bobbin")).toBe(expected);
});

test.each([
  ["@Bobbin what is this?", "what is this?"],
  ["@Bobbin, what is this?", "what is this?"],
  ["@bobbin: go", "go"],
  ["so @Bobbin what now", "so  what now"],
  ["no mention", "no mention"],
  ["@Bobbin", ""],
])("stripMention makes %j into %j", (text, stripped) => {
  expect(stripMention(text, "Bobbin")).toBe(stripped);
});

describe("commandIn", () => {
  const commands = ["model", "new", "help"].map((name) => ({
    name,
    summary: "",
    usage: "",
    role: "person" as const,
    parameters: [],
  }));
  test.each([
    ["/model gpt-5.5", "model gpt-5.5"],
    ["/assistant model gpt-5.5", "model gpt-5.5"],
    ["/assistant", ""],
    ["@Bobbin /new", "new"],
    ["/modle x", "modle x"],
    ["/mdel x", "mdel x"],
    ["/usr/bin/env is a path", undefined],
    ["/shrug", undefined],
    ["model gpt-5.5", undefined],
    ["see /model", undefined],
  ])("finds in %j the command %j", (text, command) => {
    expect(commandIn(text, { botName: "Bobbin", commands })).toBe(command);
  });
});

describe("a place", () => {
  test("is a thread on its root message in a channel", () => {
    const place = placeOf({ id: "general", name: "General", isDirect: false }, "m-1");
    expect(place).toEqual({
      platform: "web",
      channelKey: "web:general",
      channelName: "General",
      threadKey: "web:general:m-1",
      isDirect: false,
      target: { channel: "general", root: "m-1" },
    });
  });

  test("is one conversation in a direct message, whatever is answered to what", () => {
    const place = placeOf({ id: "@ada", name: "Bobbin", isDirect: true }, "m-1");
    expect(place.threadKey).toBe("web:@ada");
    expect(place.target).toEqual({ channel: "@ada", root: null });
  });
});

test("a direct message is read by the person it belongs to alone", () => {
  expect(mayRead("general", { key: "web:grace", name: "Grace" })).toBe(true);
  expect(mayRead("@ada", { key: "web:ada", name: "Ada" })).toBe(true);
  expect(mayRead("@ada", { key: "web:grace", name: "Grace" })).toBe(false);
});

test("a name without a letter or digit is nobody", () => {
  expect(personOf(" … ")).toBeUndefined();
  expect(personOf(" Ada  L. ")).toEqual({ key: "web:ada-l", name: "Ada L." });
});

test("an event id leads back to its message", () => {
  expect(messageIdOf("web:general:m-1")).toBe("m-1");
  expect(messageIdOf("slack:T1:C1:170.1")).toBeUndefined();
});

test("a message carries what was said before the bot was called", () => {
  const message = chat({ id: "m-3", root: "m-1", text: "@Bobbin who is right?" });
  const incoming = toIncomingMessage(message, {
    channel: { id: "general", name: "general", isDirect: false },
    botName: "Bobbin",
    before: [chat({ id: "m-1", text: "It is 42." }), chat({ id: "m-2", text: "It is 43." })],
  });
  expect(incoming).toMatchObject({
    eventId: "web:general:m-3",
    text: "who is right?",
    place: { threadKey: "web:general:m-1" },
    quoted: [{ text: "It is 42." }, { text: "It is 43." }],
  });
});

function chat(change: Partial<ChatMessage>): ChatMessage {
  return {
    id: "m-1",
    channel: "general",
    root: null,
    order: 1,
    version: 1,
    author: { kind: "person", key: "web:ada", name: "Ada" },
    text: "",
    sentAtMs: 0,
    files: [],
    isForBot: true,
    ...change,
  };
}
