import DOMPurify from "dompurify";
import highlight from "highlight.js";
import katex from "katex";
import MarkdownIt from "markdown-it";
import { h, icon } from "./dom.ts";
import { withMarksClosed } from "./open-marks.ts";

type Parser = InstanceType<typeof MarkdownIt>;
type Token = ReturnType<Parser["parse"]>[number];
type ParserEnvironment = NonNullable<Parameters<Parser["parse"]>[1]>;

/** What the rendering of one message needs to know beside its text. */
export interface MarkdownContext {
  /** `[1]` up to this number are marks of sources. */
  readonly sourceCount: number;
  /** Names after `@` that are shown as mentions. */
  readonly names: readonly string[];
  /** People press Enter and mean it; models wrap lines. */
  readonly keepsLineBreaks: boolean;
  readonly onSource: (number: number) => void;
}

/** What the parser's rules are told beside the text. */
type Environment = ParserEnvironment & {
  readonly sourceCount: number;
  readonly names: readonly string[];
  /** More text may come: what is open at the end is not shown raw. */
  readonly isOpen: boolean;
};

const plain = createParser(false);
const withBreaks = createParser(true);
/** Longer code is shown, not coloured: colouring would hold the page up. */
const maxHighlightedCharacters = 60_000;
/** `[name]: address` anywhere. */
const definitionPattern = /^\s{0,3}\[[^\]]+\]:/m;

/**
 * Renders Markdown that may still be growing.
 *
 * Blocks that are complete are rendered once; only the last, open one is rendered again when text
 * comes. So the cost of new text does not grow with what is there already. No HTML of the text ever
 * reaches the page: the parser has HTML off, and what it makes is sanitized on top.
 */
export class MarkdownView {
  readonly element = h("div", { class: "markdown" });
  #context: MarkdownContext;
  #text = "";
  #isOpen = false;
  /** How much of the text is rendered for good. */
  #settled = 0;
  #tail: ChildNode[] = [];
  /** Definitions of links in what is rendered for good. */
  #references: NonNullable<ParserEnvironment["references"]> = {};
  /** The open code block at the end, extended in place. */
  #openCode: { readonly code: HTMLElement; readonly info: string; text: string } | undefined;
  #colouredAtMs = 0;
  #colouringCostMs = 0;

  constructor(context: MarkdownContext) {
    this.#context = context;
  }

