import type { RunEndStatus } from "#domain/run";
import type { Metrics } from "#ports/metrics";

/** Remembers how runs and tools ended. */
export class CountingMetrics implements Metrics {
  readonly runs: RunEndStatus[] = [];
  readonly tools: string[] = [];
  turns = 0;

  messageReceived(): void {}
  runStarted(): void {}
  modelCall(): void {}
  platformCall(): void {}
  runEnded(_platform: string, status: RunEndStatus): void {
    this.runs.push(status);
  }
  turnEnded(): void {
    this.turns += 1;
  }
  toolEnded(name: string, outcome: string): void {
    this.tools.push(`${name}: ${outcome}`);
  }
}
