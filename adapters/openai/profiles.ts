import type { HostedToolType } from "#domain/tool";

/** The ways to ask an OpenAI-compatible server; `assistants` is never chosen by itself. */
export type ModelApi = "responses" | "chat" | "assistants";

/**
 * What one kind of server can do.
 *
 * Never found out by probing: several servers accept state fields and silently ignore them, so only
 * what is listed here is used, and a server we do not know gets the least.
 */
export interface EndpointProfile {
  readonly name: string;
  /** What `auto` chooses. */
  readonly preferredApi: ModelApi;
  /** True: responses are kept and `previous_response_id` is honoured. Otherwise everything is replayed. */
  readonly stateful: boolean;
  /** True: `background` responses can be resumed, polled and cancelled. */
  readonly background: boolean;
  readonly hostedTools: readonly HostedToolType[];
  /** True: there is a Files API, and `input_file` is read. */
  readonly files: boolean;
  readonly images: boolean;
  /** True: `context_management` with `compaction` is honoured. */
  readonly compaction: boolean;
  /** True: OpenAI's own request fields are known: `prompt_cache_key`, `safety_identifier`, `metadata` and the like. */
  readonly openaiFields: boolean;
  /** For which models reasoning items can be asked for encrypted, to be sent back. */
  readonly encryptedReasoning: "none" | "reasoning-models" | "all";
  /** How Chat Completions names the limit of an answer. */
  readonly maxTokensField: "max_completion_tokens" | "max_tokens";
  /** True: runs on somebody's own machine, where reading a long prompt may take minutes. */
  readonly local: boolean;
}

/** Every hosted tool there is. */
const allHostedTools: readonly HostedToolType[] = [
  "code_interpreter",
  "file_search",
  "web_search",
  "image_generation",
];

const floor: EndpointProfile = {
  name: "compatible",
  preferredApi: "chat",
  stateful: false,
  background: false,
  hostedTools: [],
  files: false,
  images: true,
  compaction: false,
  openaiFields: false,
  encryptedReasoning: "none",
  maxTokensField: "max_tokens",
  local: false,
};

const openai: EndpointProfile = {
  name: "openai",
  preferredApi: "responses",
  stateful: true,
  background: true,
  hostedTools: allHostedTools,
  files: true,
  images: true,
  compaction: true,
  openaiFields: true,
  encryptedReasoning: "reasoning-models",
  maxTokensField: "max_completion_tokens",
  local: false,
};

/**
 * The profiles by name. Sources: each vendor's own documentation of its Responses endpoint; the
 * stateless ones say so (Ollama, OpenRouter, DeepSeek), vLLM keeps responses only with a setting.
 */
export const profiles = {
  openai,
  /** The v1 endpoint of Azure OpenAI, which takes the ordinary client. */
  azure: { ...openai, name: "azure", hostedTools: ["code_interpreter", "file_search"] },
  /** The in-process demo brain, under the same driver: it does whatever it can do truthfully. */
  demo: {
    ...openai,
    name: "demo",
    hostedTools: ["code_interpreter", "file_search", "image_generation"],
    compaction: false,
  },
  /** Keeps responses for 30 days, but takes no `instructions` together with `previous_response_id`. */
  xai: { ...floor, name: "xai", preferredApi: "responses", encryptedReasoning: "all" },
  /** Stateful since 0.3.29. */
  lmstudio: { ...floor, name: "lmstudio", stateful: true, local: true },
  ollama: { ...floor, name: "ollama", local: true },
  llamacpp: { ...floor, name: "llamacpp", local: true },
  vllm: { ...floor, name: "vllm", local: true },
  openrouter: { ...floor, name: "openrouter" },
  deepseek: { ...floor, name: "deepseek", images: false },
  compatible: floor,
} as const satisfies { readonly [name: string]: EndpointProfile };

/** Hosts that tell a vendor, by how the name ends. */
const hosts: readonly (readonly [ending: string, profile: EndpointProfile])[] = [
  ["api.openai.com", profiles.openai],
  [".openai.azure.com", profiles.azure],
  [".services.ai.azure.com", profiles.azure],
  ["demo.invalid", profiles.demo],
  ["api.x.ai", profiles.xai],
  ["openrouter.ai", profiles.openrouter],
  ["api.deepseek.com", profiles.deepseek],
];

/** Ports that tell a program, on hosts that tell nothing. */
const ports: { readonly [port: string]: EndpointProfile } = {
  "11434": profiles.ollama,
  "1234": profiles.lmstudio,
  "8080": profiles.llamacpp,
  "8000": profiles.vllm,
};

/** The profile of a server, by its base URL; absent means OpenAI. Unknown and malformed ones get the floor. */
export function profileOf(baseUrl: string | undefined): EndpointProfile {
  if (baseUrl === undefined || baseUrl === "") return profiles.openai;
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (url === undefined) return profiles.compatible;
  const host = url.hostname.toLowerCase();
  for (const [ending, profile] of hosts) {
    const whole = ending.startsWith(".") ? ending.slice(1) : ending;
    if (host === whole || host.endsWith(`.${whole}`)) return profile;
  }
  return (isOwnMachine(host) ? ports[url.port] : undefined) ?? profiles.compatible;
}

/**
 * Which API to speak with a server. `auto` goes by the profile, so an unknown base URL gets `chat`,
 * which every compatible server has.
 */
export function chooseApi(baseUrl: string | undefined, setting: "auto" | ModelApi): ModelApi {
  return setting === "auto" ? profileOf(baseUrl).preferredApi : setting;
}

/**
 * True for models that reason before they answer: they refuse `temperature` and `top_p`, and may
 * think for minutes. A vendor prefix (`openai/gpt-5.5`) does not matter.
 */
export function isReasoningModel(model: string): boolean {
  const name = model.slice(model.lastIndexOf("/") + 1).toLowerCase();
  if (/-chat(-|$)/.test(name)) return false;
  return /^(o\d|gpt-[5-9]|gpt-\d\d|codex|computer-use|deepseek-r|deepseek-reasoner|qwq|gpt-oss)/.test(
    name,
  );
}

function isOwnMachine(host: string): boolean {
  return (
    ["localhost", "[::1]", "host.docker.internal"].includes(host) ||
    /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host) ||
    /\.(local|lan|internal)$/.test(host) ||
    !host.includes(".")
  );
}
