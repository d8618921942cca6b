import { describe, expect, onTestFinished, test } from "vitest";
import { emptyView, type ReplyView } from "#domain/reply-view";
import { FakeBot } from "../../fakes/fake-bot.ts";
import { MemoryJournal } from "../../fakes/memory-journal.ts";
import { MemoryLedger } from "../../fakes/memory-ledger.ts";
import { createDiscord, started, targetFor } from "./discord-harness.ts";

async function scene() {
  const ledger = new MemoryLedger();
  const { discord, ada, general, bot, platform } = await started({ ledger });
  const message = ada.directMessage("hello");
  const target = targetFor({ channel: ada.directChannel(), message, person: ada });
  const shown = async (change: Partial<ReplyView>) => {
    bot.keepForms(change);
    const reply = platform.openReply(target, new MemoryJournal(target.runId));
    reply.show({ ...emptyView(target.runId), text: "An answer.", ...change });
    await reply.settle();
    const seen = discord.replies(ada.directChannel()).at(-1);
    if (!seen) throw new Error("nothing is shown");
    return seen;
  };
  return { discord, ada, general, bot, platform, ledger, target, shown };
}

const approval = {
  type: "approval",
  id: "q1",
  callId: "c1",
  toolName: "send_mail",
  title: "Send the mail",
  arguments: "to: grace",
  expiresAtMs: Date.now() + 60_000,
  personKey: "discord:1",
} as const;

const form = {
  type: "form",
  id: "q2",
  callId: "c1",
  toolName: "ask",
  title: "A question",
  form: {
    title: "A question",
    fields: [
      { id: "colour", label: "Colour", type: "choice", choices: ["red", "green"] },
      { id: "why", label: "Why", type: "text" },
    ],
  },
  expiresAtMs: Date.now() + 60_000,
  personKey: "discord:1",
} as const;

describe("a press", () => {
  test("reaches the bot; when it did what was wanted nothing more is said", async () => {
    const { ada, bot, target, shown } = await scene();
    const pressed = ada.presses(await shown({ status: "failed", actions: ["retry"] }), "Retry");
    await expect.poll(() => pressed.status).toBe("deferred-update");
    await expect
      .poll(() => bot.presses)
      .toMatchObject([
        {
          runId: target.runId,
          by: { key: target.asker.key, name: "ada" },
          press: { type: "retry" },
        },
      ]);
    expect(pressed.followUps).toEqual([]);
  });

  test("by somebody else is refused in words that only they see", async () => {
    const { ada, bot, shown } = await scene();
    bot.onPress = async () => ({ ok: false, words: "Only the person who asked can do that." });
    const pressed = ada.presses(await shown({ actions: ["stop"] }), "Stop");
    await expect
      .poll(() => pressed.followUps)
      .toMatchObject([{ text: "Only the person who asked can do that.", isEphemeral: true }]);
  });

  test("of good feedback is thanked for, bad feedback is asked why", async () => {
    const { ada, bot, shown } = await scene();
    bot.onPress = async () => ({ ok: true, words: "Thank you for telling." });
    const seen = await shown({ status: "completed", actions: ["feedback"] });
    const good = ada.presses(seen, "Good answer");
    await expect.poll(() => good.followUps[0]?.text).toBe("Thank you for telling.");
    const bad = ada.presses(seen, "Bad answer");
    await expect.poll(() => bad.status).toBe("modal");
    ada.submits(bad, { "What should have been different?": "too long" });
    await expect
      .poll(() => bot.presses.map(({ press }) => press))
      .toEqual([
        { type: "feedback", good: true },
        { type: "feedback", good: false, reason: "too long" },
      ]);
  });

  test("on an offer to answer again takes the offer away", async () => {
    const { discord, ada, general, bot } = await started();
    bot.onAmend = async () => ({ state: "answered", runId: "run_1" });
    const message = ada.mentions(general, "first");
    await expect.poll(() => bot.messages.length).toBe(1);
    ada.edits(message, `<@${discord.botId}> second`);
    await expect.poll(() => discord.replies(general)).toHaveLength(1);
    const [offer] = discord.replies(general);
    if (!offer) throw new Error("nothing is offered");
    ada.presses(offer, "Answer the new version");
    await expect.poll(() => discord.replies(general)).toEqual([]);
    expect(bot.presses).toMatchObject([{ runId: "run_1", press: { type: "answer-new-version" } }]);
  });

  test("whose interaction died is carried out, and its words come directly", async () => {
    const { discord, ada, general, bot, platform } = await started();
    const message = ada.mentions(general, "hello");
    const target = targetFor({ channel: general, message, person: ada });
    const reply = platform.openReply(target, new MemoryJournal(target.runId));
    reply.show({ ...emptyView(target.runId), text: "An answer.", actions: ["stop"] });
    await reply.settle();
    const thread = discord.threadOn(message);
    const seen = thread && discord.replies(thread).at(-1);
    if (!seen) throw new Error("nothing is shown");
    bot.onPress = async () => ({ ok: false, words: "This answer is finished already." });
    discord.faults.next(
      { route: "/interactions/:interaction/:token/callback" },
      { type: "refusal", name: "unknownInteraction" },
    );
    ada.presses(seen, "Stop");
    await expect
      .poll(() => discord.replies(ada.directChannel()).map(({ text }) => text))
      .toEqual(["This answer is finished already."]);
    expect(bot.presses).toHaveLength(1);
  });
});

