import type { Entry, OfferedFunction } from "../conversation.ts";
import type { Act } from "../plan.ts";
import { asObject, asString, asStrings, type WireObject } from "../wire.ts";
import { rowsAsTable } from "./rows-as-table.ts";
import { fenced, type Skill, say } from "./skill.ts";

/** `call name {"key": "value"}`, one per line; several are called in parallel. */
export const call: Skill = ({ text }, turn) => {
  const wanted = callsIn(text);
  if (wanted.length === 0) return undefined;
  const known = new Map(turn.functions.map((one) => [one.name, one]));
  const unknown = wanted.filter(({ name }) => !known.has(name)).map(({ name }) => `\`${name}\``);
  if (unknown.length > 0) {
    const offered = [...known.keys()].map((name) => `\`${name}\``).join(", ");
    return say(
      `I was not given a function called ${[...new Set(unknown)].join(" or ")}.`,
      offered ? `These I may call: ${offered}.` : "I may call none at all.",
    );
  }
  const names = wanted.map(({ name }) => `\`${name}\``);
  const last = names.at(-1) ?? "";
  const list = names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${last}` : last;
  return {
    type: "answer",
    acts: [
      { type: "say", text: `I call ${list}, as you asked.` },
      ...wanted.map(({ name, args }) => ({ type: "call", name, arguments: args || "{}" }) as const),
    ],
  };
};

/** Says what functions returned, word for word. */
export function tellOutputs(entries: readonly Entry[]): Act {
  const names = new Map(
    entries.flatMap((entry) =>
      entry.type === "call" ? [[entry.callId, entry.name] as const] : [],
    ),
  );
  const parts = entries.flatMap((entry) =>
    entry.type === "output"
      ? [`\`${names.get(entry.callId) ?? "A function"}\` returned:\n\n${shown(entry.output)}`]
      : [],
  );
  return { type: "say", text: parts.join("\n\n") };
}

/** What to type to call a function, with arguments its schema accepts as far as one can tell. */
export function exampleCall({ name, parameters }: OfferedFunction): string {
  return `call ${name} ${examples[name] ?? JSON.stringify(sample(parameters))}`;
}

/** Functions that everybody has deserve better than what can be made of a schema. */
const examples: { readonly [name: string]: string } = {
  calculate: '{"expression": "(19.99 * 3) * 1.19"}',
  current_time: '{"time_zone": "Europe/Berlin"}',
  make_chart:
    '{"type": "bar", "title": "Visitors", "labels": ["Mon", "Tue", "Wed"], "series": [{"name": "visitors", "values": [12, 19, 7]}]}',
  draw_chart:
    '{"title": "Visitors", "alt_text": "Three days of visitors", "spec": {"data": {"values": [{"day": "Mon", "visitors": 12}, {"day": "Tue", "visitors": 19}]}, "mark": "bar", "encoding": {"x": {"field": "day"}, "y": {"field": "visitors", "type": "quantitative"}}}}',
  query_data: "{}",
  publish_report: '{"title": "Weekly status", "body": "All is well."}',
  ask_form:
    '{"title": "Lunch", "fields": [{"id": "dish", "label": "What do you want?", "choices": ["Soup", "Salad", "Pasta"]}, {"id": "wish", "label": "Anything else?", "optional": true}]}',
  display_quiz:
    '{"title": "Capitals", "questions": [{"question_text": "What is the capital of Peru?", "question_type": "MULTIPLE_CHOICE", "choices": ["Lima", "Cusco"]}]}',
  summarise_table: "{}",
};

function callsIn(text: string): readonly { readonly name: string; readonly args: string }[] {
  const starts = [...text.matchAll(/^[ \t]*(?:`{1,3})?call[ \t]+([a-zA-Z0-9_-]{1,64})/gim)];
  if (starts.length === 0 || text.slice(0, starts[0]?.index ?? 0).trim() !== "") return [];
  return starts.map((start, i) => {
    const from = start.index + start[0].length;
    const to = starts[i + 1]?.index ?? text.length;
    // What is not JSON goes out as it is: a model gets it wrong sometimes, too.
    return {
      name: start[1] ?? "",
      args: text
        .slice(from, to)
        .trim()
        .replace(/`{1,9}$/, "")
        .trim(),
    };
  });
}

function shown(output: string): string {
  const table = rowsAsTable(output);
  if (table !== undefined) return table;
  try {
    const value: unknown = JSON.parse(output);
    if (typeof value === "object" && value !== null) {
      return fenced(JSON.stringify(value, null, 2), "json");
    }
  } catch {
    // Most outputs are plain text.
  }
  return fenced(output || "(nothing)", "text");
}

function sample(schema: WireObject): unknown {
  const [first] = asStrings(schema.enum);
  if (first !== undefined) return first;
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "object": {
      const required = asStrings(schema.required);
      const properties = Object.entries(asObject(schema.properties));
      const wanted = properties.filter(
        ([key, value]) => required.includes(key) && !isNullable(value),
      );
      return Object.fromEntries(wanted.map(([key, value]) => [key, sample(asObject(value))]));
    }
    case "array":
      return [sample(asObject(schema.items))];
    case "number":
    case "integer":
      return typeof schema.minimum === "number" ? schema.minimum : 1;
    case "boolean":
      return true;
    default:
      return asString(schema.default) || "text";
  }
}

function isNullable(schema: unknown): boolean {
  const { type, anyOf } = asObject(schema);
  if (Array.isArray(type)) return type.includes("null");
  return Array.isArray(anyOf) && anyOf.some((part) => asObject(part).type === "null");
}
