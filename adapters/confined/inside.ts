import { Buffer } from "node:buffer";
import { readFileSync, writeSync } from "node:fs";

/** What a confined program is asked: the request, and the bytes behind it. */
export function readRequest<Request>(): { readonly request: Request; readonly data: Uint8Array } {
  const input = readFileSync(0);
  const lineEnd = input.indexOf("\n");
  return {
    request: JSON.parse(input.subarray(0, lineEnd).toString("utf8")),
    data: Uint8Array.from(input.subarray(lineEnd + 1)),
  };
}

/** Answers as JSON, to the end, however long: a pipe takes what it has room for. */
export function answer(value: unknown): void {
  const bytes = Buffer.from(JSON.stringify(value));
  let from = 0;
  while (from < bytes.length) from += writeSome(bytes.subarray(from));
}

function writeSome(bytes: Uint8Array): number {
  try {
    return writeSync(1, bytes);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return 0;
    throw error;
  }
}
