import type { Config } from "./config.ts";

/** What is known once everything runs. */
export interface Started {
  /** Where a browser on this machine finds the console. */
  readonly url: string;
  /** The driver's name. */
  readonly backend: string;
  /** Where an admin of a server invites the bot; undefined without Discord. */
  readonly discordInvite: string | undefined;
}

/** What an admin reads once Bobbin runs: where it is, who answers, where the data is, what to do next. */
export function banner(config: Config, { url, backend, discordInvite }: Started): string {
  const lines = [
    "",
    `  Bobbin is running.  ${whereToGo(config, url)}`,
    "",
    ...(config.role === "all" ? [] : [`  Role:     ${roleWords[config.role]}`]),
    `  Answers:  ${whoAnswers(config, backend)}`,
    `  Data:     ${config.data.redisUrl === undefined ? "" : "Redis, and files in "}${config.data.directory}`,
    `  Admins:   ${whoIsAdmin(config)}`,
    ...(discordInvite === undefined ? [] : [`  Discord:  invite it with ${discordInvite}`]),
    "",
    `  ${nextStep(config, url)}`,
    "  Stop it with Ctrl+C: what is being answered is finished, or goes on at the next start.",
    "",
  ];
  return `${lines.join("\n")}\n`;
}

const roleWords = {
  gateway: "gateway: takes messages in, and leaves the answers to workers",
  worker: "worker: answers what gateways take in",
} as const;

function whereToGo({ console, role, server }: Config, url: string): string {
  if (role === "worker") return "Gateways have the console.";
  return console.isEnabled ? (server.publicUrl ?? url) : "The console is off.";
}

function whoAnswers({ model }: Config, backend: string): string {
  if (model.type === "demo") {
    return model.isChosen
      ? "the demo brain, as MODEL_BACKEND=demo says"
      : "the demo brain, because no model is configured";
  }
  return `${model.model} at ${model.baseUrl ?? "OpenAI"}, by ${backend}`;
}

function whoIsAdmin({ admins, console, server }: Config): string {
  const isLocal = console.isEnabled && server.publicUrl === undefined;
  const local = isLocal ? ["whoever uses the console on this machine"] : [];
  const all = [...admins, ...local];
  return all.length > 0 ? all.join(", ") : "nobody yet (ADMINS=web:<your name> makes you one)";
}

function nextStep({ console, model, role }: Config, url: string): string {
  if (!console.isEnabled || role === "worker") return `Health: ${url}readyz`;
  const where = "Open the address in a browser and write “@Bobbin help”.";
  if (model.type === "demo" && !model.isChosen) {
    return `${where}\n  For a real model set OPENAI_API_KEY, or OPENAI_BASE_URL and OPENAI_MODEL, in .env.`;
  }
  return where;
}
