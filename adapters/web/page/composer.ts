import type { ChatFile, ChatMessage, PostAnswer } from "../wire.ts";
import { newNonce } from "./api.ts";
import { type PageContext, sizeOf } from "./context.ts";
import { h, icon, iconButton, setChildren, setHidden } from "./dom.ts";
import { draftOf, joined, keepDraft, type Sender, type Unsent } from "./outbox.ts";

interface Upload {
  readonly element: HTMLElement;
  readonly controller: AbortController;
  file?: ChatFile;
  isFailed?: boolean;
}

interface Completion {
  readonly value: string;
  readonly label: string;
  readonly about: string;
}

/** Where a message is written: text, files, completion, and one's own message being changed. */
export class Composer implements Sender {
  readonly element: HTMLElement;
  readonly #page: PageContext;
  readonly #channel: string;
  readonly #root: string | null;
  readonly #onPosted: (answer: PostAnswer) => void;
  readonly #input: HTMLTextAreaElement;
  readonly #send: HTMLButtonElement;
  readonly #picker: HTMLInputElement;
  readonly #unsent = h("ul", { class: "unsent", "aria-label": "Being sent", hidden: true });
  readonly #uploadList = h("div", { class: "uploads" });
  readonly #editing = h("div", { class: "editing", hidden: true });
  readonly #options: HTMLUListElement;
  readonly #uploads = new Set<Upload>();
  /** Files on their way, by the nonce of what they are sent with. */
  readonly #sentUploads = new Map<string, readonly Upload[]>();
  #completions: readonly Completion[] = [];
  #chosen = 0;
  #completing = 0;
  #edited: ChatMessage | undefined;

