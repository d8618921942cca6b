import { h, iconButton } from "./dom.ts";

/** Opens a dialog, and takes it out of the page when it closes. Focus goes back by itself. */
export function openDialog(dialog: HTMLDialogElement): void {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.showModal();
}

/** Asks before something that cannot be undone. */
export function confirmed(question: {
  readonly title: string;
  readonly text: string;
  readonly action: string;
}): Promise<boolean> {
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "dialog-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, question.title),
      h("p", {}, question.text),
      h(
        "div",
        { class: "dialog-actions" },
        h("button", { class: "button", value: "no", autofocus: true }, "Cancel"),
        h("button", { class: "button is-danger", value: "yes" }, question.action),
      ),
    ),
  );
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
    openDialog(dialog);
  });
}

/** Asks for one line of text; undefined when the person changed their mind. */
export function asked(question: {
  readonly title: string;
  readonly text: string;
  readonly label: string;
  readonly value: string;
  readonly action: string;
}): Promise<string | undefined> {
  const input = h("input", {
    id: "dialog-input",
    type: "text",
    value: question.value,
    maxlength: 60,
    required: true,
    autocomplete: "off",
    autofocus: true,
  });
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "dialog-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, question.title),
      h("p", {}, question.text),
      h("label", { for: "dialog-input" }, question.label),
      input,
      h(
        "div",
        { class: "dialog-actions" },
        h("button", { class: "button", value: "no", formnovalidate: true }, "Cancel"),
        h("button", { class: "button is-primary", value: "yes" }, question.action),
      ),
    ),
  );
  // Enter presses the first button of a form, which here is Cancel.
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !input.reportValidity()) return;
    event.preventDefault();
    dialog.close("yes");
  });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const value = input.value.trim();
      resolve(dialog.returnValue === "yes" && value !== "" ? value : undefined);
    });
    openDialog(dialog);
    input.select();
  });
}

/** An image as large as the window allows. */
export function showImage(url: string, alt: string): void {
  const dialog = h(
    "dialog",
    { class: "lightbox", "aria-label": alt },
    iconButton("close", "Close", () => dialog.close()),
    h("img", { src: url, alt }),
    h("p", {}, alt),
  );
  openDialog(dialog);
}
