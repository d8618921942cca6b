import type { ChatMessage, ConsoleState, PostAnswer } from "../wire.ts";
import { Api } from "./api.ts";
import { Composer } from "./composer.ts";
import { attempt, type PageContext } from "./context.ts";
import { asked } from "./dialogs.ts";
import { announce, h, icon, iconButton, setChildren, setHidden } from "./dom.ts";
import { Outbox } from "./outbox.ts";
import { openSettings } from "./settings-view.ts";
import { Sidebar, threadList } from "./sidebar.ts";
import { type Change, Store } from "./store.ts";
import { TimelineView } from "./timeline-view.ts";

const announcedCharacters = 300;

interface Pane {
  readonly element: HTMLElement;
  readonly timeline: TimelineView;
  readonly composer: Composer;
  readonly channel: string;
  readonly root: string | null;
}

/** The console once somebody is in: channels at the side, talk in the middle, a thread beside it. */
export class App implements PageContext {
  readonly element = h("div", { class: "app" });
  readonly api: Api;
  readonly store: Store;
  readonly outbox: Outbox;
  readonly #sidebar: Sidebar;
  readonly #main = h("main", { class: "main" });
  readonly #side = h("aside", { class: "side", "aria-label": "Thread", hidden: true });
  readonly #toasts = h("div", { class: "toasts", role: "status" });
  readonly #offline = h("div", { class: "offline", role: "status", hidden: true });
  readonly #announced = new Map<string, string>();
  #channelPane: Pane | undefined;
  #threadPane: Pane | undefined;
  #route = "";

