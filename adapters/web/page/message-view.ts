import type { ChatFile, ChatMessage } from "../wire.ts";
import { attempt, type PageContext, sizeOf, timeOf } from "./context.ts";
import { confirmed, showImage } from "./dialogs.ts";
import { h, icon, iconButton, setChildren, setHidden, setText } from "./dom.ts";
import { MarkdownView } from "./markdown.ts";
import { ReplyView } from "./reply-view.ts";

/** Shown by `<img>`; the server sends exactly these as images. */
const imageTypes = /^image\/(png|jpeg|gif|webp|avif|svg\+xml)\b/;
const prefersStillness = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Avatar of a person (initials on a colour of their own) or of the bot. */
export function avatar(author: ChatMessage["author"]): HTMLElement {
  if (author.kind === "bot") {
    return h(
      "span",
      { class: "avatar of-bot", "aria-hidden": "true" },
      h("img", { src: "/console/page/icon.svg", alt: "" }),
    );
  }
  const words = author.name.split(/\s+/);
  const initials = [words[0], words.length > 1 ? words.at(-1) : undefined]
    .map((word) => (word ? ([...word][0] ?? "") : ""))
    .join("");
  let hue = 0;
  for (const character of author.key) hue = (hue * 31 + (character.codePointAt(0) ?? 0)) % 8;
  return h("span", { class: `avatar hue-${hue}`, "aria-hidden": "true" }, initials.toUpperCase());
}