  /** Shows the text. `isOpen`: more of it may come. */
  show(text: string, isOpen: boolean, context = this.#context): void {
    const isMore = text.startsWith(this.#text.slice(0, this.#settled));
    const closes = this.#isOpen && !isOpen;
    this.#context = context;
    if (text === this.#text && !closes && this.#isOpen === isOpen) return;
    this.#text = text;
    this.#isOpen = isOpen;
    // A link's definition may stand behind its use: the whole text, read once more, finds it.
    if (!isMore || (closes && definitionPattern.test(text))) this.#clear();
    this.#renderTail();
    this.element.classList.toggle("is-open", isOpen);
  }

  #clear(): void {
    this.element.replaceChildren();
    this.#settled = 0;
    this.#tail = [];
    this.#references = {};
    this.#openCode = undefined;
  }

  #renderTail(): void {
    const source = this.#text.slice(this.#settled);
    if (this.#extendOpenCode(source)) return;
    const parser = this.#context.keepsLineBreaks ? withBreaks : plain;
    const environment: Environment = {
      sourceCount: this.#context.sourceCount,
      names: this.#context.names,
      isOpen: this.#isOpen,
      // A copy: a definition that is still being written must not stay.
      references: { ...this.#references },
    };
    const tokens = parser.parse(source, environment);
    const last = this.#isOpen ? lastBlock(tokens) : undefined;
    for (const node of this.#tail) node.remove();
    this.#openCode = undefined;
    if (last && last.line > 0)
      this.#settle(parser, source.slice(0, offsetOfLine(source, last.line)));
    const rest = last ? tokens.slice(last.index) : tokens;
    const html = parser.renderer.render(rest, parser.options, environment);
    const nodes = this.#toNodes(html, !this.#isOpen);
    this.#tail = [...nodes.childNodes];
    this.element.append(nodes);
    this.#rememberOpenCode(rest);
  }

  /** Renders for good what can change no more: read once again, now that nothing in it is open. */
  #settle(parser: Parser, source: string): void {
    const { sourceCount, names } = this.#context;
    const environment: Environment = {
      sourceCount,
      names,
      isOpen: false,
      references: this.#references,
    };
    const tokens = parser.parse(source, environment);
    const html = parser.renderer.render(tokens, parser.options, environment);
    this.element.append(this.#toNodes(html, true));
    this.#settled += source.length;
  }

  /** Text for an open code block goes right into it. True when that was all there was to do. */
  #extendOpenCode(source: string): boolean {
    const open = this.#openCode;
    if (!open || !this.#isOpen) return false;
    const fence = /^( {0,3})(`{3,}|~{3,})([^\n]*)\n([\s\S]*)$/.exec(source);
    const [, , marks = "", info = "", body = ""] = fence ?? [];
    if (!fence || info.trim() !== open.info) return false;
    const close = new RegExp(
      `^ {0,3}${marks[0] === "`" ? "`" : "~"}{${marks.length},}[ \\t]*$`,
      "m",
    );
    if (close.test(body) || !body.startsWith(open.text)) return false;
    // Half a closing fence is not shown as code.
    const shown = body.replace(/\n {0,3}[`~]{1,}$/, "\n");
    if (!shown.startsWith(open.text)) return true;
    open.code.append(shown.slice(open.text.length));
    open.text = shown;
    this.#colourOpenCode(open);
    return true;
  }

  #rememberOpenCode(tokens: readonly Token[]): void {
    const [token] = tokens;
    if (!this.#isOpen || tokens.length !== 1 || token?.type !== "fence") return;
    const code = this.#tail
      .filter((node): node is HTMLElement => node instanceof HTMLElement)
      .map((element) => element.querySelector("code"))
      .find((found) => found !== null);
    if (!code) return;
    const text = token.content.replace(/\n$/, "");
    code.textContent = text;
    this.#openCode = { code, info: token.info.trim(), text };
    this.#colourOpenCode(this.#openCode);
  }

  /** As often as it costs little: at most a tenth of the time. */
  #colourOpenCode(open: { code: HTMLElement; info: string; text: string }): void {
    const now = performance.now();
    if (now - this.#colouredAtMs < this.#colouringCostMs * 10) return;
    colour(open.code, open.info, open.text);
    this.#colouredAtMs = performance.now();
    this.#colouringCostMs = this.#colouredAtMs - now;
  }

  #toNodes(html: string, isFinal: boolean): DocumentFragment {
    const nodes = sanitized(html);
    for (const anchor of nodes.querySelectorAll("a")) this.#dressLink(anchor);
    for (const image of nodes.querySelectorAll("img")) image.replaceWith(imageAsLink(image));
    for (const element of nodes.querySelectorAll<HTMLElement>("[data-math]")) typeset(element);
    for (const pre of nodes.querySelectorAll("pre")) dressCode(pre, isFinal);
    for (const table of nodes.querySelectorAll("table")) {
      const frame = h("div", {
        class: "table-frame",
        tabindex: "0",
        role: "region",
        "aria-label": "Table",
      });
      table.replaceWith(frame);
      frame.append(table);
    }
    return nodes;
  }

  #dressLink(anchor: HTMLAnchorElement): void {
    const source = Number(anchor.dataset.source);
    if (source) {
      anchor.addEventListener("click", (event) => {
        event.preventDefault();
        this.#context.onSource(source);
      });
      return;
    }
    anchor.rel = "noopener noreferrer nofollow";
    anchor.target = "_blank";
  }
}

