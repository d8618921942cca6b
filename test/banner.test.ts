import { expect, test } from "vitest";
import { banner } from "../src/banner.ts";
import { readConfig } from "../src/config.ts";

function bannerOf(env: { readonly [name: string]: string }, discordInvite?: string): string {
  const result = readConfig(env);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return banner(result.config, {
    url: "http://127.0.0.1:3000/",
    backend: "responses",
    discordInvite,
  });
}

test("with nothing set it says where to go, who answers, and how to get a model", () => {
  const text = bannerOf({});
  expect(text).toContain("http://127.0.0.1:3000/");
  expect(text).toContain("the demo brain, because no model is configured");
  expect(text).toContain("whoever uses the console on this machine");
  expect(text).toContain("OPENAI_API_KEY");
});

test("with a model it names it, and not the key", () => {
  const text = bannerOf({ OPENAI_API_KEY: "sk-secret", OPENAI_MODEL: "gpt-5", ADMINS: "web:ada" });
  expect(text).toContain("gpt-5 at OpenAI, by responses");
  expect(text).toContain("web:ada");
  expect(text).not.toContain("sk-secret");
});

test("beyond this machine it shows the public address, and nobody is an admin by sitting here", () => {
  const text = bannerOf({
    PUBLIC_URL: "https://bobbin.example.com",
    CONSOLE_PASSWORD: "long-enough",
  });
  expect(text).toContain("https://bobbin.example.com");
  expect(text).toContain("nobody yet");
});

test("without the console it says so", () => {
  expect(bannerOf({ CONSOLE: "off" })).toContain("The console is off.");
});

test("with Discord it shows the link that invites the bot", () => {
  expect(bannerOf({}, "https://discord.com/invite-me")).toContain("https://discord.com/invite-me");
  expect(bannerOf({})).not.toContain("Discord");
});

test("beside others it says its part of the whole", () => {
  const redis = { REDIS_URL: "redis://127.0.0.1:6379" };
  const worker = bannerOf({ ...redis, BOBBIN_ROLE: "worker" });
  expect(worker).toContain("answers what gateways take in");
  expect(worker).toContain("Health: http://127.0.0.1:3000/readyz");
  expect(bannerOf({ ...redis, BOBBIN_ROLE: "gateway" })).toContain("leaves the answers to workers");
  expect(bannerOf({})).not.toContain("Role:");
});
