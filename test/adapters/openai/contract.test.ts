import { createAssistantsBackend } from "../../../adapters/openai/assistants.ts";
import { createChatBackend } from "../../../adapters/openai/chat-completions.ts";
import { profiles } from "../../../adapters/openai/profiles.ts";
import { createResponsesBackend } from "../../../adapters/openai/responses.ts";
import { describeModelBackend } from "../../contracts/model-backend.ts";
import { eventByEvent } from "../../wire/event-by-event.ts";

const usual = { apiKey: "test-key", fetch: eventByEvent };

describeModelBackend("responses, kept at the service,", (baseUrl, idleTimeoutMs) =>
  createResponsesBackend({ ...usual, baseUrl, idleTimeoutMs, profile: profiles.openai }),
);

describeModelBackend("responses, replayed,", (baseUrl, idleTimeoutMs) =>
  createResponsesBackend({ ...usual, baseUrl, idleTimeoutMs, profile: profiles.openrouter }),
);

describeModelBackend("chat completions", (baseUrl, idleTimeoutMs) =>
  createChatBackend({ ...usual, baseUrl, idleTimeoutMs, profile: profiles.openai }),
);

describeModelBackend("assistants", (baseUrl, idleTimeoutMs) =>
  createAssistantsBackend({ ...usual, baseUrl, idleTimeoutMs }),
);
