import { fileTypeFromBuffer } from "file-type";
import type { FileKind } from "#ports/document-reader";
import { looksLikeText } from "./text.ts";

/** The pictures model APIs take. https://platform.openai.com/docs/guides/images-vision */
const pictures: ReadonlySet<string> = new Set([
  "image/png",
  "image/jpeg",
  "image/webp",
  "image/gif",
]);

const word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const excel = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/** Office formats by what file-type calls them; with macros they are read the same, and nothing runs. */
const office: { readonly [mimeType: string]: FileKind } = {
  [word]: { mimeType: word, family: "document" },
  "application/vnd.ms-word.document.macroenabled.12": { mimeType: word, family: "document" },
  [excel]: { mimeType: excel, family: "sheet" },
  "application/vnd.ms-excel.sheet.macroenabled.12": { mimeType: excel, family: "sheet" },
};

/** What is written in text, by the name's ending: the content cannot tell Python from Ruby. */
const textKinds: { readonly [extension: string]: FileKind } = {
  csv: { mimeType: "text/csv", family: "sheet" },
  tsv: { mimeType: "text/tab-separated-values", family: "sheet" },
  md: { mimeType: "text/markdown", family: "text" },
  markdown: { mimeType: "text/markdown", family: "text" },
  htm: { mimeType: "text/html", family: "text" },
  html: { mimeType: "text/html", family: "text" },
  xhtml: { mimeType: "text/html", family: "text" },
  json: { mimeType: "application/json", family: "code" },
  jsonl: { mimeType: "application/jsonl", family: "code" },
  xml: { mimeType: "application/xml", family: "code" },
  svg: { mimeType: "image/svg+xml", family: "code" },
  yaml: { mimeType: "application/yaml", family: "code" },
  yml: { mimeType: "application/yaml", family: "code" },
  js: { mimeType: "text/javascript", family: "code" },
  mjs: { mimeType: "text/javascript", family: "code" },
  cjs: { mimeType: "text/javascript", family: "code" },
  css: { mimeType: "text/css", family: "code" },
  py: { mimeType: "text/x-python", family: "code" },
  ts: { mimeType: "text/x-typescript", family: "code" },
  tsx: { mimeType: "text/x-typescript", family: "code" },
  sh: { mimeType: "text/x-shellscript", family: "code" },
  ...Object.fromEntries(
    // Plain text to every model API; the name says the rest.
    "jsx java c h cc cpp hpp cs go rs rb php pl lua r jl kt kts swift scala clj ex exs erl hs ml fs vb sql graphql proto toml ini cfg conf env properties gradle cmake make mk dockerfile bash zsh fish ps1 bat vue svelte scss sass less tex bib diff patch tf ipynb asm pas dart nim zig"
      .split(" ")
      .map((extension) => [extension, { mimeType: "text/plain", family: "code" } as const]),
  ),
};

/** What an old or protected Office file is; its container alone does not say. */
const oldOffice: { readonly [extension: string]: string } = {
  doc: "application/msword",
  xls: "application/vnd.ms-excel",
  ppt: "application/vnd.ms-powerpoint",
  msg: "application/vnd.ms-outlook",
};

/** What a file is, by its first bytes; the name only tells kinds of text apart. Never throws. */
export async function kindOf(head: Uint8Array, name: string): Promise<FileKind> {
  if (head.length === 0) return { mimeType: "application/x-empty", family: "unsupported" };
  if (startsWith(head, "%PDF-")) return { mimeType: "application/pdf", family: "pdf" };
  const extension = extensionOf(name);
  // Before the look at magic numbers: some are two letters, and "BM…" may well be a text.
  if (looksLikeText(head)) return textKind(head, extension);
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  const mimeType = found?.mime ?? "application/octet-stream";
  if (pictures.has(mimeType)) return { mimeType, family: "image" };
  const known = Object.hasOwn(office, mimeType) ? office[mimeType] : undefined;
  if (known) return known;
  if (mimeType === "application/zip") return archiveKind(head, extension);
  if (mimeType === "application/x-cfb") {
    const old = Object.hasOwn(oldOffice, extension) ? oldOffice[extension] : undefined;
    return { mimeType: old ?? mimeType, family: "unsupported" };
  }
  return { mimeType, family: "unsupported" };
}

function textKind(head: Uint8Array, extension: string): FileKind {
  if (startsWith(head, "{\\rtf")) return { mimeType: "application/rtf", family: "unsupported" };
  if (startsWith(head, "%!PS")) {
    return { mimeType: "application/postscript", family: "unsupported" };
  }
  const start = new TextDecoder("latin1").decode(head.subarray(0, 512)).trimStart().toLowerCase();
  if (/^(ï»¿)?<(!doctype html|html[\s>])/.test(start)) {
    return { mimeType: "text/html", family: "text" };
  }
  const byName = Object.hasOwn(textKinds, extension) ? textKinds[extension] : undefined;
  return byName ?? { mimeType: "text/plain", family: "text" };
}

/** An Office file whose parts lie beyond the first bytes: the names of those that do not, then its own. */
function archiveKind(head: Uint8Array, extension: string): FileKind {
  const names = new TextDecoder("latin1").decode(head);
  const isOffice = /\[Content_Types\]\.xml|_rels\/|docProps\//.test(names);
  if (names.includes("word/")) return { mimeType: word, family: "document" };
  if (names.includes("xl/")) return { mimeType: excel, family: "sheet" };
  if (isOffice && /^doc[xm]$/.test(extension)) return { mimeType: word, family: "document" };
  if (isOffice && /^xls[xm]$/.test(extension)) return { mimeType: excel, family: "sheet" };
  return { mimeType: "application/zip", family: "unsupported" };
}

function extensionOf(name: string): string {
  return /\.([a-z0-9]+)$/i.exec(name.trim())?.[1]?.toLowerCase() ?? name.trim().toLowerCase();
}

function startsWith(head: Uint8Array, text: string): boolean {
  if (head.length < text.length) return false;
  return [...text].every((letter, index) => head[index] === letter.charCodeAt(0));
}
