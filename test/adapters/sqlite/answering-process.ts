// A process that accepts the messages it is told and answers them into the ledger. Lines in:
// {"eventId", "conversationKey"} or {"inspect": true}; lines out: {"accepted"} or {"open"}.
import { createInterface } from "node:readline";
import { openDatabase } from "../../../adapters/sqlite/database.ts";
import { createSqliteRunQueue } from "../../../adapters/sqlite/run-queue.ts";

const [, , path] = process.argv;
if (!path) throw new Error("a path is needed");
const queue = createSqliteRunQueue({ database: openDatabase(path), crashBackoffMs: 1 });
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

await queue.start(
  async (lease) => {
    await lease.save("begun");
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
    await lease.saveJournal("shown");
    if (lease.checkpoint === undefined && Math.random() < 0.1) {
      return { type: "parked", untilMs: Date.now() + 5, checkpoint: "parked" };
    }
    const value = lease.items.map(({ eventId }) => eventId).join();
    return { type: "done", change: { appends: [{ list: lease.conversationKey, value }] } };
  },
  {
    concurrency: 8,
    select: (_key, waiting) => ({
      take: waiting.slice(0, 1).map(({ eventId }) => eventId),
      drop: [],
    }),
  },
);

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.inspect) {
    const { waiting, running, parked } = await queue.inspect();
    say({ open: waiting.length + running + parked });
    continue;
  }
  const { eventId, conversationKey } = asked;
  queue
    .accept({
      eventId,
      conversationKey,
      personKey: "ada",
      payload: null,
      detail: 0,
      bounds: { waitingPerConversation: 1e6, perPersonPerMinute: 1e6 },
    })
    .then(() => say({ accepted: eventId }))
    .catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
}