/** Code with its language's colours, as the page's own elements. */
export function codeBlock(text: string, language: string): HTMLElement {
  const code = h("code", {}, text);
  const pre = h("pre", { tabindex: "0" }, code);
  colour(code, language, text);
  return pre;
}

function createParser(breaks: boolean): Parser {
  const parser = new MarkdownIt({ html: false, linkify: true, breaks, typographer: false });
  parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  addMath(parser);
  addMarks(parser);
  // The page's policy has no inline styles: the alignment of a cell is a class.
  for (const rule of ["th_open", "td_open"]) {
    parser.renderer.rules[rule] = (tokens, index, options, _environment, self) => {
      const token = tokens[index];
      const style = String(token?.attrGet("style") ?? "");
      const side = /text-align:(left|center|right)/.exec(style)?.[1];
      if (token?.attrs) token.attrs = token.attrs.filter(([name]) => name !== "style");
      if (side) token?.attrJoin("class", `align-${side}`);
      return self.renderToken(tokens, index, options);
    };
  }
  parser.renderer.rules.fence = (tokens, index) => {
    const token = tokens[index];
    const language = (token?.info ?? "").trim().split(/\s+/)[0] ?? "";
    const { escapeHtml } = parser.utils;
    const code = escapeHtml((token?.content ?? "").replace(/\n$/, ""));
    return `<pre data-language="${escapeHtml(language)}"><code>${code}</code></pre>\n`;
  };
  return parser;
}

/** `$$…$$`, `\(…\)` and `\[…\]`: the delimiters models write. A single `$` stays money. */
function addMath(parser: Parser): void {
  const { escapeHtml } = parser.utils;
  const rendered = (tex: string, isDisplay: boolean) =>
    isDisplay
      ? `<span class="math-display" data-math="display">${escapeHtml(tex)}</span>`
      : `<span data-math="inline">${escapeHtml(tex)}</span>`;

  parser.block.ruler.before(
    "fence",
    "math_block",
    (state, startLine, endLine, silent) => {
      const lineAt = (line: number) =>
        state.src.slice((state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0), state.eMarks[line]);
      const first = lineAt(startLine);
      const open = first.startsWith("$$") ? "$$" : first.startsWith("\\[") ? "\\[" : undefined;
      if (!open) return false;
      const close = open === "$$" ? "$$" : "\\]";
      const lines: string[] = [];
      let line = startLine;
      let isClosed = false;
      for (; line < endLine; line += 1) {
        const text = line === startLine ? first.slice(2) : lineAt(line);
        const end = text.indexOf(close);
        if (end !== -1) {
          // Text behind the end makes it a paragraph with maths in it.
          if (text.slice(end + 2).trim() !== "") return false;
          lines.push(text.slice(0, end));
          isClosed = true;
          break;
        }
        if (line > startLine && text.trim() === "") break;
        lines.push(text);
      }
      const isPending = !isClosed && (state.env as Environment).isOpen && line >= endLine;
      if (!isClosed && !isPending) return false;
      if (silent) return true;
      const token = state.push(isClosed ? "math_block" : "math_pending", "", 0);
      token.content = lines.join("\n").trim();
      token.map = [startLine, Math.min(line + 1, endLine)];
      token.block = true;
      state.line = Math.min(line + 1, endLine);
      return true;
    },
    { alt: ["paragraph", "reference", "blockquote", "list"] },
  );

  parser.inline.ruler.before("escape", "math_inline", (state, silent) => {
    const open = state.src.slice(state.pos, state.pos + 2);
    const close =
      open === "\\(" ? "\\)" : open === "\\[" ? "\\]" : open === "$$" ? "$$" : undefined;
    if (!close) return false;
    const end = state.src.indexOf(close, state.pos + 2);
    if (end === -1 || end > state.posMax) {
      if (!(state.env as Environment).isOpen) return false;
      if (!silent) state.push("math_pending", "", 0);
      state.pos = state.posMax;
      return true;
    }
    const tex = state.src.slice(state.pos + 2, end).trim();
    if (tex === "") return false;
    if (!silent) {
      const token = state.push(open === "\\(" ? "math_inline" : "math_block", "", 0);
      token.content = tex;
    }
    state.pos = end + 2;
    return true;
  });

  parser.renderer.rules.math_block = (tokens, index) =>
    rendered(tokens[index]?.content ?? "", true);
  parser.renderer.rules.math_inline = (tokens, index) =>
    rendered(tokens[index]?.content ?? "", false);
  parser.renderer.rules.math_pending = () => `<span class="math-pending">∑ …</span>`;
}

