import { parsed } from "../slack/json.ts";

/** One uploaded file: `files[n]` of the form. */
export interface UploadedPart {
  readonly index: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** A request body: JSON alone, or a form of `payload_json` and files. */
export interface RequestBody {
  readonly json: unknown;
  readonly files: readonly UploadedPart[];
}

/** Reads a JSON or multipart body. */
export async function readBody(bytes: Uint8Array, contentType: string): Promise<RequestBody> {
  if (!contentType.startsWith("multipart/form-data")) {
    return { json: parsed(Buffer.from(bytes).toString()), files: [] };
  }
  const form = await new Response(Buffer.from(bytes), {
    headers: { "content-type": contentType },
  }).formData();
  const files: UploadedPart[] = [];
  for (const [name, value] of form) {
    const index = /^files\[(\d+)\]$/.exec(name)?.[1];
    if (index === undefined || typeof value === "string") continue;
    files.push({
      index,
      fileName: value.name,
      contentType: value.type,
      bytes: new Uint8Array(await value.arrayBuffer()),
    });
  }
  const payload = form.get("payload_json");
  return { json: typeof payload === "string" ? parsed(payload) : {}, files };
}
