import fc from "fast-check";
import type { ResponseInputItem, Tool } from "openai/resources/responses/responses";
import { describe, expect, test } from "vitest";
import { builtInTools } from "../../../src/tools/built-in.ts";
import { toolContext } from "../../fakes/tool-context.ts";
import {
  answerOf,
  collect,
  demoClient,
  eventsOf,
  messageWith,
  streamedText,
  upload,
} from "./demo-client.ts";

const label = "**Demo brain: no model is configured.**";
const codeInterpreter: Tool = { type: "code_interpreter", container: { type: "auto" } };
const include = ["code_interpreter_call.outputs" as const, "file_search_call.results" as const];
const functions = builtInTools.map(
  ({ spec }): Tool => ({
    type: "function",
    strict: true,
    ...spec,
    parameters: { ...spec.parameters },
  }),
);

describe("help", () => {
  test("every call it suggests is one the function accepts", async () => {
    const { text } = await answerOf(demoClient(), "Ada: help", { tools: functions });
    const calls = [...text.matchAll(/^call (\S+) (\{.*\})$/gm)];
    expect(calls.map(([, name]) => name)).toEqual(builtInTools.map((tool) => tool.spec.name));
    for (const [, name, args = ""] of calls) {
      const tool = builtInTools.find((one) => one.spec.name === name);
      expect(tool?.check(JSON.parse(args))).toMatchObject({ ok: true });
    }
  });

  test.each(["ask_form", "display_quiz"])("its call of %s asks something", async (name) => {
    const { text } = await answerOf(demoClient(), "help", { tools: functions });
    const [, args = ""] = new RegExp(`^call ${name} (.*)$`, "m").exec(text) ?? [];
    const tool = builtInTools.find((one) => one.spec.name === name);
    const checked = tool?.check(JSON.parse(args));
    if (!checked?.ok) throw new Error(checked?.problem);
    const result = await tool?.run(checked.value, toolContext(), new AbortController().signal);
    expect(result).toMatchObject({ type: "ask" });
  });

  test("a function nobody knows gets an example made of its schema", async () => {
    const parameters = {
      type: "object",
      properties: {
        city: { type: "string" },
        unit: { enum: ["C", "F"] },
        days: { type: "integer", minimum: 2 },
        flags: { type: "array", items: { type: "boolean" } },
        note: { type: ["string", "null"] },
      },
      required: ["city", "unit", "days", "flags", "note"],
    };
    const weather: Tool = { type: "function", name: "weather", strict: true, parameters };
    const { text } = await answerOf(demoClient(), "help", { tools: [weather] });
    expect(text).toMatch('call weather {"city":"text","unit":"C","days":2,"flags":[true]}');
  });

  test("a question it has no rule for is answered with that, and with what it can do", async () => {
    const { text } = await answerOf(demoClient(), "who won the cup in 1998?");
    expect(text).toMatch("Without a model I cannot answer that");
    expect(text).toMatch("what is 15% of 80");
  });
});

describe("files people send", () => {
  test.each([
    ["empty.txt", "", "it is empty"],
    ["note.txt", "# Hello\nworld, again\n", "text of 2 lines and 3 words. It begins: “\\# Hello”"],
    ["data.json", '{"a": 1, "b": [2]}', "JSON: an object with 2 keys: `a`, `b`."],
    ["list.json", "[1, 2]", "JSON: a list of 2 entries."],
    ["broken.json", "{", "not valid JSON"],
    ["scan.pdf", "%PDF-1.7 \0", "a PDF; it is not text"],
    ["table.csv", "1;2\n3;4\n", "a table of 2 rows and 2 columns, without a header."],
  ])("%s is described truthfully", async (name, content, words) => {
    const client = demoClient();
    const id = await upload(client, name, content);
    const { text } = await answerOf(client, messageWith("", [id]));
    expect(text).toContain(words);
  });

  test.each([
    ["sum of amount", "The sum of amount in shop.csv is **30.3**"],
    ["what is the average of Amount?", "The average of amount in shop.csv is **10.1**"],
    ["max amount", "The max of amount in shop.csv is **20.2**"],
    ["count of note", "The count of note in shop.csv is **2** (2 values, 1 empty)"],
    ["total of note", "holds text, so it has no total"],
    ["sum of price", "has no column called price. Its columns: amount, note"],
    ["sum of n in old.csv", "The sum of n in old.csv is **3**"],
  ])("%s is answered exactly, from the newest table", async (question, words) => {
    const client = demoClient();
    const ids = [
      await upload(client, "old.csv", "n\n1\n2\n"),
      await upload(client, "shop.csv", "amount,note\n0.1,a\n10,\n20.2,b\n"),
    ];
    const sent = await answerOf(client, messageWith("facts", ids));
    const { text } = await answerOf(client, question, { previous_response_id: sent.response.id });
    expect(text).toContain(words);
  });

  test("the newest table that has the column is asked", async () => {
    const client = demoClient();
    const ids = [
      await upload(client, "shop.csv", "amount\n7\n"),
      await upload(client, "summary.csv", "column,sum\namount,7\n"),
    ];
    const { text } = await answerOf(client, messageWith("sum of amount", ids));
    expect(text).toContain("The sum of amount in shop.csv is **7**");
  });

  test("documents that come as text inside the message are read, too", async () => {
    const input: ResponseInputItem[] = [
      {
        role: "user",
        content: [
          { type: "input_text", text: "Ada writes:" },
          { type: "input_text", text: '<document name="a.csv">\nn\n4\n5\n</document>' },
          { type: "input_text", text: "sum of n" },
        ],
      },
    ];
    const { text } = await answerOf(demoClient(), input);
    expect(text).toContain("The sum of n in a.csv is **9**");
  });

  test("files inside the request are read, too; pictures nobody can look at", async () => {
    const file_data = `data:text/plain;base64,${Buffer.from("hello").toString("base64")}`;
    const input: ResponseInputItem[] = [
      {
        role: "user",
        content: [
          { type: "input_file", filename: "in.txt", file_data },
          { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "auto" },
        ],
      },
    ];
    const { text } = await answerOf(demoClient(), input);
    expect(text).toContain("**in.txt**: 5 bytes, text of 1 line and 1 word.");
    expect(text).toContain("1 image came with it. Without a model nobody can look at it.");
  });
});

