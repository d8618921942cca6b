import { shortened } from "#domain/shortened";
import type { AnsweringChannel, Overview, RecentConversation } from "#ports/bot";
import { targetOf } from "./inbound.ts";
import { escaped } from "./markdown.ts";
import { actionIds, type Block, context, plain, section } from "./sections.ts";

const mostShown = 8;

/** What the Home tab shows of a person's conversations. */
export interface HomeFacts {
  /** The person's direct conversation with the bot. */
  readonly channel: string;
  readonly personName: string;
  readonly botUser: string;
  readonly overview: Overview;
  /** Links to conversations, by thread key; without one its title stands alone. */
  readonly links: ReadonlyMap<string, string>;
}

/** The Home tab: how to begin, who answers where, what was talked about last, and help. */
export function homeView({ channel, personName, botUser, overview, links }: HomeFacts) {
  const channels = overview.channels.slice(0, mostShown);
  const conversations = overview.conversations.slice(0, mostShown);
  return {
    type: "home",
    private_metadata: channel,
    blocks: [
      header(`Hello, ${shortened(personName, 100)}`),
      section(
        `Write to me under *Messages*, or mention <@${botUser}> in a channel I am in. In a thread I take part in I answer without being mentioned; on any message, *Ask the assistant* is in its menu.`,
      ),
      {
        type: "actions",
        elements: [
          button(`${actionIds.words}help`, "All commands", "help"),
          button(`${actionIds.words}assistants`, "All assistants", "list"),
          button(`${actionIds.words}usage`, "My usage", "usage me"),
        ],
      },
      { type: "divider" },
      header("Who answers"),
      ...channels.map(channelBlock),
      { type: "divider" },
      header("Recent conversations"),
      ...(conversations.length === 0
        ? [section("None yet. Ask me something!")]
        : conversations.map((one) => conversationBlock(one, links))),
      context("Answers are written by a model: check what matters."),
    ],
  };
}

/** The Home tab of somebody the bot may not answer. */
export function closedHomeView(words: string) {
  return { type: "home", blocks: [section(escaped(words))] };
}

/** The conversations whose links are worth asking for. */
export function linkable({ conversations }: Overview): readonly RecentConversation[] {
  return conversations.slice(0, mostShown);
}

function channelBlock({ place, assistant, model }: AnsweringChannel): Block {
  const { channel } = targetOf(place.target);
  const where = place.isDirect ? "Here, directly" : `<#${channel}>`;
  const name = escaped(shortened(assistant, 80));
  return {
    ...section(`*${where}*: ${name} · \`${escaped(shortened(model, 100))}\``),
    accessory: {
      ...button(actionIds.settings, "Settings", channel),
      accessibility_label: place.isDirect
        ? "Settings of your direct messages"
        : shortened(`Settings of ${place.channelName}`, 75),
    },
  };
}

function conversationBlock(
  { title, place, updatedAtMs, isBusy }: RecentConversation,
  links: ReadonlyMap<string, string>,
): Block {
  const { channel } = targetOf(place.target);
  const link = links.get(place.threadKey);
  const words = escaped(shortened(title, 150)).replaceAll("|", "/");
  const seconds = Math.floor(updatedAtMs / 1_000);
  const when = `<!date^${seconds}^{date_short_pretty}, {time}|earlier>`;
  const where = place.isDirect ? "direct message" : `<#${channel}>`;
  const state = isBusy ? " · being answered" : "";
  return section(`*${link ? `<${link}|${words}>` : words}*\n${where} · ${when}${state}`);
}

function header(text: string): Block {
  return { type: "header", text: plain(text) };
}

function button(actionId: string, words: string, value: string) {
  return { type: "button", action_id: actionId, text: plain(words), value };
}
