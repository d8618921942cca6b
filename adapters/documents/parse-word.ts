import mammoth from "mammoth";
import { checkArchive } from "./archive.ts";
import { htmlToPlainText } from "./parse-html.ts";
import { PageCollector, type ParseRequest } from "./request.ts";

/** A Word document as text, with its lists and tables; pictures and macros are left out. */
export async function parseWord(data: Uint8Array, request: ParseRequest): Promise<PageCollector> {
  await checkArchive(data, request.maxUnpackedBytes);
  const { value: html } = await mammoth.convertToHtml(
    { buffer: Buffer.from(data) },
    { convertImage: mammoth.images.imgElement(async () => ({ src: "" })) },
  );
  const pages = new PageCollector(request.maxCharacters);
  pages.add({ text: htmlToPlainText(html) });
  return pages;
}
