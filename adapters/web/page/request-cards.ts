import type { FormField } from "#domain/tool";
import type { ReplyState } from "../wire.ts";
import type { DecisionMade } from "./api.ts";
import { attempt, type PageContext } from "./context.ts";
import { h, icon, setHidden } from "./dom.ts";
import { codeBlock, prettyJson } from "./markdown.ts";

type Request = ReplyState["requests"][number];
type FormRequest = Extract<Request, { type: "form" }>;
type Decide = (decision: DecisionMade) => Promise<boolean>;

/** A card, and what changes on it while the question stands. */
interface Card {
  readonly element: HTMLElement;
  update?(request: Request): void;
}

/** What a reply asks people: a card for each question, kept while it stands, so that what is typed stays. */
export class RequestCards {
  readonly element = h("div", { class: "requests" });
  readonly #page: PageContext;
  #cards = new Map<string, Card>();

  constructor(page: PageContext) {
    this.#page = page;
  }

  show(requests: readonly Request[]): void {
    const before = this.#cards;
    this.#cards = new Map(
      requests.map((request) => [request.id, before.get(request.id) ?? this.#card(request)]),
    );
    for (const request of requests) this.#cards.get(request.id)?.update?.(request);
    if ([...before.keys()].join(" ") === [...this.#cards.keys()].join(" ")) return;
    this.element.replaceChildren(...[...this.#cards.values()].map(({ element }) => element));
  }

  #card(request: Request): Card {
    const decide: Decide = async (decision) => {
      card.element.toggleAttribute("data-busy", true);
      const words = await attempt(this.#page, () => this.#page.api.decide(request.id, decision));
      card.element.toggleAttribute("data-busy", false);
      if (words?.text) this.#page.toast(words.text, !words.ok);
      return words?.ok ?? false;
    };
    const { person } = this.#page.store.state;
    const asked = this.#askedWords(request);
    const card: Card =
      request.type === "approval"
        ? { element: approvalCard(request, asked, decide) }
        : formCard(request, { asked, decide, me: person.key });
    return card;
  }

  #askedWords(request: Request): string {
    const { state } = this.#page.store;
    const minutes = Math.max(1, Math.round((request.expiresAtMs - Date.now()) / 60_000));
    const until = minutes > 90 ? "" : ` · stands for ${minutes} min`;
    if (request.type === "form" && request.form.everyone) {
      return `Everybody here may answer${until}`;
    }
    if (request.personKey === state.person.key) return `You are asked${until}`;
    const person = state.people.find(({ key }) => key === request.personKey);
    return `${person?.name ?? "Somebody else"} is asked${until}`;
  }
}

function approvalCard(
  request: Extract<Request, { type: "approval" }>,
  asked: string,
  decide: Decide,
): HTMLElement {
  return h(
    "section",
    { class: "card", "aria-label": `Approval: ${request.title}` },
    h("p", { class: "card-kicker" }, icon("lock"), "Approval needed", h("span", {}, asked)),
    h("h3", {}, request.title),
    request.arguments ? codeBlock(prettyJson(request.arguments), "json") : null,
    h(
      "div",
      { class: "card-actions" },
      h(
        "button",
        { type: "button", class: "button is-primary", onclick: () => decide({ type: "approve" }) },
        "Approve",
      ),
      h(
        "button",
        { type: "button", class: "button", onclick: () => decide({ type: "decline" }) },
        "Decline",
      ),
    ),
  );
}

function formCard(
  request: FormRequest,
  { asked, decide, me }: { readonly asked: string; readonly decide: Decide; readonly me: string },
): Card {
  const { form } = request;
  const answered = h("p", { class: "card-answered", role: "status" });
  const fields = form.fields.map((field) => fieldOf(request.id, field));
  const send = h("button", { type: "submit", class: "button is-primary" }, "Send answers");
  const element = h(
    "form",
    { class: "card", "aria-label": form.title },
    h("p", { class: "card-kicker" }, icon("info"), "A question", h("span", {}, asked)),
    h("h3", {}, form.title),
    form.text ? h("p", { class: "card-text" }, form.text) : null,
    ...fields,
    answered,
    h("div", { class: "card-actions" }, send, endButton(request, decide, me)),
  );
  const settle = (isMine: boolean) => {
    for (const field of fields) setHidden(field, isMine);
    setHidden(send, isMine);
  };
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData(element);
    const answers = Object.fromEntries(
      form.fields.map((field) => [field.id, String(data.get(field.id) ?? "")]),
    );
    if ((await decide({ type: "answer", answers })) && form.everyone) settle(true);
  });
  const update = (now: Request) => {
    const people = now.type === "form" ? (now.answered ?? []) : [];
    answered.replaceChildren(...people.map(({ name }) => h("span", {}, icon("check"), name)));
    setHidden(answered, people.length === 0);
    if (people.some(({ key }) => key === me)) settle(true);
  };
  update(request);
  return { element, update };
}

/** One person declines; what everybody may answer is finished by who asked for it. */
function endButton(
  { form, personKey }: FormRequest,
  decide: Decide,
  me: string,
): HTMLElement | null {
  if (form.everyone && personKey !== me) return null;
  const type = form.everyone ? "finish" : "decline";
  return h(
    "button",
    { type: "button", class: "button", onclick: () => decide({ type }) },
    form.everyone ? "Finish" : "Decline",
  );
}

function fieldOf(requestId: string, field: FormField): HTMLElement {
  if (field.type === "choice" && field.choices) {
    return h(
      "fieldset",
      {},
      h("legend", {}, field.label),
      h(
        "div",
        { class: "choices" },
        ...field.choices.map((choice) =>
          h(
            "label",
            { class: "choice" },
            h("input", { type: "radio", name: field.id, value: choice, required: !field.optional }),
            h("span", {}, choice),
          ),
        ),
      ),
    );
  }
  const id = `${requestId}-${field.id}`;
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, field.optional ? `${field.label} (optional)` : field.label),
    h("textarea", { id, name: field.id, rows: 2, required: !field.optional }),
  );
}
