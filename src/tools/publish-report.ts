import { z } from "zod";
import { defineTool } from "./define-tool.ts";
import { fileNameOf } from "./file-name.ts";

/** Puts a document in front of everybody in the conversation; so a person agrees first. */
export const publishReport = defineTool({
  name: "publish_report",
  title: "Publishing a report",
  description:
    "Publishes a finished document to everybody in this conversation, as a Markdown file with a title, the date and the name of the person it was published for. A person has to approve it first. Use it only when somebody asked for a report, minutes or a hand-over to be published; otherwise just answer.",
  schema: z.object({
    title: z.string().min(1).max(120),
    body: z.string().min(1).max(200_000).describe("The document as Markdown, without the title."),
  }),
  needsApproval: true,
  idempotent: false,
  timeoutMs: 10_000,
  run({ title, body }, context) {
    const date = context.now().toISOString().slice(0, 10);
    const heading = title.replace(/\s+/g, " ").trim();
    const document = `# ${heading}\n\n*Published on ${date} for ${context.personName}.*\n\n${body.trim()}\n`;
    const name = `${date}-${fileNameOf(heading, "report")}.md`;
    return {
      type: "output",
      output: `${name} was published to the conversation.`,
      files: [
        {
          name,
          mimeType: "text/markdown",
          data: new TextEncoder().encode(document),
          altText: `Report "${heading}"`,
        },
      ],
    };
  },
});
