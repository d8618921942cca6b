import { faultsOfBlocks } from "../blocks.ts";
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from "../json.ts";
import type { SlackView } from "../model.ts";
import { limits } from "../rate-limits.ts";
import { refuse } from "../refusal.ts";
import type { World } from "../world.ts";
import type { BotCall, BotMethod } from "./method.ts";

const mostViewBytes = 250_000;
const mostStacked = 3;

const open: BotMethod = {
  scopes: [],
  limit: limits.tier4,
  run(call) {
    const trigger = call.interactions.useTrigger(readTrigger(call));
    const content = readView(call, "modal");
    const view = call.world.addView({
      teamId: trigger.teamId,
      userId: trigger.userId,
      type: "modal",
      content,
    });
    call.world.modalStacks.set(trigger.userId, [view]);
    return { view: call.world.viewPayload(view) };
  },
};

const push: BotMethod = {
  scopes: [],
  limit: limits.tier4,
  run(call) {
    const trigger = call.interactions.useTrigger(readTrigger(call));
    const content = readView(call, "modal");
    if (trigger.viewId === undefined) refuse("not_found");
    const view = pushView(call.world, trigger.userId, content);
    return { view: call.world.viewPayload(view) };
  },
};

const update: BotMethod = {
  scopes: [],
  limit: limits.tier4,
  run(call) {
    const id = call.args.text("view_id");
    const externalId = call.args.text("external_id");
    const view = [...call.world.views.values()].find((one) =>
      id
        ? one.id === id
        : externalId !== undefined && textAt(one.content, "external_id") === externalId,
    );
    const hash = call.args.text("hash");
    if (!view) return refuse("not_found");
    const content = readView(call, view.type);
    if (hash && hash !== view.hash) refuse("hash_conflict");
    // A modal the person has closed is gone.
    if (view.type === "modal" && !call.world.modalStacks.get(view.userId)?.includes(view)) {
      refuse("not_found");
    }
    changeView(call.world, view, content);
    return { view: call.world.viewPayload(view) };
  },
};

const publish: BotMethod = {
  scopes: [],
  limit: limits.tier4,
  run(call) {
    const userId = call.args.requiredText("user_id");
    const user = call.world.users.get(userId);
    if (!user) return refuse("invalid_arguments", "user_id");
    const content = readView(call, "home");
    const key = `${call.installation.teamId} ${userId}`;
    const known = call.world.homes.get(key);
    const hash = call.args.text("hash");
    if (known && hash && hash !== known.hash) refuse("hash_conflict");
    if (known) changeView(call.world, known, content);
    const view =
      known ??
      call.world.addView({ teamId: call.installation.teamId, userId, type: "home", content });
    call.world.homes.set(key, view);
    return { view: call.world.viewPayload(view) };
  },
};

/** views.*. */
export const viewMethods: Readonly<Record<string, BotMethod>> = {
  "views.open": open,
  "views.push": push,
  "views.update": update,
  "views.publish": publish,
};

/** Puts a modal on top of a person's stack; there may be three. */
export function pushView(world: World, userId: string, content: JsonObject): SlackView {
  const stack = world.modalStacks.get(userId) ?? [];
  const below = stack.at(-1);
  if (!below) return refuse("not_found");
  if (stack.length >= mostStacked) refuse("push_limit_reached");
  const view = world.addView({
    teamId: below.teamId,
    userId,
    type: "modal",
    content,
    rootId: below.rootId,
    previousId: below.id,
  });
  world.modalStacks.set(userId, [...stack, view]);
  return view;
}

/** Gives a view other content; what was said against the old one is forgotten. */
export function changeView(world: World, view: SlackView, content: JsonObject): void {
  view.content = content;
  view.errors = {};
  view.hash = world.newHash();
}

/** What Slack says against a view; empty when nothing. */
export function faultsOfView(view: JsonObject, type: "modal" | "home"): readonly string[] {
  const faults: string[] = [];
  if (view.type !== type) faults.push(`must be a ${type} view [json-pointer:/view/type]`);
  const blocks = objectsAt(view, "blocks");
  if (!Array.isArray(view.blocks))
    faults.push("missing required field: blocks [json-pointer:/view]");
  faults.push(...faultsOfBlocks(blocks, type));
  if ((textAt(view, "private_metadata")?.length ?? 0) > 3000) {
    faults.push("must be less than 3001 characters [json-pointer:/view/private_metadata]");
  }
  if ((textAt(view, "callback_id")?.length ?? 0) > 255) {
    faults.push("must be less than 256 characters [json-pointer:/view/callback_id]");
  }
  if (type === "modal") {
    for (const name of ["title", "submit", "close"]) {
      const text = textAt(objectAt(view, name), "text") ?? "";
      if (text.length > 24)
        faults.push(`must be less than 25 characters [json-pointer:/view/${name}]`);
    }
    if (!textAt(objectAt(view, "title"), "text")) {
      faults.push("missing required field: title [json-pointer:/view]");
    }
    const hasInput = blocks.some((block) => block.type === "input");
    if (hasInput && !isObject(view.submit)) faults.push("missing required field: submit");
  }
  return faults;
}

function readTrigger({ args }: BotCall): string {
  return (
    args.text("trigger_id") ??
    args.text("interactivity_pointer") ??
    refuse("invalid_arguments", "trigger_id")
  );
}

function readView({ args }: BotCall, type: "modal" | "home"): JsonObject {
  const view = args.object("view");
  if (!view) return refuse("invalid_arguments", "missing required field: view");
  if (JSON.stringify(view).length > mostViewBytes) return refuse("view_too_large");
  const faults = faultsOfView(view, type);
  if (faults.length > 0) return refuse("invalid_arguments", ...faults);
  return view;
}
