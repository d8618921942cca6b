import type { Role } from "#domain/settings";
import type { Command } from "./command.ts";

/**
 * Who may do what. A *person* is anybody who may write where the command is given; a *manager* is one
 * by the platform's rights or by `settings managers`, and everybody is the manager of their own direct
 * messages; *admins* are named in the configuration or by the platform.
 *
 * | command | person | manager | admin |
 * |---|---|---|---|
 * | help, status, list, show, usage of oneself, of a channel, of a run | yes | yes | yes |
 * | new, stop, retry, export, files | yes | yes | yes |
 * | context of oneself, forget of oneself | yes | yes | yes |
 * | stop all | when all that waits is their own | yes | yes |
 * | forget of a conversation | direct message or scope `person` | yes | yes |
 * | resume after a hand-over | no | yes | yes |
 * | use, model, instructions, queue, scope, context of a channel, settings managers | shown only | yes | yes |
 * | create (not by way of a direct message) | no | yes | yes |
 * | files pin and unpin, files add for the channel | no | yes | yes |
 * | edit, delete, tools on and off, files share, unshare and add | shown only | assistants no other channel uses | yes |
 * | the same for the default assistant | no | no | yes |
 * | settings cap, usage of everything by month, list audit | no | no | yes |
 *
 * This is the least role a command needs; what depends on whose conversation or assistant it is comes on
 * top, at the desk.
 */
export function roleFor(command: Command): Role {
  switch (command.type) {
    case "help":
    case "status":
    case "show":
    case "files":
    case "new":
    case "stop":
    case "retry":
    case "export":
    case "forget":
      return "person";
    case "list":
      return command.what === "audit" ? "admin" : "person";
    case "usage":
      return command.of === "month" ? "admin" : "person";
    case "resume":
    case "create":
    case "edit":
    case "delete":
      return "manager";
    case "use":
      return command.assistant === null ? "person" : "manager";
    case "model":
    case "instructions":
      return command.change.type === "show" ? "person" : "manager";
    case "context":
      return command.of === "channel" && command.change.type !== "show" ? "manager" : "person";
    case "tools":
      return command.action === "list" ? "person" : "manager";
    case "queue":
      return command.policy === null ? "person" : "manager";
    case "scope":
      return command.scope === null ? "person" : "manager";
    case "settings":
      if (command.topic === "cap") return command.change.type === "show" ? "person" : "admin";
      if (command.topic === "managers") return command.action === "list" ? "person" : "manager";
      return "person";
  }
}

/** True when somebody of role `has` may do what `needs` a role. */
export function mayAct(has: Role, needs: Role): boolean {
  const ranks = { person: 0, manager: 1, admin: 2 } as const;
  return ranks[has] >= ranks[needs];
}