describe("a question", () => {
  test("is approved or declined by a press", async () => {
    const { ada, bot, shown } = await scene();
    const seen = await shown({ status: "waiting", requests: [approval] });
    ada.presses(seen, "Approve");
    await expect
      .poll(() => bot.decisions)
      .toMatchObject([{ requestId: "q1", decision: { type: "approve" }, by: { name: "ada" } }]);
  });

  test("that expired is refused in words", async () => {
    const { ada, bot, shown } = await scene();
    bot.onDecide = async () => ({ ok: false, words: "This question has expired." });
    const seen = await shown({ status: "waiting", requests: [approval] });
    const pressed = ada.presses(seen, "Decline");
    await expect.poll(() => pressed.followUps[0]?.text).toBe("This question has expired.");
  });

  test("of several fields is a modal, and its answers come back by their fields", async () => {
    const { ada, bot, shown } = await scene();
    const seen = await shown({ status: "waiting", requests: [form] });
    const pressed = ada.presses(seen, "Answer");
    await expect.poll(() => pressed.status).toBe("modal");
    ada.submits(pressed, { Colour: ["1"], Why: "it is calm" });
    await expect
      .poll(() => bot.decisions)
      .toMatchObject([
        {
          requestId: "q2",
          decision: { type: "answer", answers: { colour: "green", why: "it is calm" } },
        },
      ]);
    const settled = { requestId: "q2", outcome: "answered", byName: "ada" } as const;
    await shown({ status: "working", settlements: [settled] });
    const late = ada.presses(seen, "Answer");
    await expect.poll(() => late.answer?.text).toBe("This question is settled already.");
  });

  test("of one choice is a select", async () => {
    const { ada, bot, shown } = await scene();
    const [colour] = form.form.fields;
    const one = { ...form, form: { ...form.form, fields: [colour] } };
    const seen = await shown({ status: "waiting", requests: [one] });
    ada.selects(seen, "Colour", ["green"]);
    await expect
      .poll(() => bot.decisions)
      .toMatchObject([{ decision: { type: "answer", answers: { colour: "green" } } }]);
  });

  test("can be answered after a restart", async () => {
    const { discord, ada, platform, ledger, shown } = await scene();
    const asked = await shown({ status: "waiting", requests: [form] });
    await platform.stop();
    const bot = new FakeBot();
    bot.keepForms({ requests: [form] });
    const again = createDiscord(discord, { ledger });
    onTestFinished(() => again.stop());
    await again.start(bot);

    const pressed = ada.presses(asked, "Answer");
    await expect.poll(() => pressed.status).toBe("modal");
    ada.submits(pressed, { Colour: ["0"], Why: "why not" });
    await expect.poll(() => bot.decisions).toHaveLength(1);
  });
});
