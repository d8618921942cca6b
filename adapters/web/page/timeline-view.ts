import type { ChatMessage } from "../wire.ts";
import { attempt, dayOf, type PageContext } from "./context.ts";
import { h, icon, iconButton, setChildren, setHidden } from "./dom.ts";
import { MarkdownView } from "./markdown.ts";
import { MessageView } from "./message-view.ts";
import { type Change, timelineKey, type Whisper } from "./store.ts";

const nearEndPx = 90;
const sameBreathMs = 5 * 60_000;

/** The messages of a channel or of a thread, newest at the end, older ones loaded on the way up. */
export class TimelineView {
  readonly element = h("div", { class: "timeline" });
  readonly #page: PageContext;
  readonly #channel: string;
  readonly #root: string | null;
  readonly #scroller: HTMLElement;
  readonly #list: HTMLOListElement;
  readonly #beginning = h("div", { class: "beginning" });
  readonly #newest: HTMLButtonElement;
  readonly #views = new Map<string, MessageView>();
  readonly #whispers = new Map<string, HTMLElement>();
  readonly #days = new Map<string, HTMLElement>();
  readonly #stop: (() => void)[] = [];
  #isAtEnd = true;
  #scrolledTo = 0;
  #isLoading = false;
  #current: HTMLElement | undefined;

