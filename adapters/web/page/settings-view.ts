import type { Panel, PanelField } from "#domain/command";
import { attempt, type PageContext } from "./context.ts";
import { openDialog } from "./dialogs.ts";
import { h, icon, iconButton, setHidden } from "./dom.ts";
import { MarkdownView } from "./markdown.ts";

/** The settings of a channel at the side of the page: a form made of the same commands. */
export async function openSettings(
  page: PageContext,
  channel: string,
  root: string | null,
): Promise<void> {
  const first = await attempt(page, () => page.api.settings(channel, root));
  if (!first) return;
  const body = h("div", { class: "sheet-body" });
  const dialog = h(
    "dialog",
    { class: "sheet", "aria-labelledby": "settings-title" },
    h(
      "header",
      {},
      h("h2", { id: "settings-title" }, first.panel.title),
      iconButton("close", "Close", () => dialog.close()),
    ),
    body,
  );
  const draw = (panel: Panel) => {
    body.replaceChildren(textOf(panel.text), ...panel.fields.map((field) => fieldOf(field, save)));
  };
  const save = async (field: PanelField, value: string, status: HTMLElement): Promise<void> => {
    const words = await attempt(page, () =>
      page.api.command(channel, root, `${field.command} ${value}`.trim()),
    );
    if (!words) return;
    status.classList.toggle("is-problem", !words.ok);
    status.replaceChildren(textOf(words.text));
    setHidden(status, false);
    if (!words.ok) return;
    const next = await attempt(page, () => page.api.settings(channel, root));
    const fresh = next?.panel.fields.find(({ command }) => command === field.command);
    const input = status.parentElement?.querySelector<HTMLInputElement>("input, textarea, select");
    if (fresh && input) input.value = fresh.value;
  };
  draw(first.panel);
  openDialog(dialog);
}

function fieldOf(
  field: PanelField,
  save: (field: PanelField, value: string, status: HTMLElement) => Promise<void>,
): HTMLElement {
  const id = `setting-${field.command.replace(/\W+/g, "-")}`;
  const isLocked = field.locked !== undefined;
  const input = inputOf(field, id, isLocked);
  const status = h("div", { class: "setting-status", role: "status", hidden: true });
  const button = h("button", { type: "submit", class: "button", disabled: true }, "Save");
  const form = h(
    "form",
    { class: "setting" },
    h("label", { for: id }, field.label),
    input,
    isLocked
      ? h("p", { class: "locked" }, icon("lock"), field.locked)
      : h(
          "div",
          { class: "setting-foot" },
          h("code", {}, `/${field.command.replace(/\s*=$/, "")}`),
          button,
        ),
    status,
  );
  let saved = field.value;
  input.addEventListener("input", () => {
    button.disabled = input.value === saved;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    await save(field, input.value, status);
    saved = input.value;
  });
  return form;
}

function inputOf(
  field: PanelField,
  id: string,
  disabled: boolean,
): HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement {
  if (field.choices && field.choices.length > 0) {
    const isKnown = field.choices.some(({ value }) => value === field.value);
    const choices = isKnown
      ? field.choices
      : [{ value: field.value, label: field.value || "–" }, ...field.choices];
    return h(
      "select",
      { id, disabled },
      ...choices.map(({ value, label }) =>
        h("option", { value, selected: value === field.value }, label),
      ),
    );
  }
  if (field.multiline) return h("textarea", { id, disabled, rows: 5 }, field.value);
  return h("input", { id, type: "text", value: field.value, disabled, autocomplete: "off" });
}

function textOf(markdown: string): HTMLElement {
  const view = new MarkdownView({
    sourceCount: 0,
    names: [],
    keepsLineBreaks: true,
    onSource: () => {},
  });
  view.show(markdown, false);
  return view.element;
}