/** One message in a timeline, kept in step with the store. */
export class MessageView {
  readonly element = h("li", { class: "message", tabindex: "-1" });
  readonly #page: PageContext;
  readonly #isRoot: boolean;
  readonly #name = h("span", { class: "name" });
  readonly #time = h("time");
  readonly #markdown: MarkdownView;
  readonly #reply: ReplyView | undefined;
  readonly #files = h("div", { class: "files" });
  readonly #marks = h("div", { class: "marks" });
  readonly #thread = h("button", { type: "button", class: "thread-summary" });
  readonly #toolbar = h("div", {
    class: "toolbar",
    role: "group",
    "aria-label": "Message actions",
  });
  #message: ChatMessage;
  #follows = false;
  #shownFiles: ChatMessage["files"] | undefined;
  #revealed = 0;
  #frame: number | undefined;
  #renderCostMs = 0;
  #renderedAtMs = 0;

  /** `isRoot`: at the head of its own thread, where it has no thread button. */
  constructor(page: PageContext, message: ChatMessage, isRoot = false) {
    this.#page = page;
    this.#message = message;
    this.#isRoot = isRoot;
    this.#reply = message.reply ? new ReplyView(page) : undefined;
    this.#markdown = new MarkdownView(this.#markdownContext());
    const body = h("div", { class: "body" });
    const tag = message.author.kind === "bot" ? h("span", { class: "tag" }, "bot") : null;
    body.append(h("header", {}, this.#name, tag, this.#time));
    if (this.#reply) body.append(this.#reply.above);
    body.append(this.#markdown.element, this.#files);
    if (this.#reply) body.append(this.#reply.below);
    body.append(this.#marks, this.#thread);
    this.#thread.addEventListener("click", () => page.openThread(message.channel, message.id));
    this.element.dataset.id = message.id;
    this.element.classList.toggle("is-bot", message.author.kind === "bot");
    this.element.append(h("div", { class: "gutter" }, avatar(message.author)), body, this.#toolbar);
    // A reply met in the middle is shown as far as it is; only what comes now flows in.
    this.#revealed = message.text.length;
    this.show(message);
  }

  get message(): ChatMessage {
    return this.#message;
  }

  show(message: ChatMessage): void {
    const before = this.#message;
    this.#message = message;
    setText(this.#name, message.author.name);
    setText(this.#time, `${timeOf(message.sentAtMs)}${message.editedAtMs ? " · edited" : ""}`);
    this.#time.dateTime = new Date(message.sentAtMs).toISOString();
    this.#time.title = new Date(message.sentAtMs).toLocaleString();
    this.#showHead();
    this.element.classList.toggle("is-deleted", message.isDeleted === true);
    this.element.setAttribute("aria-label", `${message.author.name}, ${timeOf(message.sentAtMs)}`);
    if (message.reply) {
      this.#reply?.show(message, message.reply);
      this.element.dataset.status = message.reply.status;
      this.element.setAttribute("aria-busy", String(message.reply.status === "working"));
    }
    if (!message.text.startsWith(before.text)) this.#revealed = message.text.length;
    this.#reveal();
    this.#showFiles();
    this.showMarks();
    this.#showThread();
    if (before === message || before.isDeleted !== message.isDeleted) this.#showToolbar();
  }

  /** Directly below another message of the same author, shortly after it: no second head. */
  setCompact(isCompact: boolean): void {
    this.#follows = isCompact;
    this.#showHead();
  }

  /** What was edited keeps its head, which says so. */
  #showHead(): void {
    const isEdited = this.#message.editedAtMs !== undefined;
    this.element.classList.toggle("is-compact", this.#follows && !isEdited);
  }

  /** What is said about the message itself: queued, refused, changed since it was answered. */
  showMarks(): void {
    const { refused, editedAfterRun } = this.#message;
    const position = this.#page.store.queuePosition(this.#message.id);
    setChildren(this.#marks, [
      position !== undefined && h("span", { class: "mark" }, icon("clock"), queueWords(position)),
      refused !== undefined && h("span", { class: "mark is-problem" }, icon("warning"), refused),
      editedAfterRun !== undefined && this.#isOwn() && this.#answerAgain(editedAfterRun),
    ]);
    setHidden(this.#marks, this.#marks.childElementCount === 0);
  }

  /** Text that came in one piece is shown growing, so that it reads as flowing. */
  #reveal(): void {
    const { text, reply } = this.#message;
    const isWorking = reply?.status === "working";
    const isInstant = !isWorking || prefersStillness.matches || document.hidden;
    if (isInstant) {
      this.#revealed = text.length;
      if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
      this.#frame = undefined;
      this.#render();
      return;
    }
    this.#frame ??= requestAnimationFrame(() => this.#nextFrame());
  }

  #nextFrame(): void {
    this.#frame = undefined;
    const { text } = this.#message;
    // A big block that is slow to draw is drawn less often, never the page slower.
    const isTooSoon = performance.now() - this.#renderedAtMs < this.#renderCostMs * 4;
    if (!isTooSoon) {
      const left = text.length - this.#revealed;
      this.#revealed += Math.max(Math.min(left, 3), Math.ceil(left / 4));
      this.#render();
    }
    if (this.#revealed < text.length) this.#frame = requestAnimationFrame(() => this.#nextFrame());
  }

  #render(): void {
    const { text, reply, isDeleted } = this.#message;
    const started = performance.now();
    const isOpen = reply?.status === "working";
    const shown = isDeleted ? "*This message was deleted.*" : wholeCharacters(text, this.#revealed);
    this.#markdown.show(shown, isOpen, this.#markdownContext());
    setHidden(this.#markdown.element, shown === "");
    this.#renderedAtMs = performance.now();
    this.#renderCostMs = this.#renderedAtMs - started;
  }

  #markdownContext(): ConstructorParameters<typeof MarkdownView>[0] {
    const { state } = this.#page.store;
    const isBot = this.#message.author.kind === "bot";
    return {
      sourceCount: this.#message.reply?.sources.length ?? 0,
      names: isBot ? [] : [state.botName, ...state.people.map(({ name }) => name)],
      keepsLineBreaks: !isBot,
      onSource: (number) => this.#reply?.reveal(number),
    };
  }

  #showFiles(): void {
    const { files, fileStatuses } = this.#message;
    if (files === this.#shownFiles && fileStatuses === undefined) return;
    this.#shownFiles = files;
    this.#files.replaceChildren(...files.map((file) => this.#fileCard(file)));
    setHidden(this.#files, files.length === 0);
  }

  #fileCard(file: ChatFile): HTMLElement {
    const url = this.#page.api.fileUrl(this.#message.id, file.id);
    const status = this.#message.fileStatuses?.find(
      ({ fileId, name }) => fileId === file.id || name === file.name,
    );
    const words = status ? statusWords(status) : "";
    const isRefused = status?.status === "refused";
    const name = h("span", { class: "file-name" }, file.name);
    const about = h(
      "span",
      { class: `file-about${isRefused ? " is-problem" : ""}` },
      [sizeOf(file.bytes), words].filter(Boolean).join(" · "),
    );
    const download = h(
      "a",
      { class: "file-link", href: url, download: file.name, title: `Download ${file.name}` },
      icon(imageTypes.test(file.mimeType) ? "image" : "file"),
      h("span", { class: "file-words" }, name, about),
      icon("download"),
    );
    if (!imageTypes.test(file.mimeType)) return h("div", { class: "file" }, download);
    const alt = file.altText || file.name;
    return h(
      "figure",
      { class: "file is-image" },
      h(
        "button",
        { type: "button", "aria-label": `Enlarge ${alt}`, onclick: () => showImage(url, alt) },
        h("img", { src: url, alt, loading: "lazy" }),
      ),
      h("figcaption", {}, download),
    );
  }

  #showThread(): void {
    const { thread } = this.#message;
    setHidden(this.#thread, !thread || this.#isRoot);
    if (!thread) return;
    const replies = thread.replies === 1 ? "1 reply" : `${thread.replies} replies`;
    setChildren(this.#thread, [
      icon("thread"),
      h("strong", {}, replies),
      h("span", {}, `last at ${timeOf(thread.lastAtMs)}`),
      icon("chevron"),
    ]);
  }

  #showToolbar(): void {
    const message = this.#message;
    const canReply = message.root === null && !message.channel.startsWith("@") && !this.#isRoot;
    const canChange = this.#isOwn() && !message.isDeleted;
    setChildren(this.#toolbar, [
      canReply &&
        iconButton("thread", "Reply in thread", () =>
          this.#page.openThread(message.channel, message.id),
        ),
      canChange && iconButton("edit", "Edit", () => this.#page.startEdit(this.#message)),
      canChange && iconButton("trash", "Delete", () => this.#remove()),
    ]);
    setHidden(this.#toolbar, this.#toolbar.childElementCount === 0);
  }

  async #remove(): Promise<void> {
    const isSure = await confirmed({
      title: "Delete this message?",
      text: "It is taken out of the conversation, and a reply that is being written stops.",
      action: "Delete",
    });
    if (!isSure) return;
    await attempt(this.#page, () => this.#page.api.remove(this.#message.id));
  }

  #answerAgain(runId: string): HTMLElement {
    const button = h(
      "button",
      { type: "button", class: "chip is-primary" },
      icon("retry"),
      h("span", {}, "Answer the new version"),
    );
    button.addEventListener("click", async () => {
      button.disabled = true;
      const press = { type: "answer-new-version" } as const;
      const words = await attempt(this.#page, () =>
        this.#page.api.press(runId, press, this.#message.id),
      );
      if (words?.text) this.#page.toast(words.text, !words.ok);
      button.disabled = false;
    });
    return button;
  }

  #isOwn(): boolean {
    const { author } = this.#message;
    return author.kind === "person" && author.key === this.#page.store.state.person.key;
  }
}

function queueWords(position: number): string {
  if (position <= 0) return "Next in line";
  return position === 1 ? "Waiting · 1 before this" : `Waiting · ${position} before this`;
}

function statusWords(status: NonNullable<ChatMessage["fileStatuses"]>[number]): string {
  const detail = status.detail ? `: ${status.detail}` : "";
  switch (status.status) {
    case "stored":
      return `kept${detail}`;
    case "read":
      return `read${detail}`;
    case "indexed":
      return `searchable${detail}`;
    case "refused":
      return status.detail ?? "refused";
  }
}

/** Not half of a character that takes two places. */
function wholeCharacters(text: string, length: number): string {
  if (length >= text.length) return text;
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}