/** `[1]` that points to a source, and `@Name`. */
function addMarks(parser: Parser): void {
  parser.core.ruler.before("inline", "open_marks", (state) => {
    if (!(state.env as Environment).isOpen) return;
    // Behind the last words there is only the end of what they stand in.
    const last = state.tokens.findLast(({ nesting }) => nesting !== -1);
    if (last?.type === "inline") last.content = withMarksClosed(last.content);
  });
  parser.inline.ruler.before("link", "source_mark", (state, silent) => {
    if (state.src[state.pos] !== "[") return false;
    const match = /^\[(\d{1,3})\](?![([:])/.exec(state.src.slice(state.pos, state.pos + 6));
    const number = Number(match?.[1]);
    if (!match || number < 1 || number > (state.env as Environment).sourceCount) return false;
    if (!silent) state.push("source_mark", "", 0).content = String(number);
    state.pos += match[0].length;
    return true;
  });
  parser.renderer.rules.source_mark = (tokens, index) => {
    const number = tokens[index]?.content ?? "";
    return `<sup class="source-mark"><a href="#source-${number}" data-source="${number}" aria-label="Source ${number}">${number}</a></sup>`;
  };
  parser.core.ruler.push("tasks", (state) => {
    for (const [index, token] of state.tokens.entries()) {
      const item = state.tokens[index - 2];
      const first = token.children?.[0];
      const mark = /^\[([ xX])\] /.exec(token.type === "inline" ? token.content : "");
      if (!mark || item?.type !== "list_item_open" || first?.type !== "text") continue;
      item.attrJoin("class", "task");
      first.content = first.content.slice(mark[0].length);
      const box = new state.Token("task_mark", "", 0);
      box.content = mark[1] === " " ? "☐" : "☑";
      token.children?.unshift(box);
    }
  });
  parser.renderer.rules.task_mark = (tokens, index) => {
    const box = tokens[index]?.content ?? "";
    const words = box === "☐" ? "to do" : "done";
    return `<span class="task-mark" role="img" aria-label="${words}">${box}</span>`;
  };
  parser.core.ruler.push("mentions", (state) => {
    const { names } = state.env as Environment;
    if (names.length === 0) return;
    for (const block of state.tokens) {
      if (block.type === "inline" && block.children) {
        block.children = block.children.flatMap((token) => withMentions(token, names, state.Token));
      }
    }
  });
  parser.renderer.rules.mention = (tokens, index) =>
    `<span class="mention">${parser.utils.escapeHtml(tokens[index]?.content ?? "")}</span>`;
}

function withMentions(
  token: Token,
  names: readonly string[],
  TokenType: new (type: string, tag: string, nesting: -1 | 0 | 1) => Token,
): readonly Token[] {
  if (token.type !== "text" || !token.content.includes("@")) return [token];
  const alternatives = [...names]
    .sort((a, b) => b.length - a.length)
    .map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("|");
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}_])@(?:${alternatives})(?![\\p{L}\\p{N}_-])`, "giu");
  const parts: Token[] = [];
  let from = 0;
  const add = (type: string, content: string) => {
    if (content === "") return;
    const part = new TokenType(type, "", 0);
    part.content = content;
    part.level = token.level;
    parts.push(part);
  };
  for (const match of token.content.matchAll(pattern)) {
    add("text", token.content.slice(from, match.index));
    add("mention", match[0]);
    from = match.index + match[0].length;
  }
  add("text", token.content.slice(from));
  return parts;
}

/** The last block that stands by itself: everything before it can change no more. */
function lastBlock(tokens: readonly Token[]): { index: number; line: number } | undefined {
  for (let index = tokens.length - 1; index >= 0; index -= 1) {
    const token = tokens[index];
    if (token?.level === 0 && token.nesting >= 0 && token.map) {
      return { index, line: token.map[0] };
    }
  }
  return undefined;
}

function offsetOfLine(text: string, line: number): number {
  let offset = 0;
  for (let passed = 0; passed < line; passed += 1) offset = text.indexOf("\n", offset) + 1;
  return offset;
}

function sanitized(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    FORBID_TAGS: [
      "style",
      "form",
      "input",
      "button",
      "textarea",
      "select",
      "video",
      "audio",
      "svg",
    ],
    FORBID_ATTR: ["style"],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|tel:|#)/i,
  });
}

/** An image elsewhere is not fetched: asking for it would tell that server who reads this, and when. */
function imageAsLink(image: HTMLImageElement): Node {
  const address = URL.parse(image.getAttribute("src") ?? "", location.origin);
  const words = image.alt || address?.pathname.split("/").at(-1) || "image";
  if (!address?.protocol.startsWith("http")) return document.createTextNode(words);
  if (address.origin === location.origin) return image;
  const rel = "noopener noreferrer nofollow";
  return h(
    "a",
    { href: address.href, rel, target: "_blank", class: "image-link", title: address.href },
    icon("image"),
    words,
  );
}

function typeset(element: HTMLElement): void {
  const tex = element.textContent ?? "";
  const displayMode = element.dataset.math === "display";
  try {
    // Builds nodes instead of HTML, so that its sizes are set without inline style attributes.
    katex.render(tex, element, { displayMode, throwOnError: true, trust: false, maxSize: 30 });
  } catch {
    element.replaceChildren(h("code", { title: "This formula could not be typeset" }, tex));
  }
}

function dressCode(pre: HTMLPreElement, isFinal: boolean): void {
  const code = pre.querySelector("code");
  if (!code) return;
  const language = pre.dataset.language ?? "";
  const text = code.textContent ?? "";
  // In a block that is rendered again and again only what costs nothing is coloured.
  if (isFinal || text.length < 2000) colour(code, language, text);
  const copy = h("button", { type: "button", class: "copy" }, icon("copy"), h("span", {}, "Copy"));
  copy.addEventListener("click", () => {
    copyText(code.textContent ?? "", copy);
  });
  const frame = h(
    "figure",
    { class: "code" },
    h("figcaption", {}, h("span", {}, language || "text"), copy),
  );
  pre.replaceWith(frame);
  pre.tabIndex = 0;
  frame.append(pre);
}

function colour(code: HTMLElement, language: string, text: string): void {
  const known = highlight.getLanguage(language) ? language : undefined;
  if (!known || text.length > maxHighlightedCharacters) return;
  const { value } = highlight.highlight(text, { language: known, ignoreIllegals: true });
  code.replaceChildren(sanitized(value));
}

/** Copies and says so on the button. */
export function copyText(text: string, button: HTMLButtonElement): void {
  const label = button.querySelector("span");
  navigator.clipboard.writeText(text).then(
    () => say("Copied"),
    () => say("Not allowed"),
  );
  function say(words: string): void {
    const before = label?.textContent ?? "";
    if (!label || before === words) return;
    label.textContent = words;
    setTimeout(() => {
      label.textContent = before;
    }, 1500);
  }
}

/** JSON with its lines broken; what is none stays as it is. */
export function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
