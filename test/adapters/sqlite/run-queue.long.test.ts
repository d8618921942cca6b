import { test } from "vitest";
import { checkRunQueueLaws } from "../../contracts/run-queue-laws.ts";
import { createSqliteInstance } from "./instance.ts";

test("whatever happens, every message is answered once and in order", () =>
  checkRunQueueLaws(createSqliteInstance, 600, 120));
