import { shortened } from "#domain/shortened";

/** The longest notification text: it is read aloud, and shown on lock screens. */
const mostNotification = 150;
const zeroWidth = "\u200b";

/**
 * Takes the ping out of everything in a text that would notify somebody: broadcasts, groups, and
 * people other than those named. Slack's own markup works inside Markdown as well.
 */
export function withoutPings(text: string, allowedUsers: readonly string[] = []): string {
  return text
    .replace(/<!(channel|here|everyone)(?:\|[^>\n]*)?>/g, `@${zeroWidth}$1`)
    .replace(
      /<!subteam\^[A-Z0-9]+(?:\|@?([^>\n]*))?>/g,
      (_all, label?: string) => `@${zeroWidth}${label || "group"}`,
    )
    .replace(/<@([UW][A-Z0-9]+)(?:\|([^>\n]*))?>/g, (all, id: string, label?: string) =>
      allowedUsers.includes(id) ? all : `@${zeroWidth}${label || id}`,
    );
}

/** Text for a `mrkdwn` field: nothing in it is markup (docs.slack.dev: only these three characters). */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Markdown in a few plain words, for notifications and screen readers. Never empty. */
export function notificationOf(markdown: string, otherwise: string): string {
  const plain = markdown
    .replace(/^\s*(```|~~~).*$/gm, " ")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^[\s>#|*+-]+/gm, " ")
    .replace(/[`*_~|]+/g, "")
    .replace(/\s+/g, " ")
    .trim();
  const words = escaped(shortened(plain || otherwise, mostNotification));
  return words.length <= 300 ? words : shortened(otherwise, mostNotification);
}

/**
 * Our own Markdown (command answers, notices) as Slack's `mrkdwn`, where a `markdown` block may not
 * stand. Bold, links and code are all it knows.
 */
export function toMrkdwn(markdown: string): string {
  return markdown
    .split(/(```[\s\S]*?```|`[^`\n]*`)/)
    .map((piece, index) => (index % 2 === 1 ? escaped(piece) : spans(piece)))
    .join("");
}

function spans(text: string): string {
  return escaped(text)
    .replace(/\[([^\]]+)\]\((https?:[^)\s]+)\)/g, "<$2|$1>")
    .replace(/\*\*([^*]+)\*\*/g, "*$1*")
    .replace(/^#{1,6}\s+(.+)$/gm, "*$1*")
    .replace(/^(\s*)[-*]\s+/gm, "$1• ");
}

/** What a person wrote in Slack's markup, as Markdown with names. */
export function toMarkdown(
  text: string,
  names: { readonly user: (id: string) => string; readonly channel: (id: string) => string },
): string {
  return text
    .replace(/<@([UW][A-Z0-9]+)(?:\|[^>]*)?>/g, (_all, id: string) => `@${names.user(id)}`)
    .replace(/<#([CG][A-Z0-9]+)(?:\|([^>]*))?>/g, (_all, id: string, label?: string) => {
      return `#${label || names.channel(id)}`;
    })
    .replace(/<!subteam\^[A-Z0-9]+\|@?([^>]*)>/g, "@$1")
    .replace(/<!date\^[^|>]*\|([^>]*)>/g, "$1")
    .replace(/<!([a-z]+)(?:\|[^>]*)?>/g, "@$1")
    .replace(/<((?:https?|mailto|tel):[^|>]+)\|([^>]+)>/g, (_all, url: string, label: string) => {
      const bare = url.replace(/^(mailto|tel):/, "");
      return label === url || label === bare ? label : `[${label}](${url})`;
    })
    .replace(/<((?:https?|mailto|tel):[^>]+)>/g, "$1")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
