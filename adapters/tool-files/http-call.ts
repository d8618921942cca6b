import type { GuardedRequest } from "./guarded-request.ts";

/** What a file says of the request behind a tool. */
export interface HttpTemplate {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `https://shop.example.com/orders/{order}`: names in braces are arguments. */
  readonly url: string;
  readonly query: { readonly [name: string]: string };
  readonly headers: { readonly [name: string]: string };
  /** `arguments`: those that stand nowhere else, as JSON. */
  readonly body: "arguments" | "none";
}

type Arguments = { readonly [name: string]: unknown };

const placeholder = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
const secretName = /\$\{([A-Z][A-Z0-9_]*)\}/g;

/** What is wrong with a template, in words; undefined when nothing is. */
export function templateProblem(
  { url, query, headers }: HttpTemplate,
  parameters: readonly string[],
): string | undefined {
  const origin = /^https?:\/\/[^/?#{}$]+(?=[/?#]|$)/i.exec(url)?.[0];
  if (origin === undefined || !URL.canParse(url.replace(placeholder, "x"))) {
    return `\`url\` has to begin with a fixed https:// address, not ${JSON.stringify(url)}`;
  }
  if (/\$\{/.test(url)) return "a secret belongs into a header, not into `url`";
  if (Object.values(query).some((value) => value.includes("${"))) {
    return "a secret belongs into a header, not into `query`";
  }
  if (Object.values(headers).some((value) => withoutSecrets(value).match(placeholder))) {
    return "an argument belongs into `url`, `query` or the body, not into a header";
  }
  const named = [url, ...Object.values(query)].flatMap(namesIn);
  const unknown = named.find((name) => !parameters.includes(name));
  return unknown === undefined ? undefined : `{${unknown}} is not among the parameters`;
}

/** The names of secrets the headers want. */
export function secretsIn({ headers }: HttpTemplate): readonly string[] {
  const values = Object.values(headers);
  return [
    ...new Set(
      values.flatMap((value) => [...value.matchAll(secretName)].map((found) => found[1] ?? "")),
    ),
  ];
}

/** The request for one call, or words for the model why there is none. */
export function toRequest(
  template: HttpTemplate,
  args: Arguments,
  secrets: ReadonlyMap<string, string>,
): GuardedRequest | string {
  const inPath = namesIn(template.url);
  for (const name of inPath) {
    const text = textOf(args[name]);
    if (text === "" || /^\.{1,2}$/.test(text)) {
      return `\`${name}\` cannot be ${JSON.stringify(args[name] ?? null)}: it is part of an address.`;
    }
  }
  const url = new URL(
    template.url.replace(placeholder, (_, name) => encodeURIComponent(textOf(args[name]))),
  );
  for (const [name, value] of Object.entries(template.query)) {
    const isLeftOut = namesIn(value).some((one) => args[one] === undefined || args[one] === null);
    if (isLeftOut) continue;
    url.searchParams.set(
      name,
      value.replace(placeholder, (_, one) => textOf(args[one])),
    );
  }
  const used = new Set([...inPath, ...Object.values(template.query).flatMap(namesIn)]);
  const rest = Object.entries(args).filter(([name]) => !used.has(name));
  const hasBody = template.body === "arguments" && template.method !== "GET";
  const headers = Object.fromEntries(
    Object.entries(template.headers).map(([name, value]) => [
      name.toLowerCase(),
      value.replace(secretName, (_, secret) => secrets.get(secret) ?? ""),
    ]),
  );
  return {
    method: template.method,
    url,
    headers: {
      accept: "application/json, text/*;q=0.8",
      ...(hasBody ? { "content-type": "application/json" } : {}),
      ...headers,
    },
    ...(hasBody ? { body: JSON.stringify(Object.fromEntries(rest)) } : {}),
  };
}

function namesIn(text: string): readonly string[] {
  return [...text.matchAll(placeholder)].map((found) => found[1] ?? "");
}

function withoutSecrets(text: string): string {
  return text.replace(secretName, "");
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
