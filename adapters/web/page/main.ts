import { Api, Refused } from "./api.ts";
import { App } from "./app.ts";
import { h, icon } from "./dom.ts";
import { applyTheme } from "./sidebar.ts";

const place = document.getElementById("app");

/** From the address to the console: password if there is one, then a name, then in. */
async function begin(): Promise<void> {
  applyTheme();
  const session = await Api.session();
  if (!session.isOpen) {
    show(loginCard());
    return;
  }
  const name = nameToSpeakUnder();
  if (name === undefined) {
    show(nameCard());
    return;
  }
  const api = new Api(name);
  show(new App(api, await api.state()).element);
}

/** `?as=Ada` for this window alone, else what was chosen before. */
function nameToSpeakUnder(): string | undefined {
  const inAddress = new URLSearchParams(location.search).get("as");
  if (inAddress) sessionStorage.setItem("bobbin name", inAddress);
  return sessionStorage.getItem("bobbin name") ?? localStorage.getItem("bobbin name") ?? undefined;
}

function show(element: HTMLElement): void {
  place?.replaceChildren(element);
  element.querySelector<HTMLElement>("[autofocus]")?.focus();
}

function loginCard(): HTMLElement {
  const input = h("input", {
    id: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
    autofocus: true,
  });
  const problem = h("p", { class: "gate-problem", role: "alert" });
  const button = h("button", { type: "submit", class: "button is-primary" }, "Come in");
  const form = gate("Bobbin", "This console is behind a password.", [
    h("label", { for: "password" }, "Password"),
    input,
    problem,
    button,
  ]);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await Api.login(input.value);
      await begin();
    } catch (error) {
      problem.replaceChildren(
        icon("warning"),
        error instanceof Refused ? error.message : "That did not work.",
      );
      input.select();
    }
    button.disabled = false;
  });
  return h("div", { class: "gate" }, form);
}

function nameCard(): HTMLElement {
  const input = h("input", {
    id: "name",
    type: "text",
    autocomplete: "nickname",
    maxlength: 60,
    required: true,
    pattern: ".*[\\p{L}\\p{N}].*",
    title: "A name with a letter or a digit in it",
    autofocus: true,
  });
  const form = gate("Welcome to Bobbin", "An assistant to talk with, alone or together.", [
    h("label", { for: "name" }, "What should it call you?"),
    input,
    h("button", { type: "submit", class: "button is-primary" }, "Begin"),
  ]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    localStorage.setItem("bobbin name", input.value.trim());
    begin().catch(showFailure);
  });
  return h("div", { class: "gate" }, form);
}

function gate(title: string, text: string, children: readonly Node[]): HTMLFormElement {
  return h(
    "form",
    { class: "gate-card" },
    h("img", { src: "/console/page/icon.svg", alt: "" }),
    h("h1", {}, title),
    h("p", {}, text),
    ...children,
  );
}

function showFailure(error: unknown): void {
  const words = error instanceof Error ? error.message : "That did not work.";
  const again = h("button", { type: "submit", class: "button is-primary" }, "Try again");
  const form = gate("Bobbin cannot be reached", words, [again]);
  form.addEventListener("submit", () => location.reload());
  show(h("div", { class: "gate" }, form));
}

begin().catch(showFailure);
