import type { FilesGetUploadURLExternalResponse } from "@slack/web-api";
import { describe, expect, test } from "vitest";
import { slackForTest } from "./slack-for-test.ts";
import { clientFor, codeOf } from "./tiny-bot.ts";

async function scene() {
  const slack = await slackForTest();
  const ada = slack.addPerson("ada");
  const general = slack.addChannel("general", { members: [ada] });
  return { slack, ada, general, client: clientFor(slack) };
}

describe("uploads", () => {
  test("go through the SDK's own helper in one message, which loses their alt texts", async () => {
    const { slack, ada, general, client } = await scene();
    const question = ada.mentions(general, "chart?");

    await client.filesUploadV2({
      channel_id: general.id,
      thread_ts: question.ts,
      initial_comment: "Two files",
      file_uploads: [
        { file: Buffer.from("one"), filename: "one.txt", alt_text: "The first" },
        { file: Buffer.from("three"), filename: "two.csv", alt_text: "The second" },
      ],
    });

    const [message] = slack.replies(general, question.ts);
    expect(message?.text).toBe("Two files");
    expect(
      message?.files.map(({ name, altText, bytes }) => ({
        name,
        altText,
        text: Buffer.from(bytes).toString(),
      })),
    ).toEqual([
      { name: "one.txt", altText: undefined, text: "one" },
      { name: "two.csv", altText: undefined, text: "three" },
    ]);
    // It sends alt_text where Slack's argument is alt_txt.
    expect(slack.takeComplaints()).toContain(
      "files.getUploadURLExternal knows no argument alt_text",
    );
  });

  test("take raw bytes, and complete works once", async () => {
    const { slack, general, client } = await scene();
    const { upload_url = "", file_id = "" } = await client.files.getUploadURLExternal({
      filename: "a.txt",
      length: 3,
    });
    const complete = () =>
      codeOf(
        client.files.completeUploadExternal({
          files: [{ id: file_id, title: "A" }],
          channel_id: general.id,
        }),
      );

    expect(await complete()).toBe("file_not_found");
    expect((await fetch(upload_url, { method: "POST", body: "abc" })).status).toBe(200);
    expect(await complete()).toBe("none");
    expect(await complete()).toBe("file_not_found");
    expect(slack.replies(general)).toMatchObject([{ files: [{ title: "A", name: "a.txt" }] }]);
    expect(slack.takeComplaints()).toEqual(["a.txt is uploaded without alt text"]);
  });

  test("carry the alt text that is given as alt_txt", async () => {
    const { slack, general, client } = await scene();
    const ticket: FilesGetUploadURLExternalResponse = await client.apiCall(
      "files.getUploadURLExternal",
      { filename: "a.png", length: 3, alt_txt: "A chart" },
    );
    await fetch(ticket.upload_url ?? "", { method: "POST", body: "abc" });
    const files: [{ id: string }] = [{ id: ticket.file_id ?? "" }];
    await client.files.completeUploadExternal({ files, channel_id: general.id });

    expect(slack.replies(general)).toMatchObject([{ files: [{ altText: "A chart" }] }]);
  });

  test("are refused where the workspace says so, or when they are empty", async () => {
    const { slack, client } = await scene();
    const ask = (length: number) =>
      codeOf(client.files.getUploadURLExternal({ filename: "a.txt", length }));

    expect(await ask(0)).toBe("missing_argument");
    slack.uploads.refusal = "file_uploads_disabled";
    expect(await ask(1)).toBe("file_uploads_disabled");
  });
});

describe("downloads", () => {
  test("need the token, the scope and a place in the channel", async () => {
    const { slack, ada, general } = await scene();
    const away = slack.addChannel("away", { members: [ada], withBot: false });
    const [file] = ada.posts(general, "look", { files: [{ name: "a.txt", bytes: "abc" }] }).files;
    const [hidden] = ada.posts(away, "look", { files: [{ name: "b.txt", bytes: "abc" }] }).files;
    const url = (id: string) =>
      `${slack.world.origin}/files-pri/${slack.workspace.id}-${id}/download/a.txt`;
    const get = async (id: string, token?: string) => {
      const response = await fetch(
        url(id),
        token ? { headers: { authorization: `Bearer ${token}` } } : {},
      );
      return { type: response.headers.get("content-type"), text: await response.text() };
    };

    expect(await get(file?.id ?? "", slack.botToken)).toEqual({ type: "text/plain", text: "abc" });
    for (const page of [
      await get(file?.id ?? ""),
      await get(file?.id ?? "", "xoxb-wrong"),
      await get(hidden?.id ?? "", slack.botToken),
    ]) {
      expect(page.type).toContain("text/html");
      expect(page.text).toContain("Sign in");
    }
  });

  test("of a shared channel's file begin with files.info", async () => {
    const { slack, ada, general, client } = await scene();
    ada.posts(general, "look", {
      files: [{ name: "a.txt", bytes: "abc", needsFileInfo: true }],
    });
    const event = slack.deliveries[0]?.payload.event as {
      readonly files: readonly { id: string }[];
    };

    expect(event.files).toMatchObject([{ file_access: "check_file_info" }]);
    const { file } = await client.files.info({ file: event.files[0]?.id ?? "" });
    expect(file).toMatchObject({ name: "a.txt", size: 3, mimetype: "text/plain" });
  });

  test("go wrong as ordered: a sign-in page, another host, nothing", async () => {
    const { slack, ada, general } = await scene();
    const { files } = ada.posts(general, "look", {
      files: [
        { name: "a.png", bytes: "abc", download: "login-page" },
        { name: "b.png", bytes: "abc", download: "redirect" },
        { name: "c.png", bytes: "abc", download: "not-found" },
      ],
    });

    const answers = await Promise.all(
      files.map((file) =>
        fetch(`${slack.world.origin}/files-pri/${slack.workspace.id}-${file.id}/x`, {
          headers: { authorization: `Bearer ${slack.botToken}` },
          redirect: "manual",
        }),
      ),
    );

    expect(answers.map(({ status }) => status)).toEqual([200, 302, 404]);
    expect(slack.downloads.map(({ fileId }) => fileId).toSorted()).toEqual(
      files.map(({ id }) => id).toSorted(),
    );
  });
});