describe("search", () => {
  const handbook =
    "# Handbook\n\nHolidays: everybody has thirty days.\n\nThe refund policy: refunds are paid within 14 days.\n\nParking is free.\n";

  async function searchable() {
    const client = demoClient();
    const id = await upload(client, "handbook.md", handbook);
    const store = await client.vectorStores.create({ file_ids: [id] });
    const tools: Tool[] = [{ type: "file_search", vector_store_ids: [store.id] }];
    return { client, id, request: { tools, include } };
  }

  test("finds the passage and cites the file right behind it", async () => {
    const { client, id, request } = await searchable();
    const events = await eventsOf(client, "search refund policy", request);
    const types = events.map((event) => event.type);
    expect(types.filter((type) => type.startsWith("response.file_search_call"))).toEqual([
      "response.file_search_call.in_progress",
      "response.file_search_call.searching",
      "response.file_search_call.completed",
    ]);
    const last = events.at(-1);
    if (last?.type !== "response.completed") throw new Error(last?.type);
    const [search, message] = last.response.output;
    const quote = "The refund policy: refunds are paid within 14 days.";
    expect(search).toMatchObject({
      type: "file_search_call",
      queries: ["refund policy"],
      results: [{ file_id: id, filename: "handbook.md", text: quote, score: 1 }],
    });
    if (message?.type !== "message" || message.content[0]?.type !== "output_text")
      throw new Error();
    const { text, annotations } = message.content[0];
    const index = text.indexOf(`“${quote}”`) + quote.length + 2;
    const citation = { type: "file_citation", file_id: id, filename: "handbook.md", index };
    expect(annotations).toEqual([citation]);
    const at = types.indexOf("response.output_text.annotation.added");
    expect(events[at]).toMatchObject({ annotation: citation, annotation_index: 0 });
    const before = events
      .slice(0, at)
      .flatMap((event) => (event.type === "response.output_text.delta" ? event.delta : []));
    expect(before.join("").length).toBeGreaterThanOrEqual(index);
  });

  test("a question the searched text answers is searched for without being told", async () => {
    const { client, request } = await searchable();
    const { text } = await answerOf(client, "How many holidays do I have?", request);
    expect(text).toContain("everybody has thirty days");
    expect((await answerOf(client, "Who is the queen of Sheba?", request)).text).toContain(
      "Without a model",
    );
  });

  test("what is not there is not found, and still looked for", async () => {
    const { client, request } = await searchable();
    const { text, response } = await answerOf(client, "find unicorns", request);
    expect(text).toContain("I found nothing about “unicorns” in handbook.md.");
    expect(response.output[0]).toMatchObject({ type: "file_search_call", results: [] });
  });

  test("what cannot be looked into is named, and nothing twice", async () => {
    const client = demoClient();
    const ids = [
      await upload(client, "handbook.md", handbook),
      await upload(client, "handbook.md", handbook),
      await upload(client, "invoice.pdf", "%PDF-1.7\0"),
    ];
    const { text } = await answerOf(client, messageWith("search unicorns", ids));
    expect(text).toContain("I found nothing about “unicorns” in handbook.md.\n");
    expect(text).toContain("Without a model I cannot look into invoice.pdf.");
  });

  test("a text in the message is searched, and cited, without an index", async () => {
    const client = demoClient();
    const id = await upload(client, "handbook.md", handbook);
    const { text, response } = await answerOf(client, messageWith("search parking", [id]));
    expect(text).toContain("“Parking is free.”");
    expect(response.output).toMatchObject([{ content: [{ annotations: [{ file_id: id }] }] }]);
  });
});

