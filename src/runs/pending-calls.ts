import type { StepStatus } from "#domain/run";
import type { Asked } from "#domain/tool";
import type { PendingCall } from "./checkpoint.ts";
import type { RunWork } from "./run-work.ts";

/** A call of the last turn has come further. */
export function setCall(work: RunWork, call: PendingCall, state: PendingCall["state"]): void {
  work.update({
    calls: work.state.calls.map((other) =>
      other.callId === call.callId ? { ...other, state } : other,
    ),
  });
}

/** A call has its output: its step ends. */
export function answerCall(
  work: RunWork,
  call: PendingCall,
  answer: { output: string; status: StepStatus; fileIds?: readonly string[] },
): void {
  const { output, status, fileIds = [] } = answer;
  const personKeys = askedOf(call)?.people.map(({ personKey }) => personKey);
  setCall(work, call, {
    type: "answered",
    output,
    fileIds,
    ...(personKeys ? { personKeys } : {}),
  });
  work.tell({ type: "step-delta", id: call.callId, output });
  work.tell({ type: "step-end", id: call.callId, status });
}

/** What came of the forms a call asked so far. */
export function askedOf({ state }: PendingCall): Asked | undefined {
  return "asked" in state ? state.asked : undefined;
}
