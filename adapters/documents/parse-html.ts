import { convert } from "html-to-text";
import { PageCollector, type ParseRequest, Unreadable } from "./request.ts";
import { decodeText } from "./text.ts";

/** A page of HTML as text: headings marked, tables in columns, links with their address; nothing runs. */
export function parseHtml(data: Uint8Array, request: ParseRequest): PageCollector {
  const html = decodeText(data);
  if (html === undefined) throw new Unreadable("file-broken", "is not the HTML it seems to be.");
  const pages = new PageCollector(request.maxCharacters);
  pages.add({ text: htmlToPlainText(html) });
  return pages;
}

/** HTML as plain text. */
export function htmlToPlainText(html: string): string {
  const heading = (level: number) => ({
    selector: `h${level}`,
    format: "heading",
    options: { uppercase: false, leadingLineBreaks: 2, trailingLineBreaks: 1 },
  });
  return convert(html, {
    wordwrap: false,
    limits: { maxInputLength: 50_000_000 },
    selectors: [
      ...[1, 2, 3, 4, 5, 6].map(heading),
      { selector: "img", format: "skip" },
      { selector: "table", format: "dataTable", options: { uppercaseHeaderCells: false } },
      { selector: "a", options: { hideLinkHrefIfSameAsText: true, noAnchorUrl: true } },
      { selector: "head", format: "skip" },
      { selector: "script", format: "skip" },
      { selector: "style", format: "skip" },
    ],
  });
}