describe("files it makes", () => {
  test("a CSV becomes a summary and a chart in the container", async () => {
    const client = demoClient();
    const id = await upload(client, "shop.csv", "month,amount\nJan,10\nFeb,20.5\n");
    const tools: Tool[] = [
      { type: "code_interpreter", container: { type: "auto", file_ids: [id] } },
    ];
    const events = await eventsOf(client, "make files", { tools, include });
    const types = [...new Set(events.map((event) => event.type))].filter((type) =>
      type.includes("code_interpreter"),
    );
    expect(types).toEqual([
      "response.code_interpreter_call.in_progress",
      "response.code_interpreter_call_code.delta",
      "response.code_interpreter_call_code.done",
      "response.code_interpreter_call.interpreting",
      "response.code_interpreter_call.completed",
    ]);
    const last = events.at(-1);
    if (last?.type !== "response.completed") throw new Error(last?.type);
    const [call, message] = last.response.output;
    if (call?.type !== "code_interpreter_call") throw new Error(call?.type);
    expect(call.code).toContain("The demo brain runs no Python");
    expect(call.outputs).toEqual([
      { type: "logs", logs: expect.stringContaining("wrote /mnt/data/summary.csv") },
    ]);

    const files = await collect(await client.containers.files.list(call.container_id));
    expect(files.map(({ path, source }) => `${source} ${path}`)).toEqual([
      "user /mnt/data/shop.csv",
      "assistant /mnt/data/summary.csv",
      "assistant /mnt/data/chart.svg",
    ]);
    const contentOf = async (i: number) =>
      (
        await client.containers.files.content.retrieve(files[i]?.id ?? "", {
          container_id: call.container_id,
        })
      ).text();
    expect(await contentOf(1)).toBe(
      "column,type,filled,empty,distinct,sum,mean,least,greatest\nmonth,text,2,0,2,,,Feb,Jan\namount,number,2,0,2,30.5,15.25,10,20.5\n",
    );
    expect(await contentOf(2)).toMatch(/^<svg [\s\S]*amount in shop\.csv/);

    // The summary is cited by the address of its link alone; the chart is there without being cited.
    if (message?.type !== "message" || message.content[0]?.type !== "output_text")
      throw new Error();
    const { text, annotations } = message.content[0];
    expect(annotations).toHaveLength(1);
    const [citation] = annotations;
    if (citation?.type !== "container_file_citation") throw new Error(citation?.type);
    expect(citation).toMatchObject({ container_id: call.container_id, file_id: files[1]?.id });
    expect(text.slice(citation.start_index, citation.end_index)).toBe(
      "sandbox:/mnt/data/summary.csv",
    );
  });

  test("the container of an earlier answer is used again", async () => {
    const client = demoClient();
    const containerOf = async (
      container: Extract<Tool, { type: "code_interpreter" }>["container"],
    ) => {
      const tools: Tool[] = [{ type: "code_interpreter", container }];
      const { response } = await answerOf(client, "chart a=1, b=2", { tools });
      const [call] = response.output;
      return call?.type === "code_interpreter_call" ? call.container_id : "";
    };
    const first = await containerOf({ type: "auto" });
    expect(await containerOf(first)).toBe(first);
    expect(await collect(await client.containers.files.list(first))).toHaveLength(1);
    await expect(containerOf("cntr_expired")).rejects.toThrow(
      "Container with id 'cntr_expired' not found.",
    );
  });

  test.each([
    ["make files", "Making files needs the code interpreter", []],
    ["make files", "I see no CSV file", [codeInterpreter]],
    ["pie chart a=1, b=-2", "A pie cannot show negative values", [codeInterpreter]],
    ["chart a=1, b", "Entry 2 is not `name=number`", [codeInterpreter]],
    ["image of waves", "Image generation is not on", []],
  ])("%s says why it does not: %s", async (message, words, tools: Tool[]) => {
    const { text, response } = await answerOf(demoClient(), message, { tools });
    expect(text).toContain(words);
    expect(response.output).toHaveLength(1);
  });

  test("a picture is a PNG, the same for the same words", async () => {
    const client = demoClient();
    const tools: Tool[] = [{ type: "image_generation" }];
    const pictures = await Promise.all(
      ["image of waves", "draw waves", "draw hills"].map(async (words) => {
        const { response } = await answerOf(client, words, { tools });
        const [call] = response.output;
        return call?.type === "image_generation_call" ? (call.result ?? "") : "";
      }),
    );
    expect(
      Buffer.from(pictures[0] ?? "", "base64")
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
    expect(pictures[0]).toBe(pictures[1]);
    expect(pictures[0]).not.toBe(pictures[2]);
  });
});

describe("showing what it was given", () => {
  test("about shows instructions word for word, and what is on", async () => {
    const { text } = await answerOf(demoClient(), "about", {
      instructions: "Be formal.\n```\nx\n```",
      tools: [...functions, codeInterpreter],
    });
    expect(text).toContain("````text\nBe formal.\n```\nx\n```\n````");
    expect(text).toContain("`calculate`");
    expect(text).toContain("- Hosted tools: `code_interpreter`");
  });

  test("what did I say? names the authors and their files, and no summary", async () => {
    const client = demoClient();
    const id = await upload(client, "a.txt", "x");
    const message = (
      author: string,
      text: string,
      files: readonly string[] = [],
    ): ResponseInputItem => ({
      role: "user",
      content: [
        { type: "input_text", text: `${author} writes:` },
        ...files.map((file_id) => ({ type: "input_file" as const, file_id })),
        { type: "input_text", text },
      ],
    });
    const { text } = await answerOf(client, [
      { role: "user", content: "Summary of the conversation before this point:\nmuch" },
      message("Ada", "first *thing*", [id]),
      { role: "assistant", content: "ok" },
      message("Grace", "second"),
      { role: "assistant", content: "ok" },
      message("Ada", "What did we say so far?"),
    ]);
    expect(text).toContain(
      "I was given 2 earlier messages:\n\n1. Ada: first \\*thing\\* (with a.txt)\n1. Grace: second",
    );
  });

  test("reasoning is shown as it was: what the rules did", async () => {
    const { text, response } = await answerOf(demoClient(), "reason (2+3)*4");
    expect(text).toContain("`(2+3)*4` = **20**");
    expect(response.output[0]).toMatchObject({
      type: "reasoning",
      summary: [{ text: expect.stringContaining("exact fractions") }],
    });
  });

  test("asked for a summary without any tool, it shortens the lines it is given", async () => {
    const input = "Ada: hello\nAssistant: hi\n";
    const { text } = await answerOf(demoClient(), input, {
      instructions: "Summarise the conversation so far.",
    });
    expect(text).toContain("- Ada: hello\n- Assistant: hi");
  });
});

describe("long answers", () => {
  test("have exactly the length that was asked for, and no two lines alike but table heads", async () => {
    const { text } = await answerOf(demoClient(), "long 5000");
    expect(text.slice(label.length + 2)).toHaveLength(5_000);
    const heads = text.match(/^### Section \d+$/gm) ?? [];
    expect(new Set(heads).size).toBe(heads.length);
  });

  test("that were stopped are gone on with at the very character", async () => {
    const client = demoClient();
    const whole = (await answerOf(client, "long 3000")).text;
    const stopped = await eventsOf(client, "long 3000", { max_output_tokens: 100 });
    const last = stopped.at(-1);
    if (last?.type !== "response.incomplete") throw new Error(last?.type);
    const { text } = await answerOf(client, "Ada: Continue exactly where you stopped.", {
      previous_response_id: last.response.id,
    });
    const [, rest = ""] = text.split(" characters)\n\n");
    expect(streamedText(stopped) + rest).toBe(whole);
  });
});

test("whatever is said, every answer carries the label and ends", async () => {
  const client = demoClient({ wait: async () => {} });
  const words = [
    "call",
    "calculate",
    "{",
    "}",
    "search",
    "facts",
    "sum",
    "of",
    "make",
    "files",
    "chart",
    "a=1",
    "Ada:",
    "@bot",
    "reason",
    "1/0",
    "\n",
    "```",
    "long",
    "slow",
    "image",
    "what",
    "?",
    "9",
    "*",
  ];
  const message = fc.array(
    fc.oneof(fc.constantFrom(...words), fc.string({ unit: "binary", maxLength: 8 })),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(message, async (parts) => {
      const { text } = await answerOf(client, parts.join(" "), {
        tools: [...functions, codeInterpreter],
        store: false,
      });
      expect(text.startsWith(label)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test.each([
  ["fail ", " "],
  ["sum of ", "in "],
  ["facts ", "of "],
  ["call x", "`"],
  ["chart ", "a="],
  ["1", "+("],
  ["", "@"],
])("a message of %j and much of %j is read without getting lost in it", async (head, unit) => {
  for (const length of [1_400, 200_000]) {
    const message = `${head}${unit.repeat(length / unit.length)}\u0001`;
    const { text } = await answerOf(demoClient(), message);
    expect(text).toContain(label);
  }
});
