import {
  type APIApplication,
  type APIApplicationCommand,
  ApplicationCommandType,
} from "discord-api-types/v10";
import { type JsonObject, textAt } from "../../slack/json.ts";
import { checkCommands } from "../command-rules.ts";
import {
  applicationFlags,
  channelPayload,
  guildPayload,
  memberPayload,
  rolePayload,
  userPayload,
} from "../payloads.ts";
import { limits } from "../rate-limits.ts";
import { refuse } from "../refusal.ts";
import { nothing, ok, param, type Route, type RouteRequest } from "./route.ts";

type CommandStore = Map<string, APIApplicationCommand>;

const commandPaths = [
  "/applications/:application/commands",
  "/applications/:application/guilds/:guild/commands",
] as const;

/** The application and its commands, people and guilds. */
export const applicationRoutes: readonly Route[] = [
  ...commandPaths.flatMap(commandRoutes),
  {
    method: "GET",
    path: "/applications/@me",
    limit: limits.other,
    handle: ({ world, portal }) =>
      ok({
        // Who made the application here is who owns the first guild.
        owner: userPayload(world.user([...world.guilds.values()][0]?.ownerId ?? world.bot.id)),
        id: world.applicationId,
        name: world.bot.username,
        icon: null,
        description: "",
        bot: userPayload(world.bot),
        bot_public: true,
        bot_require_code_grant: false,
        verify_key: "",
        team: null,
        flags: applicationFlags(portal),
      } as unknown as APIApplication),
  },
  {
    method: "GET",
    path: "/users/@me",
    limit: limits.other,
    handle: ({ world }) => ok(userPayload(world.bot)),
  },
  {
    method: "POST",
    path: "/users/@me/channels",
    limit: limits.other,
    handle: ({ world, body }) => {
      const user = world.user(textAt(body, "recipient_id") ?? "");
      return ok(channelPayload(world, world.directChannel(user.id)));
    },
  },
  {
    method: "DELETE",
    path: "/users/@me/guilds/:guild",
    limit: limits.other,
    handle: (request) => {
      const { world, feed } = request;
      const guild = world.guild(param(request, "guild"));
      guild.members.delete(world.bot.id);
      feed.left(guild, { isOutage: false });
      return nothing;
    },
  },
  {
    method: "GET",
    path: "/users/:user",
    limit: limits.other,
    handle: (request) => ok(userPayload(request.world.user(param(request, "user")))),
  },
  {
    method: "GET",
    path: "/guilds/:guild",
    limit: limits.other,
    handle: (request) => ok(guildPayload(guildOf(request))),
  },
  {
    method: "GET",
    path: "/guilds/:guild/channels",
    limit: limits.other,
    handle: (request) => {
      const guild = guildOf(request);
      const channels = [...request.world.channels.values()].filter(
        ({ guildId, thread }) => guildId === guild.id && !thread,
      );
      return ok(channels.map((channel) => channelPayload(request.world, channel)));
    },
  },
  {
    method: "GET",
    path: "/guilds/:guild/roles",
    limit: limits.other,
    handle: (request) => ok([...guildOf(request).roles.values()].map(rolePayload)),
  },
  {
    method: "GET",
    path: "/guilds/:guild/threads/active",
    limit: limits.other,
    handle: (request) => {
      const { world } = request;
      const threads = world.activeThreads(guildOf(request), world.bot.id);
      return ok({ threads: threads.map((one) => channelPayload(world, one)), members: [] });
    },
  },
  {
    method: "GET",
    path: "/guilds/:guild/members/:user",
    limit: limits.other,
    handle: (request) => {
      const member = guildOf(request).members.get(param(request, "user"));
      return ok(memberPayload(request.world, member ?? refuse("unknownMember")));
    },
  },
];

function guildOf(request: RouteRequest) {
  const guild = request.world.guild(param(request, "guild"));
  return guild.members.has(request.world.bot.id) ? guild : refuse("unknownGuild");
}

function storeOf(request: RouteRequest): CommandStore {
  if (param(request, "application") !== request.world.applicationId) refuse("unknownApplication");
  const guildId = request.params.guild;
  return guildId === undefined ? request.world.commands : guildOf(request).commands;
}

function commandRoutes(path: string): readonly Route[] {
  return [
    {
      method: "GET",
      path,
      limit: limits.other,
      handle: (request) => ok([...storeOf(request).values()]),
    },
    {
      method: "PUT",
      path,
      limit: limits.other,
      handle: (request) => {
        const store = storeOf(request);
        checkCommands(request.list);
        const known = [...store.values()];
        store.clear();
        for (const definition of request.list) {
          const same = known.find(
            (one) => one.name === definition.name && one.type === (definition.type ?? 1),
          );
          put(request, { store, definition, id: same?.id });
        }
        return ok([...store.values()]);
      },
    },
    {
      method: "POST",
      path,
      limit: limits.other,
      handle: (request) => {
        const store = storeOf(request);
        const { body } = request;
        const same = [...store.values()].find(
          (one) => one.name === body.name && one.type === (body.type ?? 1),
        );
        const others = [...store.values()].filter((one) => one !== same);
        checkCommands([...(others as unknown as JsonObject[]), body]);
        const stored = put(request, { store, definition: body, id: same?.id });
        return same ? ok(stored) : { status: 201, body: stored };
      },
    },
    {
      method: "DELETE",
      path: `${path}/:command`,
      limit: limits.other,
      handle: (request) => {
        if (!storeOf(request).delete(param(request, "command"))) refuse("unknownCommand");
        return nothing;
      },
    },
  ];
}

function put(
  request: RouteRequest,
  {
    store,
    definition,
    id,
  }: {
    readonly store: CommandStore;
    readonly definition: JsonObject;
    readonly id: string | undefined;
  },
): APIApplicationCommand {
  const { world } = request;
  const command = {
    type: ApplicationCommandType.ChatInput,
    description: "",
    default_member_permissions: null,
    nsfw: false,
    ...definition,
    id: id ?? world.id(),
    application_id: world.applicationId,
    version: world.id(),
    ...(request.params.guild === undefined ? {} : { guild_id: request.params.guild }),
  } as unknown as APIApplicationCommand;
  store.set(command.id, command);
  return command;
}
