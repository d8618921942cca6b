import { test } from "vitest";
import { describeRunQueue } from "../../contracts/run-queue.ts";
import { checkRunQueueLaws } from "../../contracts/run-queue-laws.ts";
import { createSqliteInstance } from "./instance.ts";

describeRunQueue("SQLite", createSqliteInstance);

test("whatever happens, every message is answered once and in order", () =>
  checkRunQueueLaws(createSqliteInstance, 40, 40));
