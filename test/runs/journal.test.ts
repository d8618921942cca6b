import { describe, expect, test } from "vitest";
import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { SegmentIntent, ShownSegment } from "#ports/platform";
import { LeaseLost, type RunLease } from "#ports/run-queue";
import { createJournal } from "../../src/runs/journal.ts";

const content = { type: "text", from: 0, to: 0 } as const;

function intentOf(index: number): SegmentIntent {
  return { index, content, revision: 0, intentId: `intent${index}`, atMs: 1_000 };
}

function segmentOf(index: number): ShownSegment {
  return { index, id: `m${index}`, content, revision: 0, closed: false };
}

/** A lease over a store that can fail. */
function leaseOver(store: { journal?: Json; failure?: Error }) {
  const lease = {
    conversationKey: "fake:talk",
    epoch: "1",
    items: [],
    journal: store.journal,
    async saveJournal(journal: Json) {
      if (store.failure) throw store.failure;
      store.journal = journal;
    },
    assertOwner: async () => undefined,
  };
  return lease as unknown as RunLease;
}

function journalOver(store: { journal?: Json; failure?: Error }) {
  const task = { messages: [{ sentAtMs: 1_000_000 }] } as unknown as Parameters<
    typeof createJournal
  >[0];
  return createJournal(task, leaseOver(store));
}

describe("the journal of a reply, while the store is out of reach", () => {
  test("knows what has appeared, and writes it with the next word", async () => {
    const store: { journal?: Json; failure?: Error } = {};
    const journal = journalOver(store);
    await journal.before(intentOf(0));
    store.failure = new BotError("store-unavailable");
    await journal.after(segmentOf(0));
    delete store.failure;
    await journal.before(intentOf(1));
    expect(journalOver(store).saved).toEqual([segmentOf(0)]);
    expect(journalOver(store).doubtful).toEqual([intentOf(1)]);
  });

  test("leaves in the store where to look, should the process end before it is back", async () => {
    const store: { journal?: Json; failure?: Error } = {};
    const journal = journalOver(store);
    await journal.before(intentOf(0));
    store.failure = new BotError("store-unavailable");
    await journal.after(segmentOf(0));
    expect(journalOver(store).saved).toEqual([]);
    expect(journalOver(store).doubtful).toEqual([intentOf(0)]);
  });

  test("knows what was taken back", async () => {
    const store: { journal?: Json; failure?: Error } = {};
    const journal = journalOver(store);
    await journal.after(segmentOf(0));
    store.failure = new BotError("store-unavailable");
    await journal.drop(0);
    delete store.failure;
    await journal.after(segmentOf(1));
    expect(journalOver(store).saved).toEqual([segmentOf(1)]);
  });

  test("lets nothing be shown that is not written down, and nothing after the lease", async () => {
    const outage = new BotError("store-unavailable");
    await expect(journalOver({ failure: outage }).before(intentOf(0))).rejects.toBe(outage);
    const lost = new LeaseLost("fake:talk");
    await expect(journalOver({ failure: lost }).after(segmentOf(0))).rejects.toBe(lost);
    await expect(journalOver({ failure: lost }).drop(0)).rejects.toBe(lost);
  });
});
