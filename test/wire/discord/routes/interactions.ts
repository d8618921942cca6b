import type { DiscordInteraction } from "../model.ts";
import { fullMessagePayload } from "../payloads.ts";
import { limits } from "../rate-limits.ts";
import { refuse } from "../refusal.ts";
import { nothing, ok, param, type Route, type RouteRequest } from "./route.ts";

/** Answers to interactions: the callback, and the webhook its token opens. */
export const interactionRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/interactions/:interaction/:token/callback",
    limit: limits.callback,
    needsToken: false,
    handle: (request) => {
      const interaction = request.world.interactions.get(param(request, "token"));
      if (interaction?.id !== param(request, "interaction")) refuse("unknownInteraction");
      const body = request.interactions.answer(request, interaction);
      return request.query.get("with_response") === "true" ? ok(body) : nothing;
    },
  },
  {
    method: "POST",
    path: "/webhooks/:application/:token",
    limit: limits.webhook,
    needsToken: false,
    handle: (request) => {
      const message = request.interactions.followUp(request, interactionOf(request));
      // Follow-ups to an interaction are always answered with the message.
      return ok(fullMessagePayload(request.world, message, request.portal));
    },
  },
  {
    method: "GET",
    path: "/webhooks/:application/:token/messages/:message",
    limit: limits.webhook,
    needsToken: false,
    handle: (request) => {
      const message = request.interactions.messageOf(
        interactionOf(request),
        param(request, "message"),
      );
      return ok(fullMessagePayload(request.world, message, request.portal));
    },
  },
  {
    method: "PATCH",
    path: "/webhooks/:application/:token/messages/:message",
    limit: limits.webhook,
    needsToken: false,
    handle: (request) => {
      const interaction = interactionOf(request);
      const message = request.interactions.messageOf(interaction, param(request, "message"));
      request.interactions.edit(request, message);
      return ok(fullMessagePayload(request.world, message, request.portal));
    },
  },
  {
    method: "DELETE",
    path: "/webhooks/:application/:token/messages/:message",
    limit: limits.webhook,
    needsToken: false,
    handle: (request) => {
      const interaction = interactionOf(request);
      const message = request.interactions.messageOf(interaction, param(request, "message"));
      request.world.deleteMessage(message);
      request.feed.deleted(message);
      return nothing;
    },
  },
];

function interactionOf(request: RouteRequest): DiscordInteraction {
  if (param(request, "application") !== request.world.applicationId) refuse("unknownWebhook");
  return request.interactions.withToken(param(request, "token"));
}
