import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { placeOf } from "../fakes/test-world.ts";
import type { ProcessOptions } from "./bot-child.ts";
import type { CrashWorld } from "./crash-world.ts";

/** Whoever takes over may have to wait for a lease, on a busy machine. */
const patience = { timeout: 30_000 };
const words = (count: number, word: string) =>
  Array.from({ length: count }, (_, index) => `${word}${index} `).join("");

/**
 * What a crash may interrupt (docs/architecture.md), row by row, in a real process that dies there. `open`
 * makes a world on one of the engines; the processes of one world share its store.
 */
export function describeCrashes(name: string, open: () => Promise<CrashWorld>): void {
  describe(`with ${name}`, () => {
    let world: CrashWorld;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world.end());

    const shown = async (expected: readonly string[]) => {
      await vi.waitFor(() => expect(world.replies()).toEqual(expected), patience);
      await vi.waitFor(() => expect(world.isQuiet()).toBe(true), patience);
    };

    /** Starts a process that will die, says something to it, and starts another when it has died. */
    async function killedAnswering(text: string, options: ProcessOptions) {
      await world.start(options);
      const message = world.message(text);
      world.hand(message);
      await world.died();
      const { crashAt: _, ...again } = options;
      await world.start(again);
      return message;
    }

    const openRequest = () =>
      vi.waitFor(() => {
        const [request] = world.screen.messages().at(-1)?.view.requests ?? [];
        expect(request).toBeDefined();
        return request?.id ?? "";
      }, patience);

    describe("a process killed", () => {
      test("on receipt of a message answers it once it is delivered again", async () => {
        const message = await killedAnswering("hello", { crashAt: "receipt" });
        expect(world.replies()).toEqual([]);
        expect(await world.bot.message(message)).toMatchObject({ status: "accepted" });
        await shown(["You said hello."]);
      });

      test("between storing a message and acknowledging it recognises the redelivery", async () => {
        const message = await killedAnswering("hello", { crashAt: "acknowledgement" });
        expect(await world.bot.message(message)).toEqual({ status: "repeat" });
        await shown(["You said hello."]);
      });

      test("when a run has begun and nothing is shown starts the run over", async () => {
        await killedAnswering("hello", { crashAt: "turn-1" });
        await shown(["You said hello."]);
        expect(world.screen.messages()).toHaveLength(1);
      });

      test("before the first write is sent writes it once", async () => {
        await killedAnswering("hello", { crashAt: "before-create" });
        await shown(["You said hello."]);
        expect(world.screen.writes.filter(({ type }) => type === "create")).toHaveLength(1);
      });

      test("after the first write, before its id is stored, goes on in that message", async () => {
        await killedAnswering("long a", { crashAt: "create" });
        await shown([words(40, "a-")]);
        expect(world.screen.writes.filter(({ type }) => type === "create")).toHaveLength(1);
      });

      test("in mid-reply asks the turn again and goes on in the same message", async () => {
        await killedAnswering("long a", { crashAt: "edit:4" });
        await shown([words(40, "a-")]);
        expect(world.screen.writes.filter(({ type }) => type === "create")).toHaveLength(1);
        expect(world.turnsAsked("long a/1")).toBe(2);
      });

      test("in mid-reply of a turn that can be taken up does not ask it again", async () => {
        // The place in the stream is stored once a second; the kill comes after it was.
        await killedAnswering("long a", { crashAt: "edit:32", canResume: true });
        await shown([words(40, "a-")]);
        expect(world.turnsAsked("long a/1")).toBe(1);
        expect(world.resumed).toEqual(["long a"]);
      });

      test("with several messages shown, when the new text is another, rewrites them and deletes the surplus", async () => {
        await killedAnswering("shorter", { crashAt: "create:3", charactersPerMessage: 60 });
        await shown([words(8, "try1-")]);
        expect(world.screen.messages()).toHaveLength(1);
      });

      test("after a tool was run and its output stored does not run it again", async () => {
        await killedAnswering("pay", { crashAt: "turn-2" });
        await shown([`${words(5, "after")}paid`]);
        expect(world.effects).toEqual(["pay"]);
        expect(world.turnsAsked("pay/1")).toBe(1);
      });

      test("in a tool that may be repeated runs it again", async () => {
        await killedAnswering("count_up", { crashAt: "tool" });
        await shown([`${words(5, "after")}counted`]);
        expect(world.effects).toEqual(["count_up", "count_up"]);
        expect(world.turnsAsked("count_up/1")).toBe(1);
      });

      test("in a tool that must not be repeated asks the person first", async () => {
        await killedAnswering("pay", { crashAt: "tool" });
        const requestId = await openRequest();
        expect(world.effects).toEqual(["pay"]);
        const [request] = world.screen.messages().at(-1)?.view.requests ?? [];
        expect(request?.title).toContain("was interrupted");
        await world.bot.decide(requestId, "decline");
        await shown([`${words(5, "after")}Ada declined this.`]);
        expect(world.effects).toEqual(["pay"]);
      });

      test("while it waits for an approval still has the question, and its buttons work", async () => {
        await world.start();
        world.hand(world.message("pay_with_consent"));
        const requestId = await openRequest();
        await world.kill();
        await world.start();
        expect(await world.bot.decide(requestId, "approve")).toMatchObject({ ok: true });
        await shown([`${words(5, "after")}paid`]);
        expect(world.effects).toEqual(["pay"]);
        expect(world.screen.messages()).toHaveLength(1);
      });

      test("when a decision was pressed and not applied applies it once", async () => {
        await world.start({ crashAt: "woken" });
        world.hand(world.message("pay_with_consent"));
        const requestId = await openRequest();
        world.bot.decide(requestId, "approve").catch(() => {});
        await world.died();
        await world.start();
        await shown([`${words(5, "after")}paid`]);
        expect(world.effects).toEqual(["pay"]);
        expect(await world.bot.decide(requestId, "approve")).toMatchObject({ ok: false });
      });

      test("when a stop was asked and the run had not ended ends it as cancelled", async () => {
        await world.start({ crashAt: "cancelled" });
        let open = () => {};
        const held = new Promise<void>((resolve) => {
          open = resolve;
        });
        world.screen.onWrite = async ({ type }) => {
          if (type === "edit") await held;
        };
        world.hand(world.message("long a"));
        await vi.waitFor(() => expect(world.replies()).toHaveLength(1), patience);
        world.hand(world.message("stop"));
        await world.died();
        world.screen.onWrite = undefined;
        open();
        await world.start();
        await vi.waitFor(
          () => expect(world.screen.messages()[0]?.view.status).toBe("cancelled"),
          patience,
        );
        expect(world.turnsAsked("long a/1")).toBe(1);
      });

      test.each([
        ["edited", false, ["You said right."]],
        ["deleted", true, []],
      ])("after a waiting message was %s applies that once", async (_change, isDelete, answer) => {
        let open = () => {};
        const held = new Promise<void>((resolve) => {
          open = resolve;
        });
        world.screen.onWrite = () => held;
        await world.start({ crashAt: "amended" });
        world.hand(world.message("long a"));
        const waiting = world.message("wrong");
        await world.bot.message(waiting);
        const change = { message: { ...waiting, text: "right" }, changeId: "c1", delete: isDelete };
        world.bot.amend(change).catch(() => {});
        await world.died();
        world.screen.onWrite = undefined;
        open();
        await world.start();
        await world.bot.amend(change);
        await shown([words(40, "a-"), ...answer]);
      });

      test("after a file was delivered, before that is stored, delivers it once", async () => {
        await killedAnswering("draw", { crashAt: "upload" });
        await vi.waitFor(() => expect(world.isQuiet()).toBe(true), patience);
        await vi.waitFor(
          () =>
            expect(
              world.screen.messages().filter(({ file }) => file?.name === "a.svg"),
            ).toHaveLength(1),
          patience,
        );
        expect(world.screen.messages()).toHaveLength(2);
      });

      test("after the final text is shown, before the run is committed, posts nothing more", async () => {
        const message = await killedAnswering("hello", { crashAt: "done" });
        await world.bot.message(world.message("next"));
        await shown(["You said hello.", "You said next."]);
        expect(await world.bot.message(message)).toEqual({ status: "repeat" });
        expect(world.screen.writes.filter(({ type }) => type === "create")).toHaveLength(2);
      });

      test("three times over the same message sets it aside with an apology and goes on", async () => {
        await world.start({ crashAt: "turn-1" });
        world.hand(world.message("poison"));
        await world.died();
        for (const _again of [2, 3]) {
          await world.start({ crashAt: "turn-1" });
          await world.died();
        }
        await world.start();
        await vi.waitFor(() => expect(world.screen.messages()).toHaveLength(1), patience);
        const [apology] = world.screen.messages();
        expect(apology?.view).toMatchObject({ status: "failed" });
        expect(apology?.view.notices.at(-1)?.text).toContain("interrupted several times");
        await world.bot.message(world.message("healthy"));
        await vi.waitFor(() => expect(world.replies().at(-1)).toBe("You said healthy."), patience);
      });
    });

    describe("a process asked to end", () => {
      test("in mid-reply leaves it to the next one, which goes on in the same message", async () => {
        await world.start();
        let edits = 0;
        world.screen.onWrite = async ({ type }) => {
          if (type === "edit") edits += 1;
        };
        world.hand(world.message("long a"));
        await vi.waitFor(() => expect(edits).toBeGreaterThan(2), { ...patience, interval: 1 });
        await world.bot.stop(0);
        await world.kill();
        await world.start();
        await shown([words(40, "a-")]);
        expect(world.screen.messages(placeOf("talk").threadKey)).toHaveLength(1);
      });
    });
  });
}
