import { expect } from "vitest";
import { createSlack } from "../adapters/slack/slack-harness.ts";
import { type SlackMessage, startSlackServer } from "../wire/slack/slack-server.ts";
import { messageWith, type Stage, shownIn, type Talk, textsWithFiles } from "./stage.ts";

const patience = { timeout: 20_000 };

/** Slack, by its own client against the wire server. */
export async function slackStage(
  streaming: "auto" | "update" = "auto",
): Promise<Stage & { readonly server: SlackWire }> {
  const slack = await startSlackServer();
  const people = {
    Ada: slack.addPerson("Ada"),
    Grace: slack.addPerson("Grace"),
    Boss: slack.addPerson("Boss"),
  };
  const shop = slack.addChannel("shop", { members: Object.values(people) });
  const staff = slack.addChannel("staff", { members: [people.Boss] });

  const talk = (): Talk => {
    let root: SlackMessage | undefined;
    let before: ReadonlySet<string> = new Set();
    const all = () => (root ? slack.replies(shop, root.ts) : []);
    const replies = () => all().filter(({ ts }) => !before.has(ts));
    const lastWith = (control: string) => messageWith(replies(), control);
    return {
      async says(who, text, file) {
        before = new Set(all().map(({ ts }) => ts));
        const files = file ? [{ name: file.name, bytes: file.text }] : [];
        const thread = root ? { threadTs: root.ts } : {};
        const message = people[who].mentions(shop, text, { ...thread, files });
        root ??= message;
      },
      shown: async () => shownIn(replies()),
      async answers(who, values) {
        const person = people[who];
        await person.presses(lastWith("Answer"), "Answer");
        await expect.poll(() => person.modal?.callbackId, patience).toBe("bobbin_form");
        const fields = values.flatMap((value, at) => (value ? [[`field${at}`, value]] : []));
        const { status } = await person.submits(Object.fromEntries(fields));
        if (status === "closed") return () => undefined;
        const words = Object.values(person.modal?.errors ?? {}).join(" ");
        await person.closesModal(true);
        return () => words;
      },
      async presses(who, control) {
        await people[who].presses(lastWith(control), control);
      },
      async whispersTo(who) {
        const own = people[who].sees(shop, root?.ts).filter(({ isEphemeral }) => isEphemeral);
        return own.map(({ text }) => text).join("\n");
      },
    };
  };

  return {
    name: "Slack on the wire",
    server: slack,
    create: (ledger) => createSlack(slack, { ledger, streaming }),
    boss: `slack:${slack.workspace.id}:${people.Boss.id}`,
    staff: { platform: "slack", channel: staff.id },
    async staffReads() {
      return textsWithFiles(slack.replies(staff));
    },
    talk,
    end: () => slack.stop(),
  };
}

type SlackWire = Awaited<ReturnType<typeof startSlackServer>>;
