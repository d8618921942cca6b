// A process that works on the queue of a Redis, with the default leases. It says what it begins, and
// ends a run when the ledger has the register `end <conversation>`. SIGTERM stops it politely.
import { setTimeout as wait } from "node:timers/promises";
import { openRedis } from "../../../adapters/redis/database.ts";
import { createRedisLedger } from "../../../adapters/redis/ledger.ts";
import { openRedisRunQueue } from "../../../adapters/redis/run-queue.ts";

const [, , url = "", name = ""] = process.argv;
const database = await openRedis({ url });
const ledger = createRedisLedger(database);
const queue = await openRedisRunQueue({ database });
const say = (what: object) => process.stdout.write(`${JSON.stringify({ by: name, ...what })}\n`);

await queue.start(
  async (lease) => {
    const { conversationKey, epoch, signal } = lease;
    const events = lease.items.map(({ eventId }) => eventId);
    say({ began: conversationKey, events, epoch });
    while (!signal.aborted && !(await ledger.read(`end ${conversationKey}`))) {
      // As at work: it always knows that the lease is its own, until it has slept.
      await lease.assertOwner().catch(() => undefined);
      await wait(20);
    }
    if (signal.reason === "shutdown") return { type: "retry", afterMs: 0, checkpoint: "half" };
    try {
      await lease.assertOwner();
      say({ shown: conversationKey });
    } catch {
      say({ lost: conversationKey });
    }
    return {
      type: "done",
      change: { appends: events.map((value) => ({ list: conversationKey, value })) },
    };
  },
  {
    concurrency: 20,
    select: (_key, waiting) => ({
      take: waiting.slice(0, 1).map(({ eventId }) => eventId),
      drop: [],
    }),
  },
);
say({ ready: true });
let { leasesLost } = queue.here();
setInterval(() => {
  if (queue.here().leasesLost === leasesLost) return;
  ({ leasesLost } = queue.here());
  say({ leasesLost });
}, 20).unref();
process.on("SIGTERM", async () => {
  await queue.stop(1);
  process.exit();
});
