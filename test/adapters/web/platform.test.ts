import { expect, test } from "vitest";
import type { ReplyTarget } from "#ports/platform";
import type { MessagePage, PostAnswer } from "../../../adapters/web/wire.ts";
import { describePlatform, type PlatformHarness } from "../../contracts/platform.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { createWeb, startedWeb, WebDisk, Window } from "./web-harness.ts";

describePlatform("the console", async (bot: FakeBot): Promise<PlatformHarness> => {
  const disk = new WebDisk();
  const platform = createWeb({ disk });
  // Looks at the same disk from another process: what it sees is stored.
  const onlooker = await startedWeb(bot, { disk });
  const ada = new Window(onlooker, "Ada");
  let runs = 0;
  let writes = 0;
  const write = disk.records.write.bind(disk.records);
  disk.records.write = async (key, value) => {
    writes += 1;
    await write(key, value);
  };
  return {
    platform,
    async target(): Promise<ReplyTarget> {
      runs += 1;
      const { message } = await ada.post<PostAnswer>(`@Bobbin question ${runs}`);
      if (!message) throw new Error("the question was not posted");
      return {
        runId: `run${runs}`,
        conversationKey: `web:general:${message.id}`,
        target: { channel: "general", root: message.id },
        answers: [`web:general:${message.id}`],
        asker: { key: "web:ada", name: "Ada" },
      };
    },
    async seen(target) {
      const { root } = target.target as { readonly root: string };
      const replies = await ada.messages("general", root);
      return {
        messages: replies.map(({ id, text, reply }) => ({
          id,
          text: text + (reply?.notices.map((notice) => notice.text).join("") ?? ""),
        })),
        fileNames: replies.flatMap(({ files }) => files.map((file) => file.name)),
      };
    },
    async restart() {
      return createWeb({ disk });
    },
    writes: () => writes,
    refuseWrites() {
      disk.records.write = async () => {
        throw new Error("the disk is full");
      };
    },
    async close() {
      await platform.stop();
      await onlooker.stop();
    },
  };
});

test("people are told in a channel, with what was said", async () => {
  const platform = createWeb();
  await platform.start(new FakeBot());
  const window = new Window(platform, "Grace");
  await platform.notify?.({
    channel: "general",
    text: "**Ada** needs a person",
    file: {
      name: "transcript.md",
      mimeType: "text/markdown",
      data: new TextEncoder().encode("**Ada**: My lamp is broken"),
    },
  });
  const answer = await window.request("GET", "channels/general/messages");
  const { messages } = (await answer.json()) as MessagePage;
  expect(messages).toMatchObject([
    {
      author: { kind: "bot", name: "Bobbin" },
      text: "**Ada** needs a person\n\n---\n\n**Ada**: My lamp is broken",
    },
  ]);
  await platform.stop();
});
