import { getDocumentProxy } from "unpdf";
import { PageCollector, type ParseRequest, Unreadable } from "./request.ts";

type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>;

/** A PDF's text page by page. Pages that cannot be read are left out; without any text it says so. */
export async function parsePdf(data: Uint8Array, request: ParseRequest): Promise<PageCollector> {
  const document = await openPdf(data);
  const pages = new PageCollector(request.maxCharacters);
  const count = Math.min(document.numPages, request.maxPages);
  let unreadable = 0;
  for (let page = 1; page <= count; page++) {
    if (pages.isFull) {
      pages.truncated = true;
      break;
    }
    const text = await readPage(document, page).catch(() => undefined);
    if (text === undefined) unreadable += 1;
    else pages.add({ page, text });
  }
  if (document.numPages > count) pages.truncated = true;
  if (pages.pages.length === 0 && unreadable > 0) {
    throw new Unreadable("file-broken", "is damaged: none of its pages can be read.");
  }
  return pages;
}

async function openPdf(data: Uint8Array): Promise<PdfDocument> {
  try {
    return await getDocumentProxy(data, {
      isEvalSupported: false,
      useSystemFonts: false,
      // Text alone is wanted: no time for pictures.
      maxImageSize: 1,
      verbosity: 0,
    });
  } catch (error) {
    if (error instanceof Error && error.name === "PasswordException") {
      throw new Unreadable("file-unsupported", "is protected with a password.");
    }
    throw new Unreadable("file-broken", "is damaged: it is not a readable PDF.");
  }
}

async function readPage(document: PdfDocument, number: number): Promise<string> {
  const page = await document.getPage(number);
  const { items } = await page.getTextContent();
  page.cleanup();
  return items
    .map((item) => ("str" in item ? `${item.str}${item.hasEOL ? "\n" : ""}` : ""))
    .join("")
    .trim();
}
