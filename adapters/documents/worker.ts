import { answer, readRequest } from "../confined/inside.ts";
import { type PageCollector, type ParseAnswer, type ParseRequest, Unreadable } from "./request.ts";

/**
 * The parsing process: one document, then the end. What it reads is hostile until proven otherwise,
 * so it has no secrets, may write nothing, and is killed by its parent when it takes too much.
 */
const { request, data } = readRequest<ParseRequest>();
answer(await parse(data, request));
process.exit(0);

async function parse(document: Uint8Array, asked: ParseRequest): Promise<ParseAnswer> {
  try {
    const { pages, truncated } = await collect(document, asked);
    return { ok: true, pages, truncated };
  } catch (error) {
    if (error instanceof Unreadable) {
      return { ok: false, code: error.code, problem: error.message };
    }
    return {
      ok: false,
      code: "file-broken",
      problem: "is damaged, or not what its beginning says.",
    };
  }
}

/** Each parser is loaded only when it is needed: most of the time goes into that. */
async function collect(document: Uint8Array, asked: ParseRequest): Promise<PageCollector> {
  switch (asked.format) {
    case "pdf":
      return (await import("./parse-pdf.ts")).parsePdf(document, asked);
    case "word":
      return (await import("./parse-word.ts")).parseWord(document, asked);
    case "excel":
      return (await import("./parse-excel.ts")).parseExcel(document, asked);
    case "html":
      return (await import("./parse-html.ts")).parseHtml(document, asked);
  }
}
