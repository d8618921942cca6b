import { afterEach, describe, expect, test, vi } from "vitest";
import { emptyView, type ReplyView } from "#domain/reply-view";
import type { ReplyTarget } from "#ports/platform";
import type { WebPlatform } from "../../../adapters/web/platform.ts";
import type { ChatMessage, LiveEvent, PostAnswer } from "../../../adapters/web/wire.ts";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { JournalMemory, MemoryJournal } from "../../fakes/memory-journal.ts";
import { startedWeb, WebDisk, Window } from "./web-harness.ts";

describe("a reply in the console", () => {
  const open: WebPlatform[] = [];
  afterEach(async () => {
    for (const platform of open.splice(0)) await platform.stop();
  });

  async function asked(disk = new WebDisk()) {
    const platform = await startedWeb(new FakeBot(), { disk });
    open.push(platform);
    const ada = new Window(platform, "Ada");
    const { message } = await ada.post<PostAnswer>("@Bobbin tell me");
    const root = message?.id ?? "";
    const events = await ada.events();
    await events.nextOf("reset");
    return { platform, ada, root, events, target: targetOn(root) };
  }

  test("appears whole, and then only what it grew by travels", async () => {
    const { platform, events, target } = await asked();
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    reply.show(viewOf({ text: "One " }));
    const { message } = await events.nextOf("message");
    expect(message).toMatchObject({ text: "One ", root: target.answers[0]?.split(":")[2] });
    reply.show(viewOf({ text: "One two " }));
    const delta = await events.nextOf("delta");
    expect(delta).toMatchObject({ base: message.version, from: 4, text: "two " });
    await reply.finish(viewOf({ text: "One two three", status: "completed" }));
    const last = await events.nextOf("delta");
    expect(last).toMatchObject({
      base: delta.version,
      from: 8,
      text: "three",
      patch: { set: { status: "completed" } },
    });
  });

  test("sends what a long text grew by once, not the text again and again", async () => {
    const { platform, events, target } = await asked();
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    const word = "0123456789".repeat(20);
    let text = "";
    let received = 0;
    const reading = (async () => {
      for (;;) {
        const event = await events.next();
        received += JSON.stringify(event).length;
        const isEnd = event?.type === "delta" && event.patch?.set.status === "completed";
        if (isEnd) return;
      }
    })();
    for (let count = 0; count < 40; count += 1) {
      text += word;
      reply.show(viewOf({ text }));
      await reply.settle();
    }
    await reply.finish(viewOf({ text, status: "completed" }));
    await reading;
    // Text once, and the same small frame around each of 40 pieces.
    expect(received).toBeLessThan(text.length + 41 * 700);
  });

  test("draws what it holds without the next frame's time once the model has stopped", async () => {
    const { platform, events, target } = await asked();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const reply = platform.openReply(target, new MemoryJournal("run1"));
      reply.show(viewOf({ text: "One " }));
      await events.nextOf("message");
      reply.show(viewOf({ text: "One two" }));
      reply.hurry?.();
      expect(await events.nextOf("delta")).toMatchObject({ from: 4, text: "two" });
      await reply.finish(viewOf({ text: "One two", status: "completed" }));
    } finally {
      vi.useRealTimers();
    }
  });

  test("is told whole again when its revision rises", async () => {
    const { platform, events, target } = await asked();
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    reply.show(viewOf({ text: "A first attempt" }));
    await events.nextOf("message");
    reply.show(viewOf({ text: "Another", revision: 1 }));
    const { message } = await events.nextOf("message");
    expect(message).toMatchObject({ text: "Another", reply: { revision: 1 } });
    await reply.finish(viewOf({ text: "Another", revision: 1, status: "completed" }));
  });

  test("sends of a step only what came to it", async () => {
    const { platform, events, target } = await asked();
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    const step = {
      id: "s1",
      type: "code_interpreter",
      title: "Running code",
      status: "in_progress",
      input: "print(1)",
      output: "",
    } as const;
    reply.show(viewOf({ steps: [step] }));
    await events.nextOf("message");
    reply.show(viewOf({ steps: [{ ...step, output: "1\n", status: "completed" }] }));
    const { patch } = await events.nextOf("delta");
    expect(patch?.steps).toEqual([{ index: 0, output: "1\n", status: "completed" }]);
    await reply.finish(viewOf({ status: "completed" }));
  });

  test("lets a window that keeps to the deltas end with the stored message", async () => {
    const { platform, ada, root, events, target } = await asked();
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    let shown: ChatMessage | undefined;
    const reading = (async () => {
      while (shown?.reply?.status !== "completed") shown = follow(shown, await events.next());
    })();
    for (let count = 1; count <= 60; count += 1) {
      reply.show(viewOf({ text: "word ".repeat(count) }));
      await Promise.resolve();
    }
    await reply.finish(viewOf({ text: "word ".repeat(61), status: "completed" }));
    await reading;
    const [stored] = await ada.messages("general", root);
    expect(shown?.text).toBe(stored?.text);
    expect(shown?.version).toBe(stored?.version);
  });

  test("is seen by a window that loads while it is being written, as far as it is", async () => {
    const { platform, ada, root, events, target } = await asked();
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    reply.show(viewOf({ text: "One " }));
    await events.nextOf("message");
    reply.show(viewOf({ text: "One two " }));
    await events.nextOf("delta");
    expect((await ada.messages("general", root))[0]?.text).toBe("One two ");
    await reply.finish(viewOf({ text: "One two three", status: "completed" }));
  });

  test("counts in its thread once, also after a crash", async () => {
    const disk = new WebDisk();
    const { platform, target } = await asked(disk);
    const memory = new JournalMemory();
    const first = platform.openReply(target, new MemoryJournal("run1", memory));
    first.show(viewOf({ text: "One" }));
    await first.settle();
    const again = await startedWeb(new FakeBot(), { disk });
    open.push(again);
    const second = again.openReply(target, new MemoryJournal("run1", memory));
    await second.finish(viewOf({ text: "One two", status: "completed" }));
    const [root] = await new Window(again, "Ada").messages();
    expect(root?.thread).toMatchObject({ replies: 1 });
  });

  test("is the same message when a crash took what was about to be stored", async () => {
    const disk = new WebDisk();
    const { platform, target } = await asked(disk);
    const memory = new JournalMemory();
    const journal = new MemoryJournal("run1", memory);
    const intended = Promise.withResolvers<string>();
    journal.onBefore = ({ intentId }) => {
      intended.resolve(intentId);
      return new Promise(() => {}); // killed between the note and the write
    };
    platform.openReply(target, journal).show(viewOf({ text: "One" }));
    const intentId = await intended.promise;
    const again = await startedWeb(new FakeBot(), { disk });
    open.push(again);
    const second = again.openReply(target, new MemoryJournal("run1", memory));
    await second.finish(viewOf({ text: "One two", revision: 2, status: "completed" }));
    const shown = await new Window(again, "Ada").messages(
      "general",
      target.answers[0]?.split(":")[2],
    );
    expect(shown.map(({ id }) => id)).toEqual([`r-${intentId}`]);
  });

  test("is stored as a whole before finish resolves", async () => {
    const disk = new WebDisk();
    const { platform, root, target } = await asked(disk);
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    await reply.finish(viewOf({ text: "x".repeat(30_000), status: "completed" }));
    const other = await startedWeb(new FakeBot(), { disk });
    open.push(other);
    const [stored] = await new Window(other, "Grace").messages("general", root);
    expect(stored?.text).toHaveLength(30_000);
    expect(stored?.reply?.status).toBe("completed");
  });

  test("goes on after the store was away for a while", async () => {
    const disk = new WebDisk();
    const { platform, ada, root, target } = await asked(disk);
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    disk.records.isDown = true;
    reply.show(viewOf({ text: "One" }));
    await expect(reply.settle()).rejects.toMatchObject({ code: "store-unavailable" });
    disk.records.isDown = false;
    await reply.finish(viewOf({ text: "One two", status: "completed" }));
    expect((await ada.messages("general", root)).map(({ text }) => text)).toEqual(["One two"]);
  });

  test("that is removed disappears from windows and thread", async () => {
    const { platform, ada, root, events, target } = await asked();
    const reply = platform.openReply(target, new MemoryJournal("run1"));
    reply.show(viewOf({ text: "One" }));
    const { message } = await events.nextOf("message");
    await reply.finish(viewOf({ removed: true, status: "cancelled" }));
    expect(await events.nextOf("remove")).toMatchObject({ id: message.id });
    expect(await events.nextOf("thread")).toMatchObject({ summary: { replies: 0 } });
    expect(await ada.messages("general", root)).toEqual([]);
  });

  test("that is forgotten leaves nothing, also of what is written late", async () => {
    const disk = new WebDisk();
    const { platform, target } = await asked(disk);
    const memory = new JournalMemory();
    const reply = platform.openReply(target, new MemoryJournal("run1", memory));
    reply.show(viewOf({ text: "A secret" }));
    await reply.settle();
    await platform.forget?.({ eventIds: [], runIds: ["run1"] });
    expect(disk.records.contents().join()).not.toContain("secret");
    await reply.finish(viewOf({ text: "A secret, written late", status: "completed" }));
    expect(disk.records.contents().join()).toContain("secret");

    const journal = new MemoryJournal("run1", memory);
    const view = viewOf({ removed: true });
    const ids = [...memory.segments.values()].map(({ id }) => id);
    const left = { inherited: new Set(ids), isOwnIntent: () => true, sinceMs: 0 };
    await platform.lookAgain?.({ to: target, view, journal, ...left });
    expect(disk.records.contents().join()).not.toContain("secret");
  });
});

/** What a window makes of an event, by the rules of the wire. */
function follow(shown: ChatMessage | undefined, event: LiveEvent | undefined) {
  if (event?.type === "message" && event.message.reply) return event.message;
  if (event?.type !== "delta" || !shown?.reply) return shown;
  if (event.base !== shown.version || event.from !== shown.text.length) {
    throw new Error("a delta does not follow what is shown");
  }
  return {
    ...shown,
    version: event.version,
    text: shown.text + event.text,
    reply: { ...shown.reply, ...event.patch?.set },
  };
}

function targetOn(root: string): ReplyTarget {
  return {
    runId: "run1",
    conversationKey: `web:general:${root}`,
    target: { channel: "general", root },
    answers: [`web:general:${root}`],
    asker: { key: "web:ada", name: "Ada" },
  };
}

const base = emptyView("run1");

function viewOf(change: Partial<ReplyView>): ReplyView {
  return { ...base, ...change };
}
