import { expect } from "vitest";
import { createDiscord } from "../adapters/discord/discord-harness.ts";
import type { DiscordChannel, DiscordMessage } from "../wire/discord/discord-server.ts";
import { modalFields } from "../wire/discord/seen.ts";
import { discordForTest } from "../wire/discord/tiny-bot.ts";
import { objectsAt, textAt } from "../wire/slack/json.ts";
import { messageWith, type Stage, shownIn, type Talk, textsWithFiles } from "./stage.ts";

const patience = { timeout: 20_000 };

/** Discord, by its own client against the wire server. */
export async function discordStage(): Promise<Stage & { readonly server: DiscordWire }> {
  const discord = await discordForTest();
  const people = {
    Ada: discord.addPerson("Ada"),
    Grace: discord.addPerson("Grace"),
    Boss: discord.addPerson("Boss"),
  };
  const shop = discord.addChannel("shop");
  const staff = discord.addChannel("staff");

  const talk = (): Talk => {
    let root: DiscordMessage | undefined;
    let before: ReadonlySet<string> = new Set();
    const thread = (): DiscordChannel | undefined => root && discord.threadOn(root);
    const all = () => {
      const channel = thread();
      return channel ? discord.replies(channel).filter(({ isEphemeral }) => !isEphemeral) : [];
    };
    const replies = () => all().filter(({ id }) => !before.has(id));
    const lastWith = (control: string) => messageWith(replies(), control);
    return {
      async says(who, text, file) {
        before = new Set(all().map(({ id }) => id));
        const files = file ? [{ name: file.name, bytes: file.text }] : [];
        const message = people[who].mentions(thread() ?? shop, text, { files });
        root ??= message;
      },
      shown: async () => shownIn(replies()),
      async answers(who, values) {
        const pressed = people[who].presses(lastWith("Answer"), "Answer");
        await expect.poll(() => pressed.status, patience).not.toBe("waiting");
        if (!pressed.modal) return () => pressed.answer?.text;
        const given = modalFields(pressed.modal).map(({ label, input }, index) => {
          const option = objectsAt(input, "options").find((one) => one.label === values[index]);
          return [label, option ? [textAt(option, "value") ?? ""] : (values[index] ?? "")];
        });
        const sent = people[who].submits(pressed, Object.fromEntries(given));
        await expect.poll(() => sent.status, patience).not.toBe("waiting");
        return () => sent.followUps[0]?.text;
      },
      async presses(who, control) {
        people[who].presses(lastWith(control), control);
      },
      async whispersTo(who) {
        const channel = thread();
        const own = channel
          ? people[who].sees(channel).filter(({ isEphemeral }) => isEphemeral)
          : [];
        const direct = discord.replies(people[who].directChannel());
        return [...own, ...direct, ...all()].map(({ text }) => text).join("\n");
      },
    };
  };

  return {
    name: "Discord on the wire",
    server: discord,
    create: (ledger) => createDiscord(discord, { ledger }),
    boss: `discord:${people.Boss.id}`,
    staff: { platform: "discord", channel: staff.id },
    async staffReads() {
      return textsWithFiles(discord.replies(staff));
    },
    talk,
    end: async () => undefined,
  };
}

type DiscordWire = Awaited<ReturnType<typeof discordForTest>>;