  constructor(
    page: PageContext,
    place: { readonly channel: string; readonly root: string | null; readonly label: string },
  ) {
    this.#page = page;
    this.#channel = place.channel;
    this.#root = place.root;
    this.#list = h("ol", {
      class: "messages",
      role: "log",
      "aria-live": "off",
      "aria-label": place.label,
    });
    this.#scroller = h("div", { class: "scroller" }, this.#beginning, this.#list);
    this.#newest = h(
      "button",
      { type: "button", class: "to-newest", hidden: true, onclick: () => this.scrollToEnd(true) },
      icon("down"),
      "Newest",
    );
    this.element.append(this.#scroller, this.#newest);
    this.#scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    this.#list.addEventListener("focusin", (event) => {
      const item = (event.target as HTMLElement).closest<HTMLElement>(".messages > li");
      if (item) this.#setCurrent(item);
    });
    this.#stop.push(page.store.listen((change) => this.#onChange(change)));
    // What grows (a streaming text, an image that arrives) keeps the end in view.
    const observer = new ResizeObserver(() => {
      if (this.#isAtEnd) this.scrollToEnd();
    });
    observer.observe(this.#list);
    observer.observe(this.#scroller);
    this.#stop.push(() => observer.disconnect());
  }

  /** Shows what is there, and loads the newest page if nothing is. */
  async open(): Promise<void> {
    const { store } = this.#page;
    const timeline = store.timeline(this.#channel, this.#root);
    this.#draw();
    if (timeline.isLoaded) return;
    await attempt(this.#page, () => store.load(this.#channel, this.#root));
  }

  close(): void {
    for (const stop of this.#stop) stop();
    this.element.remove();
  }

  scrollToEnd(isSmooth = false): void {
    this.#scroller.scrollTo({
      top: this.#scroller.scrollHeight,
      behavior: isSmooth ? "smooth" : "instant",
    });
  }

  #onChange(change: Change): void {
    switch (change.type) {
      case "message":
        this.#views.get(change.message.id)?.show(change.message);
        return;
      case "list":
        if (change.key === timelineKey(this.#channel, this.#root)) this.#draw();
        return;
      case "reset":
        this.#draw();
        return;
      case "queue":
        for (const view of this.#views.values()) view.showMarks();
        return;
      case "channels":
      case "people":
        return;
    }
  }

  #draw(): void {
    const { store } = this.#page;
    const timeline = store.timeline(this.#channel, this.#root);
    const root = this.#root === null ? undefined : store.message(this.#root);
    const messages = [...(root ? [root] : []), ...store.messagesOf(timeline)];
    const isAtEnd = this.#isAtEnd;
    const items: HTMLElement[] = [];
    let before: ChatMessage | undefined;
    for (const message of messages) {
      const day = dayOf(message.sentAtMs);
      const isNewDay = !before || dayOf(before.sentAtMs) !== day;
      if (isNewDay) items.push(this.#dayLine(day));
      const view = this.#viewOf(message);
      view.setCompact(!isNewDay && before !== undefined && isSameBreath(before, message));
      items.push(view.element);
      if (message === root && messages.length > 1) items.push(this.#replyLine(messages.length - 1));
      before = message;
    }
    for (const whisper of timeline.whispers) this.#insertWhisper(items, messages, whisper);
    this.#forgetGone(new Set(messages.map(({ id }) => id)));
    setChildren(this.#list, items);
    setChildren(this.#beginning, this.#beginningOf(timeline.hasOlder, timeline.isLoaded, messages));
    const last = items.at(-1);
    if (last && !this.#current?.isConnected) this.#setCurrent(last);
    if (isAtEnd) this.scrollToEnd();
  }

  #viewOf(message: ChatMessage): MessageView {
    const known = this.#views.get(message.id);
    if (known) {
      if (known.message !== message) known.show(message);
      return known;
    }
    const view = new MessageView(this.#page, message, message.id === this.#root);
    this.#views.set(message.id, view);
    return view;
  }

  #forgetGone(ids: ReadonlySet<string>): void {
    for (const id of this.#views.keys()) if (!ids.has(id)) this.#views.delete(id);
  }

  #dayLine(day: string): HTMLElement {
    const known = this.#days.get(day);
    if (known) return known;
    const line = h("li", { class: "day", role: "separator" }, h("span", {}, day));
    this.#days.set(day, line);
    return line;
  }

  #replyLine(count: number): HTMLElement {
    const words = count === 1 ? "1 reply" : `${count} replies`;
    const line =
      this.#days.get("replies") ??
      h("li", { class: "day is-replies", role: "separator" }, h("span"));
    this.#days.set("replies", line);
    const span = line.firstElementChild;
    if (span && span.textContent !== words) span.textContent = words;
    return line;
  }

  #insertWhisper(items: HTMLElement[], messages: readonly ChatMessage[], whisper: Whisper): void {
    const element = this.#whispers.get(whisper.id) ?? this.#whisperCard(whisper);
    this.#whispers.set(whisper.id, element);
    const next = messages.find(({ order, id }) => order > whisper.order && id !== this.#root);
    const place = next ? items.indexOf(this.#viewOf(next).element) : -1;
    if (place === -1) items.push(element);
    else items.splice(place, 0, element);
  }

  #whisperCard(whisper: Whisper): HTMLElement {
    const { store, api } = this.#page;
    const timeline = store.timeline(this.#channel, this.#root);
    const text = new MarkdownView({
      sourceCount: 0,
      names: [],
      keepsLineBreaks: true,
      onSource: () => {},
    });
    text.show(whisper.words.text, false);
    const choices = (whisper.words.choices ?? []).map((choice) => {
      const button = h("button", { type: "button", class: "chip" }, choice.label);
      button.addEventListener("click", async () => {
        button.disabled = true;
        const command = choice.command.replace(/^\/(assistant\s+)?/, "");
        const words = await attempt(this.#page, () =>
          api.command(this.#channel, this.#root, command),
        );
        if (words) store.whisper(this.#channel, this.#root, `/${command}`, words);
      });
      return button;
    });
    return h(
      "li",
      {
        class: `whisper${whisper.words.ok ? "" : " is-problem"}`,
        tabindex: "-1",
        "aria-label": "Only visible to you",
      },
      h(
        "header",
        {},
        icon("lock"),
        h("span", {}, "Only visible to you"),
        whisper.about ? h("code", {}, whisper.about) : null,
        iconButton("close", "Dismiss", () => store.dismiss(timeline, whisper.id)),
      ),
      text.element,
      choices.length > 0 ? h("div", { class: "controls" }, ...choices) : null,
    );
  }

  #beginningOf(
    hasOlder: boolean,
    isLoaded: boolean,
    messages: readonly ChatMessage[],
  ): readonly Node[] {
    if (!isLoaded)
      return [
        h("p", { class: "loading", role: "status" }, h("span", { class: "spinner" }), "Loading …"),
      ];
    if (hasOlder) {
      return [
        h(
          "button",
          { type: "button", class: "chip is-quiet older", onclick: () => this.#loadOlder() },
          "Show earlier messages",
        ),
      ];
    }
    if (this.#root !== null) return [];
    return [this.#welcome(messages.length === 0)];
  }

  #welcome(isEmpty: boolean): HTMLElement {
    const { store } = this.#page;
    const { botName } = store.state;
    const channel = store.channel(this.#channel);
    if (channel?.isDirect) {
      return h(
        "div",
        { class: "welcome" },
        h("img", { src: "/console/page/icon.svg", alt: "" }),
        h("h2", {}, `You and ${botName}`),
        h("p", {}, `Here ${botName} answers everything you write. Nobody else reads along.`),
        isEmpty ? this.#suggestions("") : null,
      );
    }
    return h(
      "div",
      { class: "welcome" },
      h("span", { class: "welcome-hash", "aria-hidden": "true" }, "#"),
      h("h2", {}, channel?.name ?? this.#channel),
      h(
        "p",
        {},
        `This is where #${channel?.name ?? this.#channel} begins. Mention `,
        h("span", { class: "mention" }, `@${botName}`),
        " and it answers in a thread on your message.",
      ),
      isEmpty ? this.#suggestions(`@${botName} `) : null,
    );
  }

  #suggestions(lead: string): HTMLElement {
    const ideas = ["help", "what is 15% of 80?", "chart Mon=3, Tue=5, Wed=2"];
    return h(
      "div",
      { class: "suggestions" },
      ...ideas.map((idea) =>
        h(
          "button",
          {
            type: "button",
            class: "chip",
            onclick: () =>
              this.element.dispatchEvent(
                new CustomEvent("suggest", { detail: lead + idea, bubbles: true }),
              ),
          },
          idea,
        ),
      ),
    );
  }

  async #loadOlder(): Promise<void> {
    if (this.#isLoading) return;
    this.#isLoading = true;
    const { scrollHeight, scrollTop } = this.#scroller;
    await attempt(this.#page, () => this.#page.store.load(this.#channel, this.#root, true));
    // What was in view stays in view.
    this.#scroller.scrollTop = this.#scroller.scrollHeight - scrollHeight + scrollTop;
    this.#isLoading = false;
  }

  #onScroll(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const isNearEnd = scrollHeight - scrollTop - clientHeight < nearEndPx;
    // Only going up leaves the end: text that grows faster than it scrolls does not.
    if (isNearEnd) this.#isAtEnd = true;
    else if (scrollTop < this.#scrolledTo) this.#isAtEnd = false;
    this.#scrolledTo = scrollTop;
    setHidden(this.#newest, this.#isAtEnd);
    const timeline = this.#page.store.timeline(this.#channel, this.#root);
    if (scrollTop < 200 && timeline.hasOlder && timeline.isLoaded) this.#loadOlder();
  }

  /** One stop for the Tab key; arrows go from message to message. */
  #setCurrent(item: HTMLElement): void {
    if (this.#current === item) return;
    if (this.#current) this.#current.tabIndex = -1;
    item.tabIndex = 0;
    this.#current = item;
  }

  #onKey(event: KeyboardEvent): void {
    const item = event.target as HTMLElement;
    if (item.parentElement !== this.#list) return;
    const items = [...this.#list.querySelectorAll<HTMLElement>(":scope > li[tabindex]")];
    const index = items.indexOf(item);
    const to = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: items.length - 1 }[
      event.key
    ];
    const target = to === undefined ? undefined : items[to];
    if (!target) return;
    event.preventDefault();
    this.#setCurrent(target);
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  }
}

function isSameBreath(before: ChatMessage, message: ChatMessage): boolean {
  return (
    before.author.key === message.author.key &&
    message.author.kind === "person" &&
    before.id !== message.root &&
    message.sentAtMs - before.sentAtMs < sameBreathMs
  );
}
