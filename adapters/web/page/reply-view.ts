import type { StepView } from "#domain/reply-view";
import type { ChatMessage, ReplyState } from "../wire.ts";
import type { Press } from "./api.ts";
import { attempt, type PageContext } from "./context.ts";
import { h, type IconName, icon, setChildren, setHidden, setText } from "./dom.ts";
import { codeBlock, copyText, prettyJson } from "./markdown.ts";
import { RequestCards } from "./request-cards.ts";

/** What a reply of the bot shows beside its text: steps, requests, notices, sources, controls. */
export class ReplyView {
  readonly above = h("div", { class: "reply-above" });
  readonly below = h("div", { class: "reply-below" });
  readonly #page: PageContext;
  readonly #steps = new Map<string, StepLine>();
  readonly #stepList = h("div", { class: "steps" });
  readonly #progress = h(
    "p",
    { class: "progress", role: "status" },
    h("span", { class: "spinner" }),
    "Thinking …",
  );
  readonly #notices = h("div", { class: "notices" });
  readonly #requests: RequestCards;
  readonly #sources = h("section", { class: "sources", "aria-label": "Sources" });
  readonly #controls = h("div", { class: "controls" });
  #shown: ReplyState | undefined;
  #text = "";
  #controlsKey = "";

  constructor(page: PageContext) {
    this.#page = page;
    this.above.append(this.#stepList);
    this.#requests = new RequestCards(page);
    this.below.append(
      this.#progress,
      this.#notices,
      this.#requests.element,
      this.#sources,
      this.#controls,
    );
  }

  show(message: ChatMessage, reply: ReplyState): void {
    const before = this.#shown;
    this.#shown = reply;
    this.#text = message.text;
    if (before?.steps !== reply.steps) this.#showSteps(reply.steps);
    if (before?.notices !== reply.notices || before?.settlements !== reply.settlements) {
      this.#showNotices(reply);
    }
    if (before?.requests !== reply.requests) this.#requests.show(reply.requests);
    if (before?.sources !== reply.sources) this.#showSources(reply.sources);
    this.#showProgress(reply, message.text === "");
    this.#showControls(reply);
  }

  /** Brings a source into view. */
  reveal(number: number): void {
    const source = this.#sources.querySelector<HTMLElement>(`[data-number="${number}"]`);
    if (source instanceof HTMLDetailsElement) source.open = true;
    source?.scrollIntoView({ block: "nearest", behavior: "smooth" });
    source?.querySelector<HTMLElement>("summary, a")?.focus({ preventScroll: true });
    source?.classList.add("is-marked");
    setTimeout(() => source?.classList.remove("is-marked"), 1600);
  }

  #showSteps(steps: readonly StepView[]): void {
    const lines = steps.map((step) => {
      const line = this.#steps.get(step.id) ?? new StepLine();
      this.#steps.set(step.id, line);
      line.show(step);
      return line.element;
    });
    setChildren(this.#stepList, lines);
    setHidden(this.above, lines.length === 0);
  }

  #showProgress(reply: ReplyState, isEmpty: boolean): void {
    // A running step shows by itself that something happens.
    const isRunning = reply.steps.some((step) => step.status === "in_progress");
    setHidden(this.#progress, reply.status !== "working" || !isEmpty || isRunning);
  }

  #showNotices(reply: ReplyState): void {
    const icons = { info: "info", warning: "warning", error: "warning" } as const;
    const settled = reply.settlements.map((settlement) =>
      h(
        "p",
        { class: "notice is-settled" },
        icon(
          settlement.outcome === "approved" || settlement.outcome === "answered"
            ? "check"
            : "cross",
        ),
        settlementWords(settlement),
      ),
    );
    const notices = reply.notices.map((notice) =>
      h("p", { class: `notice is-${notice.kind}` }, icon(icons[notice.kind]), notice.text),
    );
    this.#notices.replaceChildren(...settled, ...notices);
  }

  #showSources(sources: ReplyState["sources"]): void {
    setHidden(this.#sources, sources.length === 0);
    this.#sources.replaceChildren(
      ...sources.map((source, index) => {
        const page = source.page === undefined ? "" : `, page ${source.page}`;
        const name = `${source.title}${page}`;
        const url = safeUrl(source.url);
        const number = h("span", { class: "number" }, String(index + 1));
        const rel = "noopener noreferrer nofollow";
        const title = url
          ? h("a", { href: url.href, target: "_blank", rel }, name)
          : h("span", {}, name);
        const host = url ? h("span", { class: "host" }, url.host) : null;
        if (!source.quote) {
          return h("div", { class: "source", "data-number": index + 1 }, number, title, host);
        }
        return h(
          "details",
          { class: "source", "data-number": index + 1 },
          h("summary", {}, number, title, host, icon("chevron")),
          h("blockquote", {}, source.quote),
        );
      }),
    );
  }

  #showControls(reply: ReplyState): void {
    const key = `${reply.actions.join(" ")} ${reply.status}`;
    if (key === this.#controlsKey) return;
    this.#controlsKey = key;
    const buttons: HTMLElement[] = [];
    for (const action of reply.actions) {
      switch (action) {
        case "stop":
          buttons.push(this.#pressButton("stop", "Stop", "stop", "is-stop"));
          break;
        case "retry":
          buttons.push(this.#pressButton("retry", "Retry", "retry"));
          break;
        case "continue":
          buttons.push(this.#pressButton("play", "Continue", "continue", "is-primary"));
          break;
        case "answer-new-version":
          buttons.push(
            this.#pressButton(
              "retry",
              "Answer the new version",
              "answer-new-version",
              "is-primary",
            ),
          );
          break;
        case "feedback":
          buttons.push(...this.#feedback());
          break;
      }
    }
    if (reply.status !== "working" && reply.status !== "waiting")
      buttons.unshift(this.#copyButton());
    this.#controls.replaceChildren(...buttons);
    setHidden(this.#controls, buttons.length === 0);
  }

  #copyButton(): HTMLElement {
    const copy = h(
      "button",
      { type: "button", class: "chip is-quiet" },
      icon("copy"),
      h("span", {}, "Copy"),
    );
    copy.addEventListener("click", () => copyText(this.#text, copy));
    return copy;
  }

  #pressButton(
    name: IconName,
    label: string,
    type: Exclude<Press["type"], "feedback">,
    look = "",
  ): HTMLButtonElement {
    const button = h(
      "button",
      { type: "button", class: `chip ${look}` },
      icon(name),
      h("span", {}, label),
    );
    button.addEventListener("click", async () => {
      button.disabled = true;
      await this.#press({ type });
      button.disabled = false;
    });
    return button;
  }

  async #press(press: Press): Promise<boolean> {
    const runId = this.#shown?.runId;
    if (runId === undefined) return false;
    const words = await attempt(this.#page, () => this.#page.api.press(runId, press));
    if (words?.text) this.#page.toast(words.text, !words.ok);
    return words?.ok ?? false;
  }

  /** Two thumbs; either one takes a reason, too. */
  #feedback(): readonly HTMLElement[] {
    const thumbs = ([true, false] as const).map((good) => {
      const label = good ? "Good answer" : "Bad answer";
      return h(
        "button",
        {
          type: "button",
          class: "chip is-quiet is-thumb",
          "aria-pressed": "false",
          "aria-label": label,
          title: label,
        },
        icon(good ? "up" : "thumbDown"),
      );
    });
    const reason = h("input", {
      type: "text",
      maxlength: 2000,
      placeholder: "What was it? (optional)",
      "aria-label": "Reason",
    });
    const form = h(
      "form",
      { class: "reason", hidden: true },
      reason,
      h("button", { type: "submit", class: "chip is-primary" }, "Send"),
    );
    let isGood = true;
    for (const [index, thumb] of thumbs.entries()) {
      const good = index === 0;
      thumb.addEventListener("click", async () => {
        isGood = good;
        if (!(await this.#press({ type: "feedback", good }))) return;
        for (const other of thumbs) other.setAttribute("aria-pressed", String(other === thumb));
        form.hidden = false;
        reason.focus();
      });
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const words = reason.value.trim();
      form.hidden = true;
      if (words) await this.#press({ type: "feedback", good: isGood, reason: words });
    });
    return [...thumbs, form];
  }
}

/** One step: a line that unfolds to what went in and what came out. */
class StepLine {
  readonly element = h("details", { class: "step" });
  readonly #state = h("span", { class: "step-state" });
  readonly #title = h("span", { class: "step-title" });
  readonly #detail = h("span", { class: "step-detail" });
  readonly #body = h("div", { class: "step-body" });
  readonly #output = h("pre", { tabindex: "0" }, h("code"));
  #shown: StepView | undefined;

  constructor() {
    this.element.append(
      h("summary", {}, this.#state, this.#title, this.#detail, icon("chevron")),
      this.#body,
    );
    // Drawn when it is looked at: a long log costs nothing while it is folded.
    this.element.addEventListener("toggle", () => this.#showBody(undefined));
  }

  show(step: StepView): void {
    const before = this.#shown;
    if (before === step) return;
    this.#shown = step;
    if (before?.status !== step.status) {
      this.element.dataset.status = step.status;
      this.#state.replaceChildren(
        stateIcon(step),
        h("span", { class: "visually-hidden" }, stateWords(step)),
      );
    }
    setText(this.#title, step.title);
    setText(this.#detail, step.input ? firstLine(step.input) : "");
    this.element.toggleAttribute("data-empty", step.input === "" && step.output === "");
    this.#showBody(before);
  }

  #showBody(before: StepView | undefined): void {
    const step = this.#shown;
    if (!step || !this.element.open) return;
    const { input, output } = step;
    if (before && before.input === input && before.output !== output && before.output !== "") {
      const code = this.#output.firstElementChild;
      if (output.startsWith(before.output)) code?.append(output.slice(before.output.length));
      else if (code) code.textContent = output;
      return;
    }
    const code = this.#output.firstElementChild;
    if (code) code.textContent = output;
    setChildren(this.#body, [
      input && h("h4", {}, inputLabel(step)),
      input && inputBlock(step),
      output && h("h4", {}, outputLabel(step)),
      output && this.#output,
    ]);
  }
}

function stateIcon(step: StepView): Node {
  switch (step.status) {
    case "in_progress":
      return h("span", { class: "spinner" });
    case "completed":
      return icon(typeIcon(step));
    case "failed":
      return icon("warning");
    case "cancelled":
      return icon("cross");
  }
}

function stateWords(step: StepView): string {
  switch (step.status) {
    case "in_progress":
      return "Running: ";
    case "completed":
      return "Done: ";
    case "failed":
      return "Failed: ";
    case "cancelled":
      return "Cancelled: ";
  }
}

function typeIcon(step: StepView): IconName {
  switch (step.type) {
    case "code_interpreter":
      return "code";
    case "file_search":
      return "search";
    case "web_search":
      return "globe";
    case "image_generation":
      return "image";
    case "function":
      return "tool";
    case "reasoning":
      return "spark";
    case "message_creation":
    case "other":
      return "check";
  }
}

function inputLabel(step: StepView): string {
  switch (step.type) {
    case "code_interpreter":
      return "Code";
    case "file_search":
    case "web_search":
      return "Query";
    case "image_generation":
      return "Prompt";
    default:
      return "Arguments";
  }
}

function outputLabel(step: StepView): string {
  switch (step.type) {
    case "code_interpreter":
      return "Logs";
    case "file_search":
    case "web_search":
      return "Results";
    case "reasoning":
      return "Summary";
    default:
      return "Result";
  }
}

function inputBlock(step: StepView): HTMLElement {
  if (step.type === "code_interpreter") return codeBlock(step.input, "python");
  return codeBlock(prettyJson(step.input), step.type === "function" ? "json" : "");
}

function firstLine(text: string): string {
  const line = text.split("\n", 1)[0] ?? "";
  return line.slice(0, 120);
}

function settlementWords(settlement: ReplyState["settlements"][number]): string {
  const by = settlement.byName ? ` by ${settlement.byName}` : "";
  switch (settlement.outcome) {
    case "approved":
      return `Approved${by}`;
    case "declined":
      return `Declined${by}`;
    case "answered":
      return `Answered${by}`;
    case "expired":
      return "Nobody answered in time";
    case "withdrawn":
      return "Not needed any more";
  }
}

function safeUrl(text: string | undefined): URL | undefined {
  const url = text === undefined ? null : URL.parse(text);
  return url && (url.protocol === "https:" || url.protocol === "http:") ? url : undefined;
}
