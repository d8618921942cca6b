import type { Browser, Page, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { StepView } from "#domain/reply-view";
import type { ApprovalRequest, FormRequest, ReplyFile } from "#domain/run-event";
import { hasBrowser, launchBrowser, openWindow, Stage } from "./console-stage.ts";

type Look = NonNullable<Parameters<typeof openWindow>[3]>;

describe.skipIf(!hasBrowser)("the console in a browser", () => {
  let browser: Browser;
  let stage: Stage;
  let allowedProblems: readonly RegExp[] = [];
  const windows: { readonly page: Page; readonly problems: string[] }[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    allowedProblems = [];
    stage = new Stage();
    await stage.start();
  });
  afterEach(async () => {
    const problems = windows.flatMap((window) => window.problems);
    for (const { page } of windows.splice(0)) await page.context().close();
    await stage.stop();
    expect(problems.filter((words) => !allowedProblems.some((one) => one.test(words)))).toEqual([]);
  });

  async function openAs(name: string, look: Look = {}): Promise<Page> {
    const window = await openWindow(browser, stage.url, name, look);
    windows.push(window);
    await window.page.waitForSelector(".welcome, .message");
    return window.page;
  }

  /** Ada asks in the channel, and the thread with the reply stands open. */
  async function asked(text = "@Bobbin tell me", look: Look = {}) {
    const page = await openAs("Ada", look);
    await write(page, ".main", text);
    await page.waitForSelector(".side .message");
    return { page, message: stage.lastMessage(), reply: stage.reply(stage.lastMessage()) };
  }

  describe("talking", () => {
    test("a mention opens a thread, and the reply streams into it", async () => {
      const { page, reply } = await asked("@Bobbin what is a bobbin?");
      reply.show({ text: "" });
      await seen(page, ".side .progress", "Thinking");
      reply.show({ text: "A **spool** for" });
      await seen(page, ".side .is-bot strong", "spool");
      expect(await page.locator(".side .is-bot").getAttribute("aria-busy")).toBe("true");
      await reply.finish({ text: "A **spool** for thread." });
      await seen(page, ".side .is-bot .markdown", "A spool for thread.");
      await page.waitForSelector('.side .is-bot[aria-busy="false"]');
      await seen(page, ".main .thread-summary", "1 reply");
    });

    test("Markdown is drawn with tables, coloured code and typeset maths", async () => {
      const { page, reply } = await asked();
      await reply.finish({
        text: [
          "| Month | Sum |\n|:--|--:|\n| May | 12 |",
          "```python\nprint(1)  # one\n```",
          "Euler: \\(e^{i\\pi} = -1\\), and\n\n\\[ \\int_0^1 x\\,dx = \\frac{1}{2} \\]\n\n$$a^2$$",
        ].join("\n\n"),
      });
      await page.waitForSelector(".side table");
      const cell = page.locator(".side td").last();
      expect(await cell.evaluate((one) => getComputedStyle(one).textAlign)).toBe("right");
      expect(await page.locator(".side pre .hljs-comment").textContent()).toBe("# one");
      expect(await page.locator(".side .katex").count()).toBe(3);
      expect(await page.locator(".side .math-display").count()).toBe(2);
      expect(await page.locator(".side .markdown").last().textContent()).not.toContain("\\(");
      await page.locator(".side .copy").click();
      await seen(page, ".side .copy", "Copied");
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("print(1)  # one");
    });

    test("a direct message needs no mention and stays in its channel", async () => {
      const page = await openAs("Ada");
      await page.getByRole("button", { name: "Bobbin", exact: true }).click();
      await seen(page, ".main h2", "You and Bobbin");
      await write(page, ".main", "hello");
      await seen(page, ".main .message", "hello");
      await stage.reply(stage.lastMessage()).finish({ text: "Hello, Ada." });
      await seen(page, ".main .is-bot .markdown", "Hello, Ada.");
      expect(await page.locator(".side").isVisible()).toBe(false);
    });

    test("two windows under two names stay in step", async () => {
      const { page: ada, reply } = await asked("@Bobbin begin");
      const grace = await openAs("Grace");
      await grace.locator(".thread-summary, .toolbar").first().waitFor({ state: "attached" });
      reply.show({ text: "One, " });
      await seen(grace, ".main .thread-summary", "1 reply");
      await grace.locator(".main .thread-summary").click();
      await seen(grace, ".side .is-bot .markdown", "One,");
      await write(grace, ".side", "and I?");
      await seen(ada, ".side .message >> nth=-1", "and I?");
      expect(stage.lastMessage().author).toEqual({ key: "web:grace", name: "Grace" });
      await reply.finish({ text: "One, two." });
      for (const page of [ada, grace]) await seen(page, ".side .is-bot .markdown", "One, two.");
    });

    test("what waits says how many are before it", async () => {
      const { page, message } = await asked();
      await write(page, ".side", "and this?");
      await seen(page, ".side .message >> nth=-1", "and this?");
      const { eventId } = stage.lastMessage();
      stage.bot.tellQueue(message.place.threadKey, [{ eventId, position: 1 }]);
      await seen(page, ".side .mark", "1 before this");
      stage.bot.tellQueue(message.place.threadKey, []);
      await page.waitForSelector(".side .mark", { state: "detached" });
    });

    test("what the bot refuses says why", async () => {
      stage.bot.onMessage = async () => ({ status: "refused", words: "Too many are waiting." });
      const page = await openAs("Ada");
      await write(page, ".main", "@Bobbin hello");
      await seen(page, ".main .mark.is-problem", "Too many are waiting.");
      await seen(page, ".main .whisper", "Too many are waiting.");
    });
  });

  describe("staying", () => {
    test("a reload in the middle of a stream loses nothing", async () => {
      const { page, reply } = await asked();
      reply.show({ text: "One two " });
      await seen(page, ".side .is-bot .markdown", "One two");
      await page.reload();
      await seen(page, ".side .is-bot .markdown", "One two");
      reply.show({ text: "One two three " });
      await seen(page, ".side .is-bot .markdown", "One two three");
      await reply.finish({ text: "One two three four" });
      await seen(page, ".side .is-bot .markdown", "One two three four");
      expect(await page.locator(".side .is-bot").count()).toBe(1);
    });

    test("a restart of the server is survived, and the same message goes on", async () => {
      allowedProblems = [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|503|ERR_EMPTY/];
      const { page, message, reply } = await asked();
      reply.show({ text: "One two " });
      await reply.settle();
      await seen(page, ".side .is-bot .markdown", "One two");
      await stage.restart();
      const again = stage.reply(message);
      await again.finish({ text: "One two three" });
      await seen(page, ".side .is-bot .markdown", "One two three");
      expect(await page.locator(".side .is-bot").count()).toBe(1);
      await page.waitForSelector(".offline", { state: "hidden" });
    });

    test("what is written while the server is away is sent when it is back, once", async () => {
      allowedProblems = [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|503|ERR_EMPTY/];
      const page = await openAs("Ada");
      await stage.stop();
      await seen(page, ".offline", "Connecting again");
      await write(page, ".main", "@Bobbin are you there?");
      await seen(page, ".main .unsent", "are you there?");
      await stage.restart();
      await seen(page, ".side .message", "are you there?");
      expect(stage.bot.messages).toHaveLength(1);
    });

    test("a network that is gone is told at once, and what was missed is there when it is back", async () => {
      allowedProblems = [/ERR_INTERNET_DISCONNECTED/];
      const { page, reply } = await asked();
      reply.show({ text: "One two " });
      await seen(page, ".side .is-bot .markdown", "One two");
      await page.context().setOffline(true);
      await seen(page, ".offline:not([hidden])", "Connecting again");
      await reply.finish({ text: "One two three" });
      await page.context().setOffline(false);
      await page.waitForSelector(".offline", { state: "hidden" });
      await seen(page, ".side .is-bot .markdown", "One two three");
      expect(await page.locator(".side .is-bot").count()).toBe(1);
    });

    test("what was being sent when the page was loaded again is sent once", async () => {
      allowedProblems = [/ERR_FAILED/];
      const page = await openAs("Ada");
      await page.route(messagesUrl, (route) => (isPost(route) ? route.abort() : route.continue()));
      await write(page, ".main", "@Bobbin do not lose this");
      await seen(page, ".main .unsent", "do not lose this");
      await page.unroute(messagesUrl);
      await page.reload();
      await seen(page, ".side .message", "do not lose this");
      await page.waitForSelector(".unsent li", { state: "detached" });
      expect(stage.bot.messages).toHaveLength(1);
      expect(await page.evaluate(() => sessionStorage.getItem("unsent web:ada"))).toBe("[]");
    });

    test("what is refused after its place was left is there when it is opened again", async () => {
      allowedProblems = [/400/];
      const page = await openAs("Ada");
      const refused = Promise.withResolvers<void>();
      await page.route(messagesUrl, async (route) => {
        if (!isPost(route)) return route.continue();
        await refused.promise;
        await route.fulfill({ status: 400, json: { error: "Not like that." } });
      });
      await write(page, ".main", "a long thought");
      await seen(page, ".main .unsent", "a long thought");
      await page.getByRole("button", { name: "Bobbin", exact: true }).click();
      await seen(page, ".main h2", "You and Bobbin");
      refused.resolve();
      await seen(page, ".toast.is-problem", "Not like that.");
      expect(await page.inputValue(".main textarea")).toBe("");
      await page.locator(".sidebar").getByText("general").click();
      await expect.poll(() => page.inputValue(".main textarea")).toBe("a long thought");
    });

    test("a change that is refused is given back as a change", async () => {
      allowedProblems = [/400/];
      const page = await openAs("Ada");
      await write(page, ".main", "short");
      await seen(page, ".main .message", "short");
      await page.locator(".main textarea").press("ArrowUp");
      await write(page, ".main", "x".repeat(100_001));
      await seen(page, ".toast.is-problem", "the limit is 100000");
      await seen(page, ".main .editing", "Changing your message");
      await write(page, ".main", "long");
      await seen(page, ".main .message", "long");
      expect(await page.locator(".main .message").count()).toBe(1);
    });

    test("messages sent quickly one after another keep their order", async () => {
      const page = await openAs("Ada");
      for (const text of ["one", "two", "three"]) await write(page, ".main", text);
      await expect
        .poll(() => page.locator(".main .message .markdown").allInnerTexts())
        .toEqual(["one", "two", "three"]);
    });

    test("what is refused comes back into the field", async () => {
      allowedProblems = [/400/];
      const page = await openAs("Ada");
      await write(page, ".main", "x".repeat(100_001));
      await seen(page, ".toast.is-problem", "100001 characters; the limit is 100000");
      expect(await page.inputValue(".main textarea")).toHaveLength(100_001);
    });

    test("a draft survives a reload", async () => {
      const page = await openAs("Ada");
      await page.fill(".main textarea", "half a thou");
      await page.reload();
      await expect.poll(() => page.inputValue(".main textarea")).toBe("half a thou");
    });

    test("older messages come on the way up", async () => {
      const page = await openAs("Ada");
      for (let number = 1; number <= 70; number += 1) {
        await page.evaluate(async (text) => {
          const body = {
            nonce: `nonce-${text}`,
            channel: "general",
            root: null,
            text,
            fileIds: [],
          };
          await fetch("/console/api/messages?as=Grace", {
            method: "POST",
            body: JSON.stringify(body),
          });
        }, `number ${number}`);
      }
      await page.reload();
      await seen(page, ".main .message >> nth=-1", "number 70");
      await page.locator(".main .scroller").evaluate((one) => one.scrollTo(0, 0));
      await seen(page, ".main .message >> nth=0", "number 1");
    });
  });

  describe("a reply", () => {
    test("unfolds its steps to code, logs and queries", async () => {
      const { page, reply } = await asked();
      const step: StepView = {
        id: "s1",
        type: "code_interpreter",
        title: "Running code",
        status: "in_progress",
        input: "print(21 * 2)",
        output: "",
      };
      reply.show({ steps: [step] });
      await seen(page, ".side .step summary", "Running code");
      await page.locator(".side .step summary").click();
      await seen(page, ".side .step-body", "print(21 * 2)");
      reply.show({ steps: [{ ...step, output: "42\n", status: "completed" }] });
      await seen(page, ".side .step-body", "42");
      expect(await page.locator(".side .step").getAttribute("data-status")).toBe("completed");
      await reply.finish({ text: "It is 42." });
    });

    test("can be stopped, and then tried again", async () => {
      const { page, reply } = await asked();
      reply.show({ text: "A long st" });
      await page.locator(".side").getByRole("button", { name: "Stop" }).click();
      await expect.poll(() => stage.bot.presses.at(-1)?.press).toEqual({ type: "stop" });
      await reply.finish({ status: "cancelled", actions: ["retry"] });
      await page.locator(".side").getByRole("button", { name: "Retry" }).click();
      await expect.poll(() => stage.bot.presses.at(-1)?.press).toEqual({ type: "retry" });
    });

    test("that is not complete can be continued", async () => {
      const { page, reply } = await asked();
      const notice = { kind: "warning", text: "The limit of this run is reached." } as const;
      await reply.finish({ status: "incomplete", actions: ["continue"], notices: [notice] });
      await seen(page, ".side .notice", "The limit of this run is reached.");
      await page.locator(".side").getByRole("button", { name: "Continue" }).click();
      await expect.poll(() => stage.bot.presses.at(-1)?.press).toEqual({ type: "continue" });
    });

    test("takes thumbs, with a reason", async () => {
      const { page, reply } = await asked();
      await reply.finish({ text: "It is 43." });
      const thumb = page.locator(".side").getByRole("button", { name: "Bad answer" });
      await thumb.click();
      await page.getByLabel("Reason").fill("It is 42");
      await page.getByRole("button", { name: "Send", exact: true }).last().waitFor();
      await page.getByLabel("Reason").press("Enter");
      await expect
        .poll(() => stage.bot.presses.map(({ press }) => press))
        .toEqual([
          { type: "feedback", good: false },
          { type: "feedback", good: false, reason: "It is 42" },
        ]);
      expect(await thumb.getAttribute("aria-pressed")).toBe("true");
    });

    test("asks for an approval, and says how it was settled", async () => {
      const { page, reply } = await asked();
      const request: ApprovalRequest = {
        type: "approval",
        id: "q1",
        callId: "c1",
        toolName: "send_mail",
        title: "Send a mail to grace@example.com",
        arguments: '{"to":"grace@example.com"}',
        expiresAtMs: Date.now() + 1_800_000,
        personKey: "web:ada",
      };
      reply.show({ status: "waiting", requests: [request] });
      await seen(page, ".side .card", "Send a mail to grace@example.com");
      await seen(page, ".side .card", "You are asked");
      stage.bot.onDecide = async () => ({ ok: true, words: "Thank you." });
      await page.getByRole("button", { name: "Approve" }).click();
      await seen(page, ".toast", "Thank you.");
      expect(stage.bot.decisions).toMatchObject([
        { requestId: "q1", by: { key: "web:ada" }, decision: { type: "approve" } },
      ]);
      const settled = { requestId: "q1", outcome: "approved", byName: "Ada" } as const;
      await reply.finish({ text: "Sent.", requests: [], settlements: [settled] });
      await seen(page, ".side .notice", "Approved by Ada");
      await page.waitForSelector(".side .card", { state: "detached" });
    });

    test("asks with a form, and what is typed survives an update", async () => {
      const { page, reply } = await asked();
      const request: FormRequest = {
        type: "form",
        id: "f1",
        callId: "c1",
        toolName: "display_quiz",
        title: "Primes",
        form: {
          title: "Two questions",
          fields: [
            { id: "which", label: "Which is prime?", type: "choice", choices: ["57", "61"] },
            { id: "why", label: "Why?", type: "text" },
          ],
        },
        expiresAtMs: Date.now() + 1_800_000,
        personKey: "web:ada",
      };
      reply.show({ status: "waiting", requests: [request] });
      await page.getByLabel("Why?").fill("Nothing divides it");
      reply.show({
        requests: [{ ...request }],
        notices: [{ kind: "info", text: "Still waiting." }],
      });
      await seen(page, ".side .notice", "Still waiting.");
      await page.getByText("61", { exact: true }).click();
      await page.getByRole("button", { name: "Send answers" }).click();
      await expect
        .poll(() => stage.bot.decisions.at(-1)?.decision)
        .toEqual({ type: "answer", answers: { which: "61", why: "Nothing divides it" } });
      await reply.finish({ text: "Right.", requests: [] });
    });

    test("asks everyone, shows who has answered, and asks nobody twice", async () => {
      const { page, reply } = await asked();
      const request: FormRequest = {
        type: "form",
        id: "f2",
        callId: "c1",
        toolName: "display_quiz",
        title: "Primes",
        form: {
          title: "Primes",
          everyone: true,
          fields: [
            { id: "which", label: "Which is prime?", type: "choice", choices: ["57", "61"] },
          ],
        },
        expiresAtMs: Date.now() + 1_800_000,
        personKey: "web:ada",
      };
      reply.show({ status: "waiting", requests: [request] });
      await page.getByText("61", { exact: true }).click();
      reply.show({ requests: [{ ...request, answered: [{ key: "web:grace", name: "Grace" }] }] });
      await seen(page, ".side .card-answered", "Grace");
      expect(await page.getByLabel("61").isChecked()).toBe(true);
      await page.getByRole("button", { name: "Send answers" }).click();
      await expect.poll(() => page.getByLabel("61").isVisible()).toBe(false);
      await page.getByRole("button", { name: "Finish" }).click();
      await expect
        .poll(() => stage.bot.decisions.map(({ decision }) => decision))
        .toMatchObject([{ type: "answer", answers: { which: "61" } }, { type: "finish" }]);
      await reply.finish({ text: "Right.", requests: [] });
    });

    test("shows its sources, and a mark leads to its source", async () => {
      const { page, reply } = await asked();
      await reply.finish({
        text: "It grew [1], as planned [2]. Not a source: [7].",
        sources: [
          { title: "q3.csv", page: 2, quote: "Jul,120" },
          { title: "The plan", url: "https://example.com/plan" },
        ],
      });
      await page.locator(".side .source-mark a").first().click();
      await seen(page, ".side .source blockquote", "Jul,120");
      const link = page.locator(".side .source a");
      expect(await link.getAttribute("href")).toBe("https://example.com/plan");
      expect(await link.getAttribute("rel")).toContain("noopener");
      expect(await page.locator(".side .source-mark").count()).toBe(2);
    });

    test("hands over files, images with a preview", async () => {
      const { page, reply } = await asked();
      const svg =
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>';
      const chart = fileOf("f1", "chart.svg", "image/svg+xml", svg);
      const table = fileOf("f2", "table.csv", "text/csv", "a,b\n1,2\n");
      await reply.finish({ text: "Here.", files: [chart, table] });
      const image = page.locator(".side .file.is-image img");
      await expect
        .poll(() => image.evaluate((one) => (one as HTMLImageElement).naturalWidth))
        .toBe(40);
      expect(await image.getAttribute("alt")).toBe("What chart.svg shows");
      const download = page.waitForEvent("download");
      await page.getByTitle("Download table.csv").click();
      expect((await download).suggestedFilename()).toBe("table.csv");
      await image.click();
      await page.waitForSelector(".lightbox[open]");
      await page.keyboard.press("Escape");
      await page.waitForSelector(".lightbox", { state: "detached" });
    });

    function fileOf(id: string, name: string, mimeType: string, content: string): ReplyFile {
      const data = new TextEncoder().encode(content);
      stage.bot.files.set(id, data);
      return { id, name, mimeType, bytes: data.length, altText: `What ${name} shows` };
    }
  });

  describe("writing", () => {
    test("files come by button, by drop and by paste, and say what became of them", async () => {
      const page = await openAs("Ada");
      const buffer = Buffer.from("a,b\n1,2\n");
      await page
        .locator(".main input[type=file]")
        .setInputFiles([{ name: "button.csv", mimeType: "text/csv", buffer }]);
      const dropped = await page.evaluateHandle(() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }));
        return transfer;
      });
      await page.dispatchEvent(".main .timeline", "drop", { dataTransfer: dropped });
      await page.locator(".main textarea").evaluate((input) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(["pasted"], "pasted.txt", { type: "text/plain" }));
        const init = { clipboardData: transfer, bubbles: true, cancelable: true };
        input.dispatchEvent(new ClipboardEvent("paste", init));
      });
      await expect.poll(() => page.locator(".main .upload").count()).toBe(3);
      await page.waitForSelector(".main .upload progress", { state: "detached" });
      await page.getByLabel("Remove dropped.txt").click();
      await write(page, ".main", "@Bobbin read these");
      await page.waitForSelector(".side .file");
      const message = stage.lastMessage();
      expect(message.attachments.map(({ name }) => name)).toEqual(["button.csv", "pasted.txt"]);
      stage.bot.tellFileStatus(message.eventId, [
        { name: "button.csv", status: "read" },
        { name: "pasted.txt", status: "refused", detail: "It is damaged." },
      ]);
      await seen(page, ".side .file >> nth=0", "read");
      await seen(page, ".side .file >> nth=1", "It is damaged.");
    });

    test("a file over the limit is refused before it is sent", async () => {
      const page = await openAs("Ada");
      const buffer = Buffer.alloc(2_000_000);
      await page
        .locator(".main input[type=file]")
        .setInputFiles([{ name: "big.bin", mimeType: "application/octet-stream", buffer }]);
      await seen(page, ".toast.is-problem", "big.bin is 2.0 MB; files up to 1.0 MB");
      expect(await page.locator(".main .upload").count()).toBe(0);
    });

    test("commands complete with the keyboard, and the answer is seen by the asker alone", async () => {
      stage.bot.specs = [
        { name: "model", summary: "Which model", usage: "", role: "manager", parameters: [] },
        { name: "new", summary: "Begin anew", usage: "", role: "person", parameters: [] },
      ];
      stage.bot.onComplete = async ({ text }) =>
        text.startsWith("model ") ? [{ value: "model gpt-5.5", label: "gpt-5.5" }] : [];
      stage.bot.onCommand = async () => ({
        ok: true,
        text: "Now **gpt-5.5**.",
        choices: [{ label: "Begin anew", command: "new" }],
      });
      const page = await openAs("Ada");
      const grace = await openAs("Grace");
      const input = page.locator(".main textarea");
      await input.pressSequentially("/");
      await seen(page, ".main .completions", "Which model");
      await input.press("ArrowDown");
      await input.press("ArrowUp");
      await input.press("Enter");
      await expect.poll(() => input.inputValue()).toBe("/model ");
      await seen(page, ".main .completions", "gpt-5.5");
      await input.press("Tab");
      await expect.poll(() => input.inputValue()).toBe("/model gpt-5.5");
      await input.press("Escape");
      await input.press("Enter");
      await seen(page, ".main .whisper", "Now gpt-5.5.");
      await seen(page, ".main .whisper", "Only visible to you");
      await page.locator(".whisper .chip").click();
      await expect
        .poll(() => stage.bot.commandsGiven.map(({ text }) => text))
        .toEqual(["model gpt-5.5", "new"]);
      expect(await grace.locator(".whisper").count()).toBe(0);
      expect(await grace.locator(".message").count()).toBe(0);
    });

    test("a mention completes from the people here", async () => {
      await openAs("Grace");
      const page = await openAs("Ada");
      const input = page.locator(".main textarea");
      await input.pressSequentially("hi @bo");
      await seen(page, ".main .completions", "@Bobbin");
      await input.press("Enter");
      await expect.poll(() => input.inputValue()).toBe("hi @Bobbin ");
      await input.pressSequentially("and @gr");
      await seen(page, ".main .completions", "@Grace");
      await input.press("Escape");
      expect(await page.locator(".main .completions").isVisible()).toBe(false);
    });

    test("one's own last message is changed with the arrow up, and offers a new answer", async () => {
      const { page, message, reply } = await asked("@Bobbin what is 2+2?");
      await reply.finish({ text: "4" });
      stage.bot.onAmend = async () => ({ state: "answered", runId: "run-9" });
      await page.locator(".main textarea").press("ArrowUp");
      await seen(page, ".main .editing", "Changing your message");
      await write(page, ".main", "@Bobbin what is 2+3?");
      await seen(page, ".main .message .markdown", "what is 2+3?");
      await seen(page, ".main .message time", "edited");
      expect(stage.bot.amendments.at(-1)?.eventId).toBe(message.eventId);
      await page.locator(".main").getByRole("button", { name: "Answer the new version" }).click();
      await expect
        .poll(() => stage.bot.presses.at(-1))
        .toMatchObject({ runId: "run-9", press: { type: "answer-new-version" } });
      await page.waitForSelector(".main .marks .chip", { state: "detached" });
    });

    test("what was changed says so, also right below another message", async () => {
      const page = await openAs("Ada");
      for (const text of ["one", "two"]) await write(page, ".main", text);
      await page.waitForSelector(".main .message.is-compact");
      await page.locator(".main .composer textarea").press("ArrowUp");
      await write(page, ".main", "three");
      await seen(page, ".main .message >> nth=-1", "three");
      const time = page.locator(".main .message time").last();
      await expect.poll(() => time.isVisible()).toBe(true);
      expect(await time.innerText()).toContain("edited");
    });

    test("one's own message is taken back after a question", async () => {
      const page = await openAs("Ada");
      const grace = await openAs("Grace");
      await write(page, ".main", "never mind");
      await seen(grace, ".main .message", "never mind");
      await page.locator(".main .message").hover();
      await page.locator(".main").getByRole("button", { name: "Delete" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      await page.waitForSelector("dialog", { state: "detached" });
      expect(await grace.locator(".main .message").count()).toBe(1);
      await page.locator(".main .message").hover();
      await page.locator(".main").getByRole("button", { name: "Delete" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await grace.waitForSelector(".main .message", { state: "detached" });
      expect(await grace.getByRole("button", { name: "Delete" }).count()).toBe(0);
    });

    test("settings are a form over the same commands", async () => {
      stage.bot.panel = {
        title: "Settings of #general",
        text: "What holds **here**.",
        fields: [
          { command: "model", label: "Model", value: "gpt-5", multiline: false },
          {
            command: "queue",
            label: "Queue",
            value: "fifo",
            multiline: false,
            locked: "Managers only.",
          },
        ],
      };
      stage.bot.onCommand = async ({ text }) => ({ ok: true, text: `Did ${text}.` });
      const page = await openAs("Ada");
      await page.getByRole("button", { name: "Settings" }).click();
      await seen(page, ".sheet", "What holds here.");
      expect(await page.getByLabel("Queue").isDisabled()).toBe(true);
      await page.getByLabel("Model").fill("gpt-5.5");
      await page.getByRole("button", { name: "Save" }).first().click();
      await seen(page, ".setting-status", "Did model gpt-5.5.");
    });

    test("a channel is created, and everybody sees it", async () => {
      const page = await openAs("Ada");
      const grace = await openAs("Grace");
      await page.getByRole("button", { name: "New channel" }).click();
      await page.getByLabel("Name").fill("Sales");
      await page.keyboard.press("Enter");
      await seen(page, ".main h1", "sales");
      await seen(grace, ".sidebar", "sales");
    });
  });

  describe("being safe", () => {
    test("nothing in a text, a name or a file runs, and nothing is fetched from elsewhere", async () => {
      const { page, reply } = await asked("@Bobbin <img src=x onerror=alert(1)>");
      const foreign: string[] = [];
      page.on("request", (request) => {
        if (!request.url().startsWith(stage.url)) foreign.push(request.url());
      });
      page.on("dialog", (dialog) => {
        foreign.push(dialog.message());
        dialog.dismiss().catch(() => {});
      });
      stage.bot.files.set("evil", new TextEncoder().encode("<script>alert(1)</script>"));
      await reply.finish({
        text: [
          "<script>alert(1)</script><img src=x onerror=alert(2)>",
          "[press](javascript:alert(3)) [data](data:text/html,<script>alert(4)</script>)",
          "![pixel](http://127.0.0.1:9/pixel.png) <iframe src=//127.0.0.1:9></iframe>",
          "<svg onload=alert(5)><style>*{display:none}</style>",
          "\\(\\href{javascript:alert(6)}{x}\\) \\(\\htmlStyle{background:url(//127.0.0.1:9)}{y}\\)",
          '```"><img src=x onerror=alert(7)>\ncode\n```',
          "| a |\n|--|\n| <b onclick=alert(8)>b</b> |",
        ].join("\n\n"),
        steps: [
          {
            id: "s",
            type: "function",
            title: "<img src=x onerror=alert(9)>",
            status: "completed",
            input: "<script>alert(10)</script>",
            output: "<img src=x onerror=alert(11)>",
          },
        ],
        sources: [
          { title: "<b>x</b>", url: "javascript:alert(12)", quote: "<img src=x onerror=1>" },
        ],
        files: [
          {
            id: "evil",
            name: "<img src=x onerror=alert(13)>.html",
            mimeType: "text/html",
            bytes: 25,
            altText: '"><script>alert(14)</script>',
          },
        ],
        notices: [{ kind: "info", text: "<script>alert(15)</script>" }],
      });
      await page.waitForSelector(".side .file");
      await page.locator(".side .step summary").click();
      await seen(page, ".side .step-body", "<script>alert(10)</script>");
      await seen(page, ".side .is-bot .markdown", "<script>alert(1)</script>");
      const risky = await page.evaluate(() => ({
        scripts: document.querySelectorAll("body script, iframe, object, embed").length,
        handlers:
          [...document.querySelectorAll("#app *")].filter((one) =>
            one.getAttributeNames().some((name) => name.startsWith("on") || name === "style"),
          ).length - document.querySelectorAll(".katex [style]").length,
        links: [...document.querySelectorAll("a[href]")]
          .map((one) => (one as HTMLAnchorElement).protocol)
          .filter((protocol) => !/^https?:$/.test(protocol)),
        images: [...document.querySelectorAll("img")]
          .map((one) => new URL(one.src).origin)
          .filter((origin) => origin !== location.origin),
      }));
      expect(risky).toEqual({ scripts: 0, handlers: 0, links: [], images: [] });
      const image = page.locator(".side .image-link");
      expect(await image.getAttribute("href")).toBe("http://127.0.0.1:9/pixel.png");
      expect(await image.getAttribute("rel")).toContain("noreferrer");
      expect(foreign).toEqual([]);
    });

    test("a script that slipped in would be stopped by the page's policy", async () => {
      allowedProblems = [/Content Security Policy/];
      const page = await openAs("Ada");
      await page.evaluate(() => {
        const script = document.createElement("script");
        script.textContent = "document.title = 'taken'";
        document.body.append(script);
        const image = document.createElement("img");
        image.src = "http://127.0.0.1:9/pixel.png";
        document.body.append(image);
      });
      expect(await page.title()).not.toBe("taken");
      const problems = () => windows.flatMap((window) => window.problems).join("\n");
      await expect.poll(problems).toMatch(/script-src[\s\S]*img-src|img-src[\s\S]*script-src/);
    });

    test("behind a password nothing is seen without it", async () => {
      allowedProblems = [/401/];
      await stage.stop();
      stage = new Stage({ password: "correct horse" });
      await stage.start();
      const window = await openWindow(browser, stage.url, "Ada");
      windows.push(window);
      const { page } = window;
      await page.getByLabel("Password").fill("wrong");
      await page.keyboard.press("Enter");
      await seen(page, ".gate-problem", "That is not the password.");
      await page.getByLabel("Password").fill("correct horse");
      await page.keyboard.press("Enter");
      await page.waitForSelector(".welcome");
      await page.reload();
      await page.waitForSelector(".welcome");
      await page.getByRole("button", { name: "Log out" }).click();
      await page.waitForSelector(".gate");
    });
  });

  describe("for everybody", () => {
    test("who is new says a name first", async () => {
      const context = await browser.newContext();
      const page = await context.newPage();
      windows.push({ page, problems: [] });
      await page.goto(stage.url);
      await page.getByLabel("What should it call you?").fill("Ada");
      await page.keyboard.press("Enter");
      await seen(page, ".me-name", "Ada");
    });

    test.each(["light", "dark"] as const)(
      "words can be read in %s colours",
      async (colorScheme) => {
        const page = await openAs("Ada", { colorScheme });
        const contrasts = await page.evaluate(() => {
          const context = document.createElement("canvas").getContext("2d");
          const colour = (name: string) => {
            if (!context) return [0, 0, 0];
            context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
            context.fillRect(0, 0, 1, 1);
            return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
          };
          const luminance = (name: string) => {
            const [red = 0, green = 0, blue = 0] = colour(name).map((part) => {
              const share = part / 255;
              return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
          };
          const pairs = [
            ["--text", "--bg"],
            ["--text-soft", "--bg-soft"],
            ["--text-faint", "--bg"],
            ["--text-faint", "--bg-soft"],
            ["--accent", "--bg"],
            ["--accent-strong", "--accent-soft"],
            ["--on-accent", "--accent"],
            ["--danger", "--danger-soft"],
            ["--warn", "--warn-soft"],
            ["--code-comment", "--bg-code"],
            ["--code-string", "--bg-code"],
          ] as const;
          return pairs.map(([front, back]) => {
            const [a, b] = [luminance(front), luminance(back)];
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            return { front, back, contrast };
          });
        });
        // WCAG 2.2, 1.4.3: at least 4.5 to 1 for text.
        expect(contrasts.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
      },
    );

    test("the theme can be chosen, and stays chosen", async () => {
      const page = await openAs("Ada", { colorScheme: "light" });
      const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await background();
      await page.getByRole("button", { name: "Theme: as the system" }).click();
      await page.getByRole("button", { name: "Theme: light" }).click();
      expect(await background()).not.toBe(light);
      await page.reload();
      await page.getByRole("button", { name: "Theme: dark" }).waitFor();
      expect(await background()).not.toBe(light);
    });

    test("on a phone everything is reached and nothing sticks out", async () => {
      const look = { width: 375, height: 740, hasTouch: true } as const;
      const { page, reply } = await asked("@Bobbin tell me", look);
      await reply.finish({
        text: `| ${"Column | ".repeat(12)}\n|${"--|".repeat(12)}\n| ${"value | ".repeat(12)}\n\n\`\`\`\n${"x".repeat(300)}\n\`\`\`\n\n${"long".repeat(100)}\n\n\\[ ${"a + ".repeat(60)} b \\]`,
      });
      await page.waitForSelector(".side table");
      const width = () =>
        page.evaluate(() => ({
          page: document.documentElement.scrollWidth,
          pane: document.querySelector(".side .scroller")?.scrollWidth,
        }));
      expect(await width()).toEqual({ page: 375, pane: 375 });
      expect(await page.locator(".main").isVisible()).toBe(false);
      await page.getByRole("button", { name: "Back to the channel" }).click();
      await page.waitForSelector(".main .message");
      await page.getByRole("button", { name: "Channels", exact: true }).click();
      await page.getByRole("button", { name: "Threads" }).click();
      await seen(page, ".thread-list", "tell me");
      await page.locator(".thread-list button").click();
      await page.waitForSelector(".side table");
    });

    test("the keyboard is enough: messages by arrows, their tools by Tab, Escape closes", async () => {
      const { page, reply } = await asked("@Bobbin tell me");
      await reply.finish({ text: "Here it is." });
      await seen(page, ".side .is-bot .markdown", "Here it is.");
      const focused = () => page.evaluate(() => document.activeElement?.className ?? "");
      await page.locator(".side .messages > [tabindex='0']").focus();
      await page.keyboard.press("End");
      expect(await focused()).toContain("is-bot");
      await page.keyboard.press("ArrowUp");
      expect(await focused()).not.toContain("is-bot");
      await page.keyboard.press("Tab");
      const label = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
      expect(label).toBe("Edit");
      await page.keyboard.press("Escape");
      await page.waitForSelector(".side", { state: "hidden" });
      expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("TEXTAREA");
    });

    test("every control has a name, and answers are read out when they are complete", async () => {
      const { page, reply } = await asked("@Bobbin tell me");
      reply.show({ text: "Half of" });
      await seen(page, "#announcer", "Bobbin is answering.");
      await reply.finish({ text: "Half of it is enough." });
      await seen(page, "#announcer", "Bobbin answered: Half of it is enough.");
      const nameless = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("button, a[href], input, textarea, select")]
          .filter((one) => one.offsetParent !== null)
          .filter(
            (one) =>
              !one.textContent?.trim() &&
              !one.getAttribute("aria-label") &&
              !(one as HTMLInputElement).labels?.length,
          )
          .map((one) => one.outerHTML.slice(0, 100)),
      );
      expect(nameless).toEqual([]);
      expect(await page.getByRole("log").count()).toBe(2);
      expect(await page.getByRole("navigation", { name: "Channels" }).count()).toBe(1);
      expect(await page.getByRole("main").count()).toBe(1);
    });
  });
});

const messagesUrl = /\/console\/api\/messages\?/;

function isPost(route: Route): boolean {
  return route.request().method() === "POST";
}

async function write(page: Page, pane: string, text: string): Promise<void> {
  const input = page.locator(`${pane} .composer textarea`);
  await input.fill(text);
  await input.press("Enter");
}

async function seen(page: Page, selector: string, text: string): Promise<void> {
  await expect
    .poll(async () => (await page.locator(selector).allTextContents()).join("\n"), {
      timeout: 15_000,
    })
    .toContain(text);
}
