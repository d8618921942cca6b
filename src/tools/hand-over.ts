import { z } from "zod";
import { defineTool } from "./define-tool.ts";

/** Calls a person in, and leaves the conversation to them. */
export const handOverTool = defineTool({
  name: "hand_over",
  title: "Calling a colleague",
  description:
    "Hands this conversation over to a person: they are told with your reason, your summary and all that was said, and you stay silent here until they give it back. Use it when somebody asks for a person, when you may not decide something, or when you cannot help. Say what you do before, and what happens next after.",
  schema: z.object({
    reason: z.string().trim().min(1).max(200).describe("Why, in a line."),
    summary: z
      .string()
      .trim()
      .min(1)
      .max(1_500)
      .describe(
        "What the person who takes over has to know: who, what, which order, what was tried.",
      ),
  }),
  idempotent: true,
  timeoutMs: 60_000,
  async run({ reason, summary }, context) {
    const told = await context.handOver?.({ reason, summary });
    if (told) {
      return "A colleague was told and takes over here. Say so in one sentence and end your answer.";
    }
    return "Nobody could be told: no channel for hand-overs is configured. Say that you cannot call a person, and what you can do instead.";
  },
});
