import { APIError, toFile } from "openai";
import { BotError } from "#domain/errors";
import type { Transcriber } from "#ports/transcriber";
import { type ClientOptions, createClient } from "./client.ts";
import { toTurnFailure } from "./failures.ts";

/** The service takes recordings of up to 25 MB (platform.openai.com/docs/guides/speech-to-text). */
const mostBytes = 25 * 1024 * 1024;

/** Transcriptions by the server's own model for it: POST /audio/transcriptions. */
export function createTranscriber(
  options: ClientOptions & { readonly model: string },
): Transcriber {
  const client = createClient(options);
  return {
    async transcribe({ name, mimeType, data }, signal) {
      if (data.byteLength > mostBytes) {
        const detail = `${name} is larger than the 25 MB that can be transcribed.`;
        throw new BotError("file-too-large", { detail });
      }
      const type = mimeType.split(";")[0] ?? mimeType;
      try {
        const file = await toFile(data, name, { type });
        const { text } = await client.audio.transcriptions.create(
          { file, model: options.model, response_format: "json" },
          { signal },
        );
        return text.trim();
      } catch (error) {
        throw new BotError("file-unsupported", { detail: detailOf(name, error), cause: error });
      }
    },
  };
}

function detailOf(name: string, error: unknown): string {
  const isRefused = error instanceof APIError && (error.status === 400 || error.status === 404);
  if (isRefused) return `The model's service could not transcribe ${name}.`;
  const { code } = toTurnFailure(error);
  const why = code === "model-auth" ? "refused my key" : "does not answer just now";
  return `${name} could not be transcribed: the model's service ${why}.`;
}
