import { afterEach, describe, expect, test, vi } from "vitest";
import { BotError } from "#domain/errors";
import { emptyView, type ReplyView } from "#domain/reply-view";
import type { ReplyFile } from "#domain/run-event";
import type { EndedReply, Platform, ReplyTarget } from "#ports/platform";
import { LeaseLost } from "#ports/run-queue";
import { FakeBot } from "../fakes/fake-bot.ts";
import { JournalMemory, MemoryJournal } from "../fakes/memory-journal.ts";

/** What a person sees of one reply, read from outside of the platform. */
export interface Seen {
  /** The messages of the reply that show text, in order. */
  readonly messages: readonly { readonly id: string; readonly text: string }[];
  readonly fileNames: readonly string[];
}

/** A platform with the outside world it draws on. */
export interface PlatformHarness {
  /** Not started yet. */
  readonly platform: Platform;
  /** Somewhere a reply may be drawn: a new conversation each time, with a message in it. */
  target(): Promise<ReplyTarget>;
  /** Asked from the outside world, not from the platform. */
  seen(target: ReplyTarget): Promise<Seen>;
  /** The platform as after kill -9: the old one shows nothing any more. Not started yet. */
  restart(): Promise<Platform>;
  /** How many writes the outside world was asked for so far. */
  writes(): number;
  /** From now on the outside world refuses every write, for good. */
  refuseWrites(): void;
  close(): Promise<void>;
}

/**
 * What every platform and its replies promise, whatever is behind them.
 *
 * Texts are made of numbered words, so that splitting and re-drawing are free as long as every word
 * is there once and in order.
 */