  constructor(
    page: PageContext,
    place: {
      readonly channel: string;
      readonly root: string | null;
      readonly placeholder: string;
      readonly onPosted: (answer: PostAnswer) => void;
    },
  ) {
    this.#page = page;
    this.#channel = place.channel;
    this.#root = place.root;
    this.#onPosted = place.onPosted;
    const listId = `completions-${place.root ?? place.channel}`;
    this.#options = h("ul", {
      class: "completions",
      id: listId,
      role: "listbox",
      "aria-label": "Suggestions",
      hidden: true,
    });
    this.#input = h("textarea", {
      rows: 1,
      placeholder: place.placeholder,
      "aria-label": place.placeholder,
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": listId,
      enterkeyhint: "send",
    });
    this.#picker = h("input", {
      type: "file",
      multiple: true,
      hidden: true,
      "aria-label": "Choose files",
    });
    this.#send = h(
      "button",
      { type: "submit", class: "send", "aria-label": "Send", title: "Send (Enter)" },
      icon("send"),
    );
    const form = h(
      "form",
      { class: "composer-box" },
      this.#editing,
      this.#uploadList,
      h(
        "div",
        { class: "composer-row" },
        iconButton("attach", "Attach files", () => this.#picker.click()),
        this.#input,
        this.#send,
      ),
      this.#picker,
    );
    this.element = h(
      "div",
      { class: "composer" },
      this.#options,
      this.#unsent,
      form,
      h("p", { class: "composer-hint" }, ...hintFor()),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#picker.addEventListener("change", () => {
      this.addFiles([...(this.#picker.files ?? [])]);
      this.#picker.value = "";
    });
    this.#input.addEventListener("input", () => {
      this.#fit();
      this.#complete();
      this.#showSend();
      this.#keepDraft();
    });
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    this.#input.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.addFiles(files);
    });
    this.#input.addEventListener("blur", () => {
      // After the click on a suggestion, if that is where the focus goes.
      setTimeout(() => this.#closeCompletions(), 150);
    });
    this.#input.value = draftOf(this.#place());
    this.#fit();
    this.#showSend();
    page.outbox.attach(place.channel, place.root, this);
  }

  focus(): void {
    this.#input.focus();
  }

  /** Puts text in, ready to be sent. */
  fill(text: string): void {
    this.#input.value = text;
    this.#fit();
    this.#showSend();
    this.#input.focus();
    this.#input.setSelectionRange(text.length, text.length);
  }

  edit(message: ChatMessage): void {
    this.#edited = message;
    this.#editing.replaceChildren(
      icon("edit"),
      h("span", {}, "Changing your message"),
      iconButton("close", "Leave it as it was", () => this.#stopEditing()),
    );
    setHidden(this.#editing, false);
    this.fill(message.text);
  }

  addFiles(files: readonly File[]): void {
    const { maxFileBytes, maxFilesPerMessage } = this.#page.store.state;
    for (const file of files) {
      if (this.#uploads.size >= maxFilesPerMessage) {
        this.#page.toast(`A message takes up to ${maxFilesPerMessage} files.`, true);
        return;
      }
      if (file.size > maxFileBytes) {
        const words = `${file.name} is ${sizeOf(file.size)}; files up to ${sizeOf(maxFileBytes)} can be attached.`;
        this.#page.toast(words, true);
        continue;
      }
      this.#upload(file);
    }
  }

  async #upload(file: File): Promise<void> {
    const controller = new AbortController();
    const bar = h("progress", { max: 1, value: 0, "aria-label": `Uploading ${file.name}` });
    const about = h("span", { class: "file-about" }, sizeOf(file.size));
    const upload: Upload = {
      controller,
      element: h(
        "div",
        { class: "upload" },
        icon(file.type.startsWith("image/") ? "image" : "file"),
        h("span", { class: "file-words" }, h("span", { class: "file-name" }, file.name), about),
        bar,
        iconButton("close", `Remove ${file.name}`, () => this.#dropUpload(upload)),
      ),
    };
    this.#uploads.add(upload);
    this.#uploadList.append(upload.element);
    this.#showSend();
    try {
      const { api } = this.#page;
      const answer = await api.upload(file, (done) => (bar.value = done), controller.signal);
      upload.file = answer.file;
      bar.remove();
    } catch (error) {
      if (controller.signal.aborted) return;
      upload.isFailed = true;
      upload.element.classList.add("is-problem");
      about.textContent = error instanceof Error ? error.message : "That did not work.";
      bar.remove();
    }
    this.#showSend();
  }

  #dropUpload(upload: Upload): void {
    upload.controller.abort();
    this.#uploads.delete(upload);
    upload.element.remove();
    this.#showSend();
    this.#input.focus();
  }

  /** Takes what is written. */
  #submit(): void {
    const text = this.#input.value.trim();
    const uploads = [...this.#uploads].filter(({ isFailed }) => !isFailed);
    if (uploads.some(({ file }) => !file) || (text === "" && uploads.length === 0)) return;
    const edited = this.#edited;
    this.#closeCompletions();
    for (const upload of this.#uploads) upload.element.remove();
    this.#uploads.clear();
    this.#edited = undefined;
    setHidden(this.#editing, true);
    this.fill("");
    keepDraft(this.#place(), "");
    const nonce = newNonce();
    this.#sentUploads.set(nonce, uploads);
    this.#page.outbox.send({
      nonce,
      ...this.#place(),
      text,
      fileIds: uploads.flatMap(({ file }) => (file ? [file.id] : [])),
      ...(edited ? { changes: edited.id } : {}),
    });
  }

  showUnsent(unsent: readonly Unsent[]): void {
    setChildren(
      this.#unsent,
      unsent.map(({ text }) =>
        h("li", {}, h("span", { class: "spinner" }), h("b", {}, "Sending …"), h("q", {}, text)),
      ),
    );
    setHidden(this.#unsent, unsent.length === 0);
  }

  arrived({ nonce }: Unsent, answer: PostAnswer): void {
    this.#sentUploads.delete(nonce);
    if (answer.words?.file) handOver(answer.words.file);
    if (this.element.isConnected) this.#onPosted(answer);
  }

  giveBack({ nonce, text, changes }: Unsent): boolean {
    if (!this.element.isConnected) return false;
    const written = this.#input.value;
    const edited = changes === undefined ? undefined : this.#page.store.message(changes);
    if (edited) this.edit(edited);
    this.fill(joined(text, written));
    this.#keepDraft();
    for (const upload of this.#sentUploads.get(nonce) ?? []) {
      this.#uploads.add(upload);
      this.#uploadList.append(upload.element);
    }
    this.#sentUploads.delete(nonce);
    this.#showSend();
    return true;
  }

  #stopEditing(): void {
    this.#edited = undefined;
    setHidden(this.#editing, true);
    this.fill("");
  }

  #onKey(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (!this.#options.hidden && this.#onCompletionKey(event)) {
      event.preventDefault();
      return;
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && this.#edited) {
      event.stopPropagation();
      this.#stopEditing();
    } else if (event.key === "ArrowUp" && this.#input.value === "") {
      this.#editLast(event);
    }
  }

  #editLast(event: KeyboardEvent): void {
    const { store } = this.#page;
    const { key } = store.state.person;
    const last = store
      .messagesOf(store.timeline(this.#channel, this.#root))
      .findLast(({ author, isDeleted }) => author.key === key && !isDeleted);
    if (!last) return;
    event.preventDefault();
    this.edit(last);
  }

  /** True when the key was for the suggestions. */
  #onCompletionKey(event: KeyboardEvent): boolean {
    switch (event.key) {
      case "ArrowDown":
        this.#choose(this.#chosen + 1);
        return true;
      case "ArrowUp":
        this.#choose(this.#chosen - 1);
        return true;
      case "Tab":
        this.#accept();
        return true;
      case "Enter":
        // A command typed out is sent, not completed to itself.
        if (this.#isTypedOut()) return false;
        this.#accept();
        return true;
      case "Escape":
        event.stopPropagation();
        this.#closeCompletions();
        return true;
      default:
        return false;
    }
  }

  #isTypedOut(): boolean {
    const chosen = this.#completions[this.#chosen];
    return chosen === undefined || this.#input.value.trim() === chosen.value.trim();
  }

  async #complete(): Promise<void> {
    this.#completing += 1;
    const asked = this.#completing;
    const { value, selectionStart } = this.#input;
    const before = value.slice(0, selectionStart);
    const found = await this.#completionsFor(before, value);
    if (asked !== this.#completing) return;
    this.#completions = found;
    if (found.length === 0) this.#closeCompletions();
    else this.#showCompletions();
  }

  async #completionsFor(before: string, value: string): Promise<readonly Completion[]> {
    const { state } = this.#page.store;
    const mention = /(?:^|[\s(])@([\p{L}\p{N}_ -]{0,30})$/u.exec(before);
    if (mention) {
      const typed = (mention[1] ?? "").toLowerCase();
      const lead = value.slice(0, before.length - typed.length);
      const rest = value.slice(before.length);
      const names = [
        { name: state.botName, about: "answers in a thread" },
        ...state.people.map(({ name }) => ({ name, about: "" })),
      ];
      return names
        .filter(({ name }) => name.toLowerCase().startsWith(typed))
        .slice(0, 8)
        .map(({ name, about }) => ({ value: `${lead}${name} ${rest}`, label: `@${name}`, about }));
    }
    const command = /^\/(assistant\s+)?(\S*)$/.exec(before);
    if (command && before === value) {
      const [, lead = "", typed = ""] = command;
      return state.commands
        .filter(({ name }) => name.startsWith(typed.toLowerCase()))
        .map(({ name, summary }) => ({
          value: `/${lead}${name} `,
          label: `/${name}`,
          about: summary,
        }));
    }
    const isCommand = /^\/(assistant\s+)?\S+\s/.test(before);
    if (!isCommand || before !== value) return [];
    // A moment later: who types on asks only once.
    await new Promise((resolve) => setTimeout(resolve, 90));
    if (this.#input.value !== value) return [];
    const text = before.slice(1).replace(/^assistant\s+/, "");
    const answer = await this.#page.api
      .complete(this.#channel, this.#root, text)
      .catch(() => ({ choices: [] }));
    return answer.choices.map((choice) => ({
      value: `/${choice.value}`,
      label: choice.label,
      about: "",
    }));
  }

  #showCompletions(): void {
    this.#chosen = 0;
    this.#options.replaceChildren(
      ...this.#completions.map(({ label, about }, index) => {
        const option = h(
          "li",
          { role: "option", id: `${this.#options.id}-${index}`, "aria-selected": "false" },
          h("span", { class: "option-label" }, label),
          about ? h("span", { class: "option-about" }, about) : null,
        );
        option.addEventListener("mousedown", (event) => {
          event.preventDefault();
          this.#choose(index);
          this.#accept();
        });
        return option;
      }),
    );
    setHidden(this.#options, false);
    this.#input.setAttribute("aria-expanded", "true");
    this.#choose(0);
  }

  #choose(index: number): void {
    const count = this.#completions.length;
    this.#chosen = (index + count) % count;
    for (const [place, option] of [...this.#options.children].entries()) {
      option.setAttribute("aria-selected", String(place === this.#chosen));
      if (place === this.#chosen) option.scrollIntoView({ block: "nearest" });
    }
    this.#input.setAttribute("aria-activedescendant", `${this.#options.id}-${this.#chosen}`);
  }

  #accept(): void {
    const chosen = this.#completions[this.#chosen];
    this.#closeCompletions();
    if (!chosen) return;
    this.fill(chosen.value);
    this.#keepDraft();
    this.#complete();
  }

  #closeCompletions(): void {
    this.#completing += 1;
    setHidden(this.#options, true);
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }

  /** As high as its text, where the browser does not see to it itself. */
  #fit(): void {
    if (CSS.supports("field-sizing", "content") || !this.#input.isConnected) return;
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }

  #showSend(): void {
    const isUploading = [...this.#uploads].some(({ file, isFailed }) => !file && !isFailed);
    const isEmpty = this.#input.value.trim() === "" && this.#uploads.size === 0;
    this.#send.disabled = isEmpty || isUploading;
  }

  #keepDraft(): void {
    if (!this.#edited) keepDraft(this.#place(), this.#input.value);
  }

  #place(): { readonly channel: string; readonly root: string | null } {
    return { channel: this.#channel, root: this.#root };
  }
}

function hintFor(): readonly Node[] {
  const key = (name: string) => h("kbd", {}, name);
  return [
    key("Enter"),
    document.createTextNode(" sends · "),
    key("Shift Enter"),
    document.createTextNode(" new line · "),
    key("/"),
    document.createTextNode(" commands · drop or paste files"),
  ];
}

/** Gives a file the bot hands over to the browser's downloads. */
export function handOver(file: {
  readonly name: string;
  readonly mimeType: string;
  readonly data: string;
}): void {
  const bytes = Uint8Array.from(atob(file.data), (character) => character.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: file.mimeType }));
  const link = h("a", { href: url, download: file.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
