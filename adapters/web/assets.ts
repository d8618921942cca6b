import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const pageFolder = fileURLToPath(new URL("page/", import.meta.url));
const require = createRequire(import.meta.url);

const mimeTypes: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".ts": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** A file of the page, ready to be served. */
export interface Asset {
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Changes when the content does. */
  readonly etag: string;
}

/** The page: its files by path, and what may run on it. */
export interface Assets {
  readonly index: Asset;
  /** `script-src` beside `'self'`: the hash of the one inline script, the import map. */
  readonly scriptHash: string;
  /** By path under `/console/`: `page/main.ts`, `vendor/katex.mjs`. */
  find(path: string): Asset | undefined;
}

/**
 * Reads the page and the libraries it uses. The page is written in TypeScript and needs no build:
 * its types are taken out here. Libraries come from `node_modules`, never from another server.
 */
export async function loadAssets(): Promise<Assets> {
  const files = new Map<string, Asset>();
  for (const name of await readdir(pageFolder)) {
    if (name.startsWith("tsconfig") || !(extname(name) in mimeTypes)) continue;
    const source = await readFile(join(pageFolder, name), "utf8");
    files.set(`page/${name}`, toAsset(name, name.endsWith(".ts") ? withoutTypes(source) : source));
  }
  const markdownIt = folderOf("markdown-it");
  await add(
    files,
    "vendor/markdown-it.mjs",
    join(markdownIt, "dist/browser/markdown-it.esm.min.mjs"),
  );
  await add(files, "vendor/purify.mjs", join(folderOf("dompurify"), "dist/purify.es.mjs"));
  const katex = join(folderOf("katex"), "dist");
  await add(files, "vendor/katex.mjs", join(katex, "katex.mjs"));
  await add(files, "vendor/katex.css", join(katex, "katex.min.css"));
  for (const font of await readdir(join(katex, "fonts"))) {
    if (font.endsWith(".woff2"))
      await add(files, `vendor/fonts/${font}`, join(katex, "fonts", font));
  }
  files.set("vendor/highlight.mjs", toAsset("highlight.mjs", await highlightModule()));
  const index = await readFile(join(pageFolder, "index.html"), "utf8");
  return {
    index: toAsset("index.html", index),
    scriptHash: importMapHash(index),
    find: (path) => files.get(path),
  };
}

async function add(files: Map<string, Asset>, path: string, file: string): Promise<void> {
  files.set(path, toAsset(path, await readFile(file)));
}

function toAsset(name: string, content: string | Uint8Array): Asset {
  const body = Uint8Array.from(typeof content === "string" ? Buffer.from(content) : content);
  const digest = createHash("sha256").update(body).digest("base64url");
  const contentType = mimeTypes[extname(name)] ?? "application/octet-stream";
  return { contentType, body, etag: `"${digest.slice(0, 22)}"` };
}

/** Node warns at every start that this function may still change; the lockfile pins the Node. */
function withoutTypes(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** highlight.js is published as CommonJS files; the common languages become one module here. */
async function highlightModule(): Promise<string> {
  const library = join(folderOf("highlight.js"), "lib");
  const common = await readFile(join(library, "common.js"), "utf8");
  const languages = [...common.matchAll(/registerLanguage\('([\w-]+)'/g)].map(([, name]) => name);
  const parts = [`const highlight = ${await asExpression(join(library, "core.js"))};`];
  for (const name of languages) {
    const language = await asExpression(join(library, "languages", `${name}.js`));
    parts.push(`highlight.registerLanguage(${JSON.stringify(name)}, ${language});`);
  }
  return `${parts.join("\n")}\nexport default highlight;\n`;
}

async function asExpression(file: string): Promise<string> {
  const source = await readFile(file, "utf8");
  return `(() => { const module = { exports: {} };\n${source}\nreturn module.exports; })()`;
}

function folderOf(name: string): string {
  const entry = require.resolve(name);
  const folder = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`));
  return dirname(join(folder, "node_modules", name, "package.json"));
}

function importMapHash(index: string): string {
  const [, map = ""] = /<script type="importmap">([\s\S]*?)<\/script>/.exec(index) ?? [];
  return `'sha256-${createHash("sha256").update(map).digest("base64")}'`;
}
