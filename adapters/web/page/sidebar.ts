import type { ChatChannel, ThreadListing } from "../wire.ts";
import { attempt, type PageContext, timeOf } from "./context.ts";
import { asked } from "./dialogs.ts";
import { h, icon, iconButton, setChildren } from "./dom.ts";
import { avatar } from "./message-view.ts";

export type Theme = "auto" | "light" | "dark";

/** What the sidebar can ask the page to do. */
export interface SidebarActions {
  readonly go: (channel: string) => void;
  readonly goThreads: () => void;
  readonly changeName: () => void;
  readonly logout: (() => void) | undefined;
}

/** Channels, threads, direct message, and who one is. */
export class Sidebar {
  readonly element: HTMLElement;
  readonly #page: PageContext;
  readonly #actions: SidebarActions;
  readonly #channels = h("ul");
  readonly #direct = h("ul");
  readonly #threads: HTMLButtonElement;
  readonly #theme: HTMLButtonElement;
  readonly #unread = new Set<string>();
  #current = "";

  constructor(page: PageContext, actions: SidebarActions) {
    this.#page = page;
    this.#actions = actions;
    const { person, botName } = page.store.state;
    this.#threads = h(
      "button",
      { type: "button", class: "nav", onclick: () => actions.goThreads() },
      icon("thread"),
      h("span", {}, "Threads"),
    );
    this.#theme = iconButton("auto", "Theme", () => this.#nextTheme());
    this.element = h(
      "nav",
      { class: "sidebar", "aria-label": "Channels" },
      h(
        "div",
        { class: "brand" },
        h("img", { src: "/console/page/icon.svg", alt: "" }),
        h("span", {}, botName),
      ),
      h(
        "div",
        { class: "sidebar-scroll" },
        this.#threads,
        h(
          "div",
          { class: "nav-head" },
          h("h2", {}, "Channels"),
          iconButton("plus", "New channel", () => this.#createChannel()),
        ),
        this.#channels,
        h("div", { class: "nav-head" }, h("h2", {}, "Direct message")),
        this.#direct,
      ),
      h(
        "div",
        { class: "me" },
        h(
          "button",
          {
            type: "button",
            class: "me-name",
            onclick: actions.changeName,
            title: "Speak under another name",
          },
          avatar({ kind: "person", ...person }),
          h("span", {}, h("small", {}, "Speaking as"), person.name),
        ),
        this.#theme,
        actions.logout ? iconButton("lock", "Log out", actions.logout) : null,
      ),
    );
    this.#showTheme();
    this.draw();
    page.store.listen((change) => {
      if (change.type === "channels" || change.type === "reset") this.draw();
      if (change.type === "message" && change.isNew) this.#mark(change.message.channel);
    });
  }

  /** Says where the person is. */
  setCurrent(channel: string): void {
    this.#current = channel;
    this.#unread.delete(channel);
    this.draw();
  }

  draw(): void {
    const { channels } = this.#page.store.state;
    const line = (channel: ChatChannel) => {
      const isCurrent = channel.id === this.#current;
      const isUnread = this.#unread.has(channel.id);
      return h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            class: `nav${isUnread ? " is-unread" : ""}`,
            "aria-current": isCurrent ? "page" : undefined,
            onclick: () => this.#actions.go(channel.id),
          },
          channel.isDirect
            ? h("img", { src: "/console/page/icon.svg", alt: "", class: "nav-icon" })
            : h("span", { class: "hash", "aria-hidden": "true" }, "#"),
          h("span", {}, channel.name),
          isUnread
            ? h("span", { class: "dot" }, h("span", { class: "visually-hidden" }, "unread"))
            : null,
        ),
      );
    };
    setChildren(this.#channels, channels.filter(({ isDirect }) => !isDirect).map(line));
    setChildren(this.#direct, channels.filter(({ isDirect }) => isDirect).map(line));
    if (this.#current === "") this.#threads.setAttribute("aria-current", "page");
    else this.#threads.removeAttribute("aria-current");
  }

  #mark(channel: string): void {
    if (channel === this.#current || this.#unread.has(channel)) return;
    this.#unread.add(channel);
    this.draw();
  }

  async #createChannel(): Promise<void> {
    const name = await asked({
      title: "New channel",
      text: "A place for a subject. Everybody who uses this console can read it.",
      label: "Name",
      value: "",
      action: "Create",
    });
    if (name === undefined) return;
    const channel = await attempt(this.#page, () => this.#page.api.createChannel(name));
    if (!channel) return;
    this.#page.store.addChannel(channel);
    this.#actions.go(channel.id);
  }

  #nextTheme(): void {
    const next = { auto: "light", light: "dark", dark: "auto" } as const;
    const theme = next[currentTheme()];
    localStorage.setItem("bobbin theme", theme);
    applyTheme();
    this.#showTheme();
  }

  #showTheme(): void {
    const theme = currentTheme();
    const words = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" }[
      theme
    ];
    const icons = { auto: "auto", light: "sun", dark: "moon" } as const;
    this.#theme.replaceChildren(icon(icons[theme]));
    this.#theme.title = words;
    this.#theme.setAttribute("aria-label", words);
  }
}

/** The theme the person chose. */
function currentTheme(): Theme {
  const theme = localStorage.getItem("bobbin theme");
  return theme === "light" || theme === "dark" ? theme : "auto";
}

export function applyTheme(): void {
  const theme = currentTheme();
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** All threads, the one with the newest reply first. */
export function threadList(page: PageContext, threads: readonly ThreadListing[]): HTMLElement {
  if (threads.length === 0) {
    return h(
      "div",
      { class: "welcome is-centered" },
      icon("thread"),
      h("h2", {}, "No threads yet"),
      h("p", {}, `Mention @${page.store.state.botName} in a channel: the answer begins one.`),
    );
  }
  return h(
    "ul",
    { class: "thread-list" },
    ...threads.map(({ channel, root }) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", onclick: () => page.openThread(channel.id, root.id) },
          avatar(root.author),
          h(
            "span",
            { class: "thread-words" },
            h(
              "span",
              { class: "thread-head" },
              h("strong", {}, root.author.name),
              h("span", {}, `#${channel.name}`),
              root.thread ? h("time", {}, timeOf(root.thread.lastAtMs)) : null,
            ),
            h(
              "span",
              { class: "thread-text" },
              root.isDeleted ? "Deleted message" : root.text || "Files",
            ),
            root.thread
              ? h(
                  "span",
                  { class: "thread-count" },
                  root.thread.replies === 1 ? "1 reply" : `${root.thread.replies} replies`,
                )
              : null,
          ),
          icon("chevron"),
        ),
      ),
    ),
  );
}