export function describePlatform(
  name: string,
  create: (bot: FakeBot) => Promise<PlatformHarness>,
): void {
  describe(`${name} keeps the platform contract:`, () => {
    const open: PlatformHarness[] = [];
    afterEach(async () => {
      for (const harness of open.splice(0)) await harness.close();
    });

    async function started() {
      const bot = new FakeBot();
      const harness = await create(bot);
      open.push(harness);
      await harness.platform.start(bot);
      const target = await harness.target();
      return { bot, harness, target, platform: harness.platform };
    }

    test("it is connected between start and stop", async () => {
      const bot = new FakeBot();
      const harness = await create(bot);
      open.push(harness);
      expect(harness.platform.isConnected()).toBe(false);
      await harness.platform.start(bot);
      expect(harness.platform.isConnected()).toBe(true);
      await harness.platform.stop();
      expect(harness.platform.isConnected()).toBe(false);
    });

    test("a shown view is seen before the reply is finished", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      reply.show(viewOf(target, { text: words(1, 20) }));
      await vi.waitFor(
        async () => expect(await seenWords(harness, target)).toEqual(numbers(1, 20)),
        {
          timeout: 10_000,
        },
      );
      await reply.finish(viewOf(target, { text: words(1, 21), status: "completed" }));
    });

    test("of views shown together the newest wins", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      for (let count = 1; count <= 200; count += 1) {
        reply.show(viewOf(target, { text: words(1, count) }));
      }
      await reply.settle();
      expect(await seenWords(harness, target)).toEqual(numbers(1, 200));
    });

    test("a finished reply shows every word once and in order", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      reply.show(viewOf(target, { text: words(1, 10) }));
      await reply.finish(viewOf(target, { text: words(1, 3000), status: "completed" }));
      expect(await seenWords(harness, target)).toEqual(numbers(1, 3000));
    });

    test.each([1, 3])(
      "a reply finished while an earlier view is drawn shows every word (held at write %i)",
      async (write) => {
        const { harness, platform, target } = await started();
        const journal = new HeldJournal(target.runId, write);
        const reply = platform.openReply(target, journal);
        reply.show(viewOf(target, { text: words(1, 290) }));
        // Not every platform writes so often for one view.
        const isShown = vi.waitFor(
          async () => expect(await seenWords(harness, target)).not.toEqual([]),
          { timeout: 10_000 },
        );
        await Promise.race([journal.held, isShown]);
        const finished = reply.finish(
          viewOf(target, { text: words(1, 1500), status: "completed", actions: [] }),
        );
        journal.letGo();
        await finished;
        await isShown;
        expect(await seenWords(harness, target)).toEqual(numbers(1, 1500));
        // None of its messages ended with the earlier view.
        const other = await started();
        const atOnce = other.platform.openReply(other.target, new MemoryJournal(target.runId));
        await atOnce.finish(
          viewOf(other.target, { text: words(1, 1500), status: "completed", actions: [] }),
        );
        const texts = async ({ harness: where, target: what }: typeof other) =>
          (await where.seen(what)).messages.map(({ text }) => text);
        expect(await texts({ ...other, harness, target })).toEqual(await texts(other));
      },
    );

    test("a view that was never shown before is shown by finish alone", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      await reply.finish(viewOf(target, { text: words(1, 5), status: "completed" }));
      expect(await seenWords(harness, target)).toEqual(numbers(1, 5));
    });

    test("what is shown after finish changes nothing", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      await reply.finish(viewOf(target, { text: words(1, 5), status: "completed" }));
      reply.show(viewOf(target, { text: words(1, 9) }));
      await reply.settle();
      expect(await seenWords(harness, target)).toEqual(numbers(1, 5));
    });

    test("a file of the reply is delivered once", async () => {
      const { bot, harness, platform, target } = await started();
      const file = fileNamed("chart.csv");
      bot.files.set(file.id, new TextEncoder().encode("a,b\n1,2\n"));
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      reply.show(viewOf(target, { text: words(1, 5), files: [file] }));
      await reply.finish(viewOf(target, { text: words(1, 6), files: [file], status: "completed" }));
      expect((await harness.seen(target)).fileNames).toEqual(["chart.csv"]);
      expect(await seenWords(harness, target)).toEqual(numbers(1, 6));
    });

    test("a notice is seen where there is no text", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      await reply.finish(
        viewOf(target, {
          status: "failed",
          notices: [{ kind: "error", text: words(1, 4) }],
          actions: ["retry"],
        }),
      );
      expect(await seenWords(harness, target)).toEqual(numbers(1, 4));
    });

    test("every message is written down before and after it appears", async () => {
      const { harness, platform, target } = await started();
      const journal = new MemoryJournal(target.runId);
      const before: number[] = [];
      const after: number[] = [];
      journal.onBefore = async () => {
        before.push((await harness.seen(target)).messages.length);
      };
      journal.onAfter = async () => {
        after.push((await harness.seen(target)).messages.length);
      };
      const reply = platform.openReply(target, journal);
      await reply.finish(viewOf(target, { text: words(1, 2000), status: "completed" }));
      const { messages } = await harness.seen(target);
      expect(before[0]).toBe(0);
      expect(after[0]).toBe(1);
      expect(before.length).toBeGreaterThanOrEqual(messages.length);
      const created = journal.calls.filter((call) => call.type === "before");
      for (const call of created) {
        const written = journal.calls.findIndex(
          (other) => other.type === "after" && other.index === call.index,
        );
        expect(written).toBeGreaterThan(journal.calls.indexOf(call));
      }
    });

    test("the journal names the ranges of the text that are shown", async () => {
      const { platform, target } = await started();
      const memory = new JournalMemory();
      const reply = platform.openReply(target, new MemoryJournal(target.runId, memory));
      const text = words(1, 2000);
      await reply.finish(viewOf(target, { text, status: "completed" }));
      const ranges = [...memory.segments.values()]
        .sort((a, b) => a.index - b.index)
        .flatMap(({ content }) => (content.type === "text" ? [content] : []));
      expect(ranges.at(0)?.from).toBe(0);
      expect(ranges.at(-1)?.to).toBe(text.length);
      for (const [index, range] of ranges.entries()) {
        if (index > 0) expect(range.from).toBe(ranges[index - 1]?.to);
      }
    });

    test("nothing is shown once the lease is lost", async () => {
      const { harness, platform, target } = await started();
      const journal = new MemoryJournal(target.runId);
      const reply = platform.openReply(target, journal);
      reply.show(viewOf(target, { text: words(1, 5) }));
      await reply.settle();
      journal.lose();
      reply.show(viewOf(target, { text: words(1, 10) }));
      await expect(
        reply.finish(viewOf(target, { text: words(1, 11), status: "completed" })),
      ).rejects.toBeInstanceOf(LeaseLost);
      expect(await seenWords(harness, target)).toEqual(numbers(1, 5));
    });

    test("a lease lost before the first write leaves nothing behind", async () => {
      const { harness, platform, target } = await started();
      const journal = new MemoryJournal(target.runId);
      journal.lose();
      const reply = platform.openReply(target, journal);
      reply.show(viewOf(target, { text: words(1, 5) }));
      await expect(
        reply.finish(viewOf(target, { text: words(1, 6), status: "completed" })),
      ).rejects.toBeInstanceOf(LeaseLost);
      expect(await seenWords(harness, target)).toEqual([]);
    });

    test("after a crash the same messages go on", async () => {
      const { bot, harness, platform, target } = await started();
      const memory = new JournalMemory();
      const first = platform.openReply(target, new MemoryJournal(target.runId, memory));
      first.show(viewOf(target, { text: words(1, 50) }));
      await first.settle();
      const shownBefore = (await harness.seen(target)).messages.map((message) => message.id);

      const again = await harness.restart();
      await again.start(bot);
      const second = again.openReply(target, new MemoryJournal(target.runId, memory));
      second.show(viewOf(target, { text: words(1, 60) }));
      await second.finish(viewOf(target, { text: words(1, 80), status: "completed" }));
      const shownAfter = (await harness.seen(target)).messages.map((message) => message.id);
      expect(shownAfter.slice(0, shownBefore.length)).toEqual(shownBefore);
      expect(await seenWords(harness, target)).toEqual(numbers(1, 80));
    });

    test("after a crash a text that came out shorter replaces what was shown", async () => {
      const { bot, harness, platform, target } = await started();
      const memory = new JournalMemory();
      const first = platform.openReply(target, new MemoryJournal(target.runId, memory));
      first.show(viewOf(target, { text: words(1, 2000) }));
      await first.settle();

      const again = await harness.restart();
      await again.start(bot);
      const second = again.openReply(target, new MemoryJournal(target.runId, memory));
      await second.finish(viewOf(target, { text: words(1, 7), revision: 1, status: "completed" }));
      expect(await seenWords(harness, target)).toEqual(numbers(1, 7));
    });

    test("a message whose creation nobody wrote down is found, not doubled", async () => {
      const { bot, harness, platform, target } = await started();
      const memory = new JournalMemory();
      const journal = new MemoryJournal(target.runId, memory);
      journal.onAfter = () => new Promise(() => {}); // killed between the write and its note
      const first = platform.openReply(target, journal);
      first.show(viewOf(target, { text: words(1, 5) }));
      await vi.waitFor(
        async () => expect(await seenWords(harness, target)).toEqual(numbers(1, 5)),
        {
          timeout: 10_000,
        },
      );
      const [shown] = (await harness.seen(target)).messages;

      const again = await harness.restart();
      await again.start(bot);
      const second = again.openReply(target, new MemoryJournal(target.runId, memory));
      await second.finish(viewOf(target, { text: words(1, 8), status: "completed" }));
      const { messages } = await harness.seen(target);
      expect(messages.map((message) => message.id)).toEqual([shown?.id]);
      expect(await seenWords(harness, target)).toEqual(numbers(1, 8));
    });

    test("an intent that never happened is carried out once", async () => {
      const { bot, harness, platform, target } = await started();
      const memory = new JournalMemory();
      const journal = new MemoryJournal(target.runId, memory);
      const stored = Promise.withResolvers<void>();
      journal.onBefore = () => {
        stored.resolve();
        return new Promise(() => {}); // killed between the note and the write
      };
      platform.openReply(target, journal).show(viewOf(target, { text: words(1, 5) }));
      await stored.promise;

      const again = await harness.restart();
      await again.start(bot);
      const second = again.openReply(target, new MemoryJournal(target.runId, memory));
      await second.finish(viewOf(target, { text: words(1, 8), status: "completed" }));
      expect(await seenWords(harness, target)).toEqual(numbers(1, 8));
    });

    test("a risen revision rewrites what was shown and takes back the surplus", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      reply.show(viewOf(target, { text: words(1, 1500) }));
      await reply.settle();
      reply.show(viewOf(target, { text: words(1, 3), revision: 1 }));
      await reply.settle();
      await reply.finish(viewOf(target, { text: words(1, 12), revision: 1, status: "completed" }));
      expect(await seenWords(harness, target)).toEqual(numbers(1, 12));
    });

    test("a removed view disappears", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      reply.show(viewOf(target, { text: words(1, 30) }));
      await reply.settle();
      await reply.finish(viewOf(target, { removed: true, status: "cancelled" }));
      const { messages } = await harness.seen(target);
      expect(messages).toEqual([]);
    });

    test("a parked reply is opened again and finishes in the same message", async () => {
      const { harness, platform, target } = await started();
      const memory = new JournalMemory();
      const parked = platform.openReply(target, new MemoryJournal(target.runId, memory));
      parked.show(
        viewOf(target, { text: words(1, 3), status: "waiting", requests: [approvalFor(target)] }),
      );
      await parked.settle();
      const [shown] = (await harness.seen(target)).messages;

      const resumed = platform.openReply(target, new MemoryJournal(target.runId, memory));
      await resumed.finish(
        viewOf(target, {
          text: words(1, 9),
          status: "completed",
          settlements: [{ requestId: "q1", outcome: "approved", byName: "Ada" }],
        }),
      );
      const { messages } = await harness.seen(target);
      expect(messages[0]?.id).toBe(shown?.id);
      expect(await seenWords(harness, target)).toEqual(numbers(1, 9));
    });

    test.each([
      { count: 80, revision: 0 },
      { count: 80, revision: 1 },
      { count: 1500, revision: 0 },
    ])(
      "older text of $count words that arrives after the end is put right when the reply is looked at again (revision $revision)",
      async ({ count, revision }) => {
        const { harness, platform, target } = await started();
        const asleep = new JournalMemory();
        const first = platform.openReply(target, new MemoryJournal(target.runId, asleep));
        first.show(viewOf(target, { text: words(1, count - 30) }));
        await first.settle();
        const memory = new JournalMemory(asleep);
        const view = viewOf(target, { text: words(1, count), revision, status: "completed" });
        await platform.openReply(target, new MemoryJournal(target.runId, memory)).finish(view);
        const ids = (await harness.seen(target)).messages.map(({ id }) => id);
        // What was on its way all the while.
        await first.finish(viewOf(target, { text: words(1, count - 25) }));
        expect(await seenWords(harness, target)).not.toEqual(numbers(1, count));

        await platform.lookAgain?.(ended(target, { view, memory, inherited: asleep }));
        expect(await seenWords(harness, target)).toEqual(numbers(1, count));
        expect((await harness.seen(target)).messages.map(({ id }) => id)).toEqual(ids);
        const before = harness.writes();
        await platform.lookAgain?.(ended(target, { view, memory, inherited: asleep }));
        expect(harness.writes()).toBe(before);
      },
    );

    test("a message that arrives after the end a second time is removed when the reply is looked at again", async () => {
      const { harness, platform, target } = await started();
      const asleep = new JournalMemory();
      const journal = new MemoryJournal(target.runId, asleep);
      const [stored, isAwake] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      journal.onBefore = async () => {
        stored.resolve();
        await isAwake.promise;
      };
      const first = platform.openReply(target, journal);
      const late = first.finish(viewOf(target, { text: words(1, 5), status: "completed" }));
      await stored.promise;
      const memory = new JournalMemory(asleep);
      const view = viewOf(target, { text: words(1, 8), status: "completed" });
      await platform.openReply(target, new MemoryJournal(target.runId, memory)).finish(view);
      isAwake.resolve();
      await late;

      await platform.lookAgain?.(ended(target, { view, memory, inherited: asleep }));
      const { messages } = await harness.seen(target);
      expect(messages).toHaveLength(1);
      expect(await seenWords(harness, target)).toEqual(numbers(1, 8));
    });

    test("a reply that waits and is opened again shows what it should, whatever came late", async () => {
      const { harness, platform, target } = await started();
      const asleep = new JournalMemory();
      const first = platform.openReply(target, new MemoryJournal(target.runId, asleep));
      first.show(viewOf(target, { text: words(1, 50) }));
      await first.settle();
      const memory = new JournalMemory(asleep);
      const requests = [approvalFor(target)];
      const view = viewOf(target, { text: words(1, 80), status: "waiting", requests });
      const second = platform.openReply(target, new MemoryJournal(target.runId, memory));
      second.show(view);
      await second.settle();
      first.show(viewOf(target, { text: words(1, 55) }));
      await first.settle();
      expect(await seenWords(harness, target)).not.toEqual(numbers(1, 80));

      const again = platform.openReply(target, new MemoryJournal(target.runId, memory));
      again.show(view);
      await again.settle();
      expect(await seenWords(harness, target)).toEqual(numbers(1, 80));
    });

    test("a refused write never throws in show, and finish says so in words", async () => {
      const { harness, platform, target } = await started();
      harness.refuseWrites();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      expect(() => reply.show(viewOf(target, { text: words(1, 5) }))).not.toThrow();
      await expect(
        reply.finish(viewOf(target, { text: words(1, 6), status: "completed" })),
      ).rejects.toBeInstanceOf(BotError);
    });

    test("replies still finish after the platform stopped taking messages", async () => {
      const { harness, platform, target } = await started();
      const reply = platform.openReply(target, new MemoryJournal(target.runId));
      reply.show(viewOf(target, { text: words(1, 5) }));
      await reply.settle();
      await platform.stop();
      await reply.finish(viewOf(target, { text: words(1, 40), status: "completed" }));
      expect(await seenWords(harness, target)).toEqual(numbers(1, 40));
    });

    test("an attachment that is gone is refused in words", async () => {
      const { platform } = await started();
      const gone = { id: "gone", name: "gone.txt", source: null };
      await expect(platform.openFile(gone, AbortSignal.timeout(10_000))).rejects.toMatchObject({
        code: "file-unavailable",
      });
    });
  });
}

