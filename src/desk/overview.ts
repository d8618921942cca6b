import type { Person, Place } from "#domain/conversation";
import type { AnsweringChannel, Overview, Suggestion } from "#ports/bot";
import { toolName } from "../runs/catalogue.ts";
import type { Desk } from "./desk.ts";

const mostConversations = 10;
const mostChannels = 10;

/** What a person talked about last, and who answers in the channels of that. */
export async function overviewFor(
  desk: Desk,
  { place, person }: { readonly place: Place; readonly person: Person },
): Promise<Overview> {
  const conversations = await desk.options.threads.recentConversations(person, {
    platform: place.platform,
    limit: mostConversations,
  });
  const places = new Map([place, ...conversations.map((one) => one.place)].map(byChannel));
  // The place asked from is the one to show, not an older thread of the same channel.
  places.set(...byChannel(place));
  const shown = [...places.values()].slice(0, mostChannels);
  return {
    conversations: conversations.map(({ title, place: at, updatedAtMs, isBusy }) => ({
      title,
      place: at,
      updatedAtMs,
      isBusy,
    })),
    channels: await Promise.all(shown.map((one) => answeringIn(desk, one))),
  };
}

async function answeringIn(desk: Desk, place: Place): Promise<AnsweringChannel> {
  const { catalogue } = desk.options;
  const [assistant, settings] = await Promise.all([
    catalogue.answering(place.channelKey),
    catalogue.channel(place.channelKey),
  ]);
  return {
    place,
    assistant: assistant.name,
    model: settings.model ?? catalogue.modelOf(assistant),
    suggestions: suggestionsFor(catalogue.toolsOf(assistant).map(toolName)),
  };
}

const mostSuggestions = 4;

const general: Suggestion = {
  title: "What can you do?",
  message: "What can you help me with?",
};

/** An example for what a tool is good for, the most telling first. */
const examples: readonly (readonly [tools: string, suggestion: Suggestion])[] = [
  [
    "web_search",
    {
      title: "Look something up",
      message: "What is in the news today? Search the web and name your sources.",
    },
  ],
  [
    "file_search",
    { title: "Ask about files", message: "How can I ask you about documents I send you?" },
  ],
  [
    "draw_chart make_chart",
    {
      title: "Draw a chart",
      message: "Draw a bar chart of the heights of the five highest mountains.",
    },
  ],
  [
    "code_interpreter",
    { title: "Calculate", message: "Work out a loan of 10,000 over five years at 4 percent." },
  ],
  [
    "image_generation",
    { title: "Make a picture", message: "Make a picture of a lighthouse at night." },
  ],
  [
    "query_data summarise_table",
    { title: "Sum up a table", message: "How can you help me with a CSV file?" },
  ],
];

function suggestionsFor(tools: readonly string[]): readonly Suggestion[] {
  const fitting = examples.flatMap(([any, suggestion]) =>
    any.split(" ").some((tool) => tools.includes(tool)) ? [suggestion] : [],
  );
  return [general, ...fitting].slice(0, mostSuggestions);
}

function byChannel(place: Place): [string, Place] {
  return [place.channelKey, place];
}
