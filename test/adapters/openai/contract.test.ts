import { createAssistantsBackend } from "../../../adapters/openai/assistants.ts";
import { createChatBackend } from "../../../adapters/openai/chat-completions.ts";
import { profiles } from "../../../adapters/openai/profiles.ts";
import { createResponsesBackend } from "../../../adapters/openai/responses.ts";
import { describeModelBackend, idleTimeoutMs } from "../../contracts/model-backend.ts";
import { eventByEvent } from "../../wire/event-by-event.ts";

const usual = { apiKey: "test-key", idleTimeoutMs, fetch: eventByEvent };

describeModelBackend("responses, kept at the service,", (baseUrl) =>
  createResponsesBackend({ ...usual, baseUrl, profile: profiles.openai }),
);

describeModelBackend("responses, replayed,", (baseUrl) =>
  createResponsesBackend({ ...usual, baseUrl, profile: profiles.openrouter }),
);

describeModelBackend("chat completions", (baseUrl) =>
  createChatBackend({ ...usual, baseUrl, profile: profiles.openai }),
);

describeModelBackend("assistants", (baseUrl) => createAssistantsBackend({ ...usual, baseUrl }));
