import { describe, expect, test } from "vitest";
import { KeyedMutex, within } from "#domain/promises";

const never = new Promise<never>(() => undefined);

describe("within", () => {
  test("gives what the work gives in time", async () => {
    expect(await within(60_000, Promise.resolve("done"))).toBe("done");
  });

  test("fails as the work fails in time", async () => {
    await expect(within(60_000, Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  });

  test("fails when the time is over", async () => {
    await expect(within(1, never)).rejects.toThrow("took too long");
  });

  test("gives something else when the time is over, where there is something", async () => {
    expect(await within(1, never, () => "otherwise")).toBe("otherwise");
  });

  test("says nothing of work that fails later", async () => {
    const work = Promise.withResolvers<string>();
    expect(await within(1, work.promise, () => "otherwise")).toBe("otherwise");
    // Unhandled, this would end the process.
    work.reject(new Error("late"));
    await new Promise((resolve) => setImmediate(resolve));
  });
});

describe("work under one key", () => {
  test("runs one after the other in the order it was asked for, though an earlier one failed", async () => {
    const mutex = new KeyedMutex();
    const first = Promise.withResolvers<void>();
    const begun: string[] = [];
    const run = (name: string, until: Promise<void>) =>
      mutex.runExclusive("a", async () => {
        begun.push(name);
        await until;
        return name;
      });
    const all = Promise.allSettled([
      run("first", first.promise),
      run("second", Promise.resolve()),
      run("third", Promise.resolve()),
    ]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toEqual(["first"]);
    first.reject(new Error("broken"));
    expect(await all).toMatchObject([
      { status: "rejected" },
      { value: "second" },
      { value: "third" },
    ]);
    expect(begun).toEqual(["first", "second", "third"]);
  });

  test("does not hold up work under another", async () => {
    const mutex = new KeyedMutex();
    mutex.runExclusive("a", () => never);
    expect(await mutex.runExclusive("b", async () => "done")).toBe("done");
  });
});