/** A reply that is over. `inherited`: what the journal was when its last holder took it over. */
function ended(
  target: ReplyTarget,
  left: {
    readonly view: ReplyView;
    readonly memory: JournalMemory;
    readonly inherited: JournalMemory;
  },
): EndedReply {
  const { view, memory, inherited } = left;
  const journal = new MemoryJournal(target.runId, memory);
  return {
    to: target,
    view,
    journal,
    inherited: new Set([...inherited.segments.values()].map(({ id }) => id)),
    isOwnIntent: (intentId) => [0, 1, 2].some((at) => intentId === journal.intentId(at, 0)),
    sinceMs: Date.now() - 60_000,
  };
}

/** `w1 w2 … `: words that survive any splitting and any Markdown. */
function words(from: number, to: number): string {
  return numbers(from, to)
    .map((word, index) => (index % 40 === 39 ? `${word}\n\n` : `${word} `))
    .join("");
}

function numbers(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `w${from + index}`);
}

async function seenWords(harness: PlatformHarness, target: ReplyTarget) {
  const { messages } = await harness.seen(target);
  return (
    messages
      .map((message) => message.text)
      .join("\n")
      .match(/\bw\d+\b/g) ?? []
  );
}

function viewOf(target: ReplyTarget, change: Partial<ReplyView>): ReplyView {
  return { ...emptyView(target.runId), ...change };
}

function fileNamed(name: string): ReplyFile {
  return { id: "file-1", name, mimeType: "text/csv", bytes: 8, altText: "Two columns" };
}

function approvalFor(target: ReplyTarget) {
  return {
    type: "approval",
    id: "q1",
    callId: "c1",
    toolName: "send_mail",
    title: "Send the mail",
    arguments: "to: grace",
    expiresAtMs: Date.now() + 1_800_000,
    personKey: target.asker.key,
  } as const;
}

/** A journal that takes its time: one of its answers comes only once it is let go. */
class HeldJournal extends MemoryJournal {
  readonly #held = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();
  #leftToHold: number;

  /** `at`: which of its answers, from 1. */
  constructor(replyId: string, at: number) {
    super(replyId);
    this.#leftToHold = at;
  }

  /** Resolves once that answer is waited for. */
  get held(): Promise<void> {
    return this.#held.promise;
  }

  letGo(): void {
    this.#released.resolve();
  }

  override async assertOwner(): Promise<void> {
    this.#leftToHold -= 1;
    if (this.#leftToHold === 0) {
      this.#held.resolve();
      await this.#released.promise;
    }
    return super.assertOwner();
  }
}