  constructor(api: Api, state: ConsoleState) {
    this.api = api;
    this.store = new Store(api, state);
    this.outbox = new Outbox(this);
    this.#sidebar = new Sidebar(this, {
      go: (channel) => this.#go(channel, null),
      goThreads: () => this.#go("", null),
      changeName: () => this.#changeName(),
      logout: state.needsPassword ? () => this.#logout() : undefined,
    });
    const scrim = h("div", { class: "scrim", onclick: () => this.#showSidebar(false) });
    this.#offline.append(h("span", { class: "spinner" }), "Connecting again …");
    this.element.append(
      h(
        "a",
        { class: "skip", href: "#", onclick: (event: Event) => this.#skip(event) },
        "Skip to the message box",
      ),
      this.#sidebar.element,
      scrim,
      this.#main,
      this.#side,
      this.#offline,
      this.#toasts,
    );
    this.store.listen((change) => this.#announce(change));
    this.element.addEventListener("suggest", (event) => {
      const { detail } = event as CustomEvent<string>;
      this.#channelPane?.composer.fill(detail);
    });
    this.element.addEventListener("keydown", (event) => {
      const isWriting = event.target instanceof HTMLTextAreaElement && event.target.value !== "";
      if (event.key === "Escape" && this.#threadPane && !isWriting) this.#closeThread();
    });
    this.#acceptDrops();
    window.addEventListener("hashchange", () => this.#open());
    api.listen(
      (event) => this.store.apply(event),
      (isOpen) => setHidden(this.#offline, isOpen),
    );
    // A stream whose network is gone says nothing for a long time.
    window.addEventListener("offline", () => setHidden(this.#offline, false));
    this.#open();
  }

  openThread(channel: string, root: string): void {
    this.#go(channel, root);
  }

  startEdit(message: ChatMessage): void {
    const pane = [this.#threadPane, this.#channelPane].find(
      (one) => one?.channel === message.channel && one.root === message.root,
    );
    const thread = this.#threadPane?.root === message.id ? this.#threadPane : undefined;
    (pane ?? thread)?.composer.edit(message);
  }

  toast(words: string, isProblem = false): void {
    const toast = h(
      "p",
      { class: `toast${isProblem ? " is-problem" : ""}` },
      icon(isProblem ? "warning" : "check"),
      words,
    );
    this.#toasts.append(toast);
    setTimeout(() => toast.remove(), isProblem ? 8000 : 4000);
  }

  #go(channel: string, root: string | null): void {
    const path = [channel || "threads", root ?? ""].filter(Boolean).map(encodeURIComponent);
    location.hash = `#/${channel === "" ? "threads" : `c/${path.join("/")}`}`;
    this.#showSidebar(false);
  }

  #open(): void {
    if (this.#route === location.hash && this.#route !== "") return;
    this.#route = location.hash;
    const [kind, channel = "", root] = location.hash
      .replace(/^#\/?/, "")
      .split("/")
      .map(decodeURIComponent);
    if (kind === "threads") {
      this.#openThreads();
      return;
    }
    const known = this.store.channel(channel);
    const shown =
      kind === "c" && known ? known.id : (this.store.state.channels[0]?.id ?? "general");
    this.#openChannel(shown);
    if (root && known) this.#openThread(known.id, root);
    else this.#closeThread(false);
  }

  async #openThreads(): Promise<void> {
    this.#leaveChannel();
    this.#closeThread(false);
    this.#sidebar.setCurrent("");
    document.title = "Threads · Bobbin";
    const body = h(
      "div",
      { class: "scroller" },
      h("p", { class: "loading" }, h("span", { class: "spinner" }), "Loading …"),
    );
    this.#main.replaceChildren(
      h("header", { class: "head" }, this.#menuButton(), h("h1", {}, "Threads")),
      body,
    );
    const threads = await attempt(this, () => this.api.threads());
    if (threads) body.replaceChildren(threadList(this, threads));
  }

  #openChannel(id: string): void {
    this.#sidebar.setCurrent(id);
    if (this.#channelPane?.channel === id) return;
    this.#leaveChannel();
    const channel = this.store.channel(id);
    const { botName } = this.store.state;
    const isDirect = channel?.isDirect ?? false;
    const name = isDirect ? botName : `#${channel?.name ?? id}`;
    document.title = `${name} · Bobbin`;
    const pane = this.#createPane({
      channel: id,
      root: null,
      label: `Messages in ${name}`,
      placeholder: `Message ${name}`,
    });
    this.#channelPane = pane;
    this.#main.replaceChildren(
      h(
        "header",
        { class: "head" },
        this.#menuButton(),
        isDirect
          ? h("img", { class: "head-icon", src: "/console/page/icon.svg", alt: "" })
          : h("span", { class: "hash", "aria-hidden": "true" }, "#"),
        h("h1", {}, channel?.name ?? id),
        iconButton("settings", "Settings", () => openSettings(this, id, null)),
      ),
      pane.element,
    );
    if (matchMedia("(hover: hover)").matches) pane.composer.focus();
  }

  #openThread(channel: string, root: string): void {
    if (this.#threadPane?.root === root) return;
    this.#threadPane?.timeline.close();
    const name = this.store.channel(channel)?.name ?? channel;
    const pane = this.#createPane({
      channel,
      root,
      label: `Thread in #${name}`,
      placeholder: "Reply in the thread",
    });
    this.#threadPane = pane;
    setChildren(this.#side, [
      h(
        "header",
        { class: "head" },
        iconButton("back", "Back to the channel", () => this.#closeThread(), {
          class: "icon-button is-back",
        }),
        h("h1", {}, "Thread", h("small", {}, `#${name}`)),
        iconButton("settings", "Settings", () => openSettings(this, channel, root)),
        iconButton("close", "Close thread", () => this.#closeThread(), {
          class: "icon-button is-close",
        }),
      ),
      pane.element,
    ]);
    setHidden(this.#side, false);
    this.element.classList.add("has-thread");
    if (matchMedia("(hover: hover)").matches) pane.composer.focus();
  }

  #createPane(place: {
    readonly channel: string;
    readonly root: string | null;
    readonly label: string;
    readonly placeholder: string;
  }): Pane {
    const { channel, root } = place;
    const timeline = new TimelineView(this, place);
    const composer = new Composer(this, {
      ...place,
      onPosted: (answer) => {
        timeline.scrollToEnd();
        this.#followUp(answer);
      },
    });
    timeline.open();
    const element = h("div", { class: "pane" }, timeline.element, composer.element);
    return { element, timeline, composer, channel, root };
  }

  /** A question in a channel is answered in its thread: that is where to look. */
  #followUp(answer: PostAnswer): void {
    const { message } = answer;
    if (!message?.isForBot || message.root !== null || message.channel.startsWith("@")) return;
    if (message.refused !== undefined) return;
    this.#go(message.channel, message.id);
  }

  #closeThread(goesBack = true): void {
    const pane = this.#threadPane;
    this.#threadPane = undefined;
    pane?.timeline.close();
    setHidden(this.#side, true);
    this.#side.replaceChildren();
    this.element.classList.remove("has-thread");
    if (!goesBack || !pane) return;
    if (this.#channelPane) this.#go(this.#channelPane.channel, null);
    else this.#go("", null);
    this.#channelPane?.composer.focus();
  }

  #leaveChannel(): void {
    this.#channelPane?.timeline.close();
    this.#channelPane = undefined;
  }

  #menuButton(): HTMLElement {
    return iconButton("menu", "Channels", () => this.#showSidebar(true), {
      class: "icon-button is-menu",
    });
  }

  #showSidebar(isShown: boolean): void {
    this.element.classList.toggle("shows-sidebar", isShown);
    if (isShown) this.#sidebar.element.querySelector<HTMLElement>("[aria-current], .nav")?.focus();
  }

  #skip(event: Event): void {
    event.preventDefault();
    (this.#threadPane ?? this.#channelPane)?.composer.focus();
  }

  async #changeName(): Promise<void> {
    const name = await asked({
      title: "Speak under another name",
      text: "This window speaks under the name; other windows keep theirs. So one person can try what a thread of several people is like.",
      label: "Name",
      value: this.store.state.person.name,
      action: "Speak",
    });
    if (name === undefined) return;
    sessionStorage.setItem("bobbin name", name);
    localStorage.setItem("bobbin name", name);
    const url = new URL(location.href);
    url.searchParams.delete("as");
    url.hash = "";
    location.href = url.href;
    location.reload();
  }

  async #logout(): Promise<void> {
    await attempt(this, () => Api.logout());
    location.reload();
  }

  #acceptDrops(): void {
    let depth = 0;
    const paneAt = (event: DragEvent) => {
      const inThread = this.#side.contains(event.target as Node);
      return inThread ? this.#threadPane : this.#channelPane;
    };
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    this.element.addEventListener("dragenter", (event) => {
      if (!hasFiles(event)) return;
      depth += 1;
      this.element.classList.add("is-dropping");
    });
    this.element.addEventListener("dragleave", () => {
      depth = Math.max(0, depth - 1);
      if (depth === 0) this.element.classList.remove("is-dropping");
    });
    this.element.addEventListener("dragover", (event) => {
      if (hasFiles(event)) event.preventDefault();
    });
    this.element.addEventListener("drop", (event) => {
      depth = 0;
      this.element.classList.remove("is-dropping");
      if (!hasFiles(event)) return;
      event.preventDefault();
      paneAt(event)?.composer.addFiles([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** For those who listen: what others wrote at once, the bot's answers when they are complete. */
  #announce(change: Change): void {
    if (change.type !== "message") return;
    const { message, isNew } = change;
    const isOpen = [this.#channelPane, this.#threadPane].some(
      (pane) => pane?.channel === message.channel && pane.root === message.root,
    );
    if (!isOpen) return;
    const { author, reply, text } = message;
    if (reply) {
      const was = this.#announced.get(message.id);
      if (was === reply.status) return;
      this.#announced.set(message.id, reply.status);
      if (reply.status === "working") {
        if (isNew) announce(`${author.name} is answering.`);
      } else if (reply.status === "waiting") {
        announce(`${author.name} needs a decision: ${reply.requests[0]?.title ?? ""}`);
      } else if (was !== undefined) {
        announce(`${author.name} answered: ${text.slice(0, announcedCharacters)}`);
      }
      return;
    }
    if (isNew && author.key !== this.store.state.person.key) announce(`${author.name}: ${text}`);
  }
}
