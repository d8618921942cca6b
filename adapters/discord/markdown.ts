import { escapeMarkdown } from "discord.js";

const zeroWidth = "\u200b";

/**
 * Markdown as Discord can show it. It has three sizes of headings, no rules, no images, no task
 * lists and no HTML breaks (support.discord.com, Markdown Text 101); tables, maths and fences have
 * been drawn before, by the splitter. Nothing gets longer, so that what fitted still fits.
 */
export function toDiscord(markdown: string): string {
  return outsideOfCode(markdown, (text) => text.split("\n").map(line).join("\n"));
}

/** Text of somebody else's (a title, a name) inside of ours: nothing in it is markup. */
export function escaped(text: string): string {
  return escapeMarkdown(text.replace(/\s+/g, " ").trim())
    .replace(/([[\]()<>])/g, "\\$1")
    .replaceAll("@", `@${zeroWidth}`);
}

/** Text in a fence of its own, whatever it contains. */
export function codeBlock(text: string): string {
  return `\`\`\`\n${text.replaceAll("```", `\`\`${zeroWidth}\``)}\n\`\`\``;
}

/** Every line as Discord's small grey print. */
export function small(text: string): string {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => `-# ${line.trim()}`)
    .join("\n");
}

/** A link in a sentence, shown without a preview; just the words where the address is no web page. */
export function link(words: string, url: string | undefined): string {
  const isWeb = url !== undefined && /^https?:\/\/[^\s<>()]+$/.test(url);
  return isWeb ? `[${words}](<${url}>)` : words;
}

function outsideOfCode(markdown: string, change: (text: string) => string): string {
  return markdown
    .split(/((?:^|(?<=\n))[ >\t*\d.-]*```[\s\S]*?(?:\n[ >\t]*```|$)|`+[^`\n]*`+)/)
    .map((piece, index) => (index % 2 === 1 ? piece : change(piece)))
    .join("");
}

/** What stands before a line's own words: quotes, bullets, numbers. */
const lead = String.raw`^((?:\s|>|[-*+] |\d{1,9}[.)] )*?)`;
const deepHeading = new RegExp(`${lead}#{4,6}\\s+(.+?)(?:\\s+#+)?\\s*$`);
const rule = new RegExp(
  `${lead}(?:-[ \\t]*){3,}$|${lead}(?:\\*[ \\t]*){3,}$|${lead}(?:_[ \\t]*){3,}$`,
);
const task = /^((?:\s|>)*(?:[-*+]|\d{1,9}[.)]) )\[([ xX])\] /;

function line(text: string): string {
  const heading = deepHeading.exec(text);
  if (heading) return `${heading[1]}**${(heading[2] ?? "").replaceAll("**", "")}**`;
  const ruled = rule.exec(text);
  if (ruled) return `${ruled[1] ?? ruled[2] ?? ruled[3] ?? ""}⎯⎯⎯`;
  return spans(
    text.replace(task, (_all, bullet: string, mark: string) =>
      mark === " " ? `${bullet}☐ ` : `${bullet}☑ `,
    ),
  );
}

function spans(text: string): string {
  return text
    .replace(
      /!\[([^\]]*)\]\((<[^>]*>|[^()\s]*)(?:\s+"[^"]*")?\)/g,
      (_all, alt: string, url: string) => (alt === "" ? bare(url) : `[${alt}](${url})`),
    )
    .replace(
      /(?<!!)\[([^\]]*)\]\(<?(https?:\/\/[^()\s>]*)>?\)/g,
      (all, words: string, url: string) => (isMisleading(words, url) ? `<${url}>` : all),
    )
    .replace(/<br\s*\/?>/gi, " ");
}

function bare(url: string): string {
  return url.startsWith("<") ? url.slice(1, -1) : url;
}

/** Words that look like one address and lead to another. */
function isMisleading(words: string, url: string): boolean {
  const named = /(?:https?:\/\/|^)((?:[\w-]+\.)+[a-z]{2,})(?=[/:?#]|$)/i.exec(words.trim())?.[1];
  if (named === undefined) return false;
  const host = /^https?:\/\/([^/:?#]+)/i.exec(url)?.[1] ?? "";
  return bareHost(named) !== bareHost(host);
}

function bareHost(host: string): string {
  return host.toLowerCase().replace(/^www\./, "");
}
