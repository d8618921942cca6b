import type { OpenAI } from "openai";
import { retried } from "./client.ts";

/** Models that do something else than answer. */
const otherwise =
  /embed|whisper|tts|dall-e|moderation|transcribe|realtime|audio|sora|babbage|davinci|gpt-image|rerank/i;

/** The models to choose from, by name; empty when the server does not say. */
export async function listModels(client: OpenAI): Promise<readonly string[]> {
  try {
    const page = await client.models.list({ ...retried, timeout: 10_000 });
    return page.data
      .map((model) => model.id)
      .filter((id) => !otherwise.test(id))
      .sort();
  } catch {
    return [];
  }
}
