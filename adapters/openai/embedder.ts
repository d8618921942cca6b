import { BotError } from "#domain/errors";
import type { Embedder } from "#ports/embedder";
import { type ClientOptions, createClient, retried } from "./client.ts";
import { toTurnFailure } from "./failures.ts";

/** Vectors by a server's own model for it: POST /embeddings, which nearly every server speaks. */
export function createEmbedder(options: ClientOptions & { readonly model: string }): Embedder {
  const { model } = options;
  const client = createClient(options);
  return {
    model,
    async embed(texts, signal) {
      try {
        const answer = await client.embeddings.create(
          // Plain numbers: base64, which the SDK asks for by itself, is not spoken everywhere.
          { model, input: [...texts], encoding_format: "float" },
          { signal, ...retried },
        );
        return { vectors: vectorsIn(answer, texts.length), tokens: tokensIn(answer) };
      } catch (error) {
        if (error instanceof BotError) throw error;
        const { code, detail } = toTurnFailure(error);
        throw new BotError(code, { ...(detail ? { detail } : {}), cause: error });
      }
    },
  };
}

/** The vectors in the order of their texts. What a server answers is looked at before it is believed. */
function vectorsIn(answer: unknown, count: number): readonly Float32Array[] {
  const data: unknown = (answer as { readonly data?: unknown }).data;
  const vectors = new Array<Float32Array | undefined>(count).fill(undefined);
  for (const [place, one] of (Array.isArray(data) ? data : []).entries()) {
    const { index = place, embedding } = one as { index?: unknown; embedding?: unknown };
    if (typeof index === "number" && isVector(embedding))
      vectors[index] = Float32Array.from(embedding);
  }
  const [first] = vectors;
  const isWhole = vectors.every((vector) => vector && vector.length === first?.length);
  if (vectors.length !== count || !isWhole) {
    const detail = "The server did not answer with one vector for each text.";
    throw new BotError("model-failed", { detail });
  }
  return vectors.filter((vector) => vector !== undefined);
}

function isVector(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every(Number.isFinite);
}

function tokensIn(answer: unknown): number {
  const { usage } = answer as { readonly usage?: { readonly prompt_tokens?: unknown } };
  return typeof usage?.prompt_tokens === "number" ? usage.prompt_tokens : 0;
}
