import { expect, onTestFinished, test } from "vitest";
import { emptyView, type ReplyView } from "#domain/reply-view";
import type { PostAnswer } from "../../../adapters/web/wire.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import { MemoryProcesses } from "../../fakes/memory-processes.ts";
import { startedWeb, WebDisk, Window } from "./web-harness.ts";

/** A gateway that people look at, and a worker that draws; both on the same disk. */
async function world() {
  const [all, disk] = [new MemoryProcesses(), new WebDisk()];
  const start = async (listens: boolean) => {
    const platform = await startedWeb(new FakeBot(), { disk, processes: all.join(), listens });
    onTestFinished(() => platform.stop());
    return platform;
  };
  const [gateway, worker] = [await start(true), await start(false)];
  const ada = new Window(gateway, "Ada");
  const { message: question } = await ada.post<PostAnswer>("@Bobbin go");
  if (!question) throw new Error("the question was not posted");
  const reply = worker.openReply(
    {
      runId: "run1",
      conversationKey: "web:general",
      target: { channel: "general", root: question.id },
      answers: [],
      asker: { key: "web:ada", name: "Ada" },
    },
    new MemoryJournal("run1"),
  );
  const view = (change: Partial<ReplyView>): ReplyView => ({ ...emptyView("run1"), ...change });
  return { all, start, ada, question, reply, view, worker };
}

test("a reply that a worker draws grows in the windows of a gateway", async () => {
  const { ada, question, reply, view } = await world();
  const events = await ada.events();
  reply.show(view({ text: "One" }));
  const { message } = await events.nextOf("message");
  expect(message).toMatchObject({ root: question.id, text: "One" });
  reply.show(view({ text: "One, two" }));
  const delta = await events.nextOf("delta");
  expect(delta).toMatchObject({ id: message.id, base: message.version, text: ", two" });
  // Who opens the thread now sees what no disk has yet.
  const [now] = await ada.messages("general", question.id);
  expect(now).toMatchObject({ text: "One, two", version: delta.version });
  await reply.finish(view({ text: "One, two, three.", status: "completed" }));
  const [done] = await ada.messages("general", question.id);
  expect(done).toMatchObject({ text: "One, two, three.", reply: { status: "completed" } });
});

test("a gateway that starts in the middle of a reply has it whole within a second", async () => {
  const { ada, start, question, reply, view } = await world();
  reply.show(view({ text: "One" }));
  await expect.poll(async () => (await ada.messages("general", question.id)).length).toBe(1);
  const late = new Window(await start(true), "Grace");
  const events = await late.events();
  let text = "One";
  const grow = setInterval(() => {
    text += " and one";
    reply.show(view({ text }));
  }, 20);
  onTestFinished(() => clearInterval(grow));
  const { message } = await events.nextOf("message");
  const delta = await events.nextOf("delta");
  expect(delta.base).toBeGreaterThanOrEqual(message.version);
  const [now] = await late.messages("general", question.id);
  expect(now?.version).toBeGreaterThanOrEqual(delta.version);
});

test("what may have been missed is loaded anew", async () => {
  const { all, ada } = await world();
  const events = await ada.events();
  await events.nextOf("reset");
  all.lose();
  await events.nextOf("reset");
});

test("what is posted and deleted at one gateway is seen at another", async () => {
  const { ada, start } = await world();
  const grace = new Window(await start(true), "Grace");
  const events = await grace.events();
  const { message } = await ada.post<PostAnswer>("good morning");
  expect((await events.nextOf("message")).message).toMatchObject({ text: "good morning" });
  await ada.json("DELETE", `messages/${message?.id}`, { nonce: ada.nonce() });
  expect(await events.nextOf("remove")).toMatchObject({ id: message?.id });
});

test("a worker has no page", async () => {
  const { worker } = await world();
  const answer = await new Window(worker, "Ada").request("GET", "state");
  expect(answer.status).toBe(503);
});
