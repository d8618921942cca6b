import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Metrics } from "#ports/metrics";
import type { QueueHere, QueueState } from "#ports/run-queue";

/** Metrics that can be scraped. */
export interface PrometheusMetrics extends Metrics {
  /** Everything in Prometheus' text format. Never throws because of the queue: its gauges stay as they were. */
  scrape(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** Where numbers come from that nobody reports: looked up at each scrape. */
export interface MetricsOptions {
  readonly queue: () => Promise<QueueState>;
  /** What this process does of it; known without asking anybody. */
  readonly here?: () => QueueHere;
  /** Whether each platform of this process is connected. */
  readonly platforms?: () => readonly (readonly [name: string, isConnected: boolean])[];
}

/** Metrics by prom-client, in a registry of their own. Their names are in docs/operating.md. */
export function createMetrics({ queue, here, platforms }: MetricsOptions): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = instruments(registry);
  const toolName = bounded(200);
  const modelName = bounded(200);
  const methodName = bounded(200);
  const lookAtQueue = queueGauges(registry, queue);
  if (here) ownGauges(registry, here);
  if (platforms) platformGauge(registry, platforms);

  return {
    messageReceived: (platform, outcome) => metrics.messages.inc({ platform, outcome }),
    runStarted: (platform, waitSeconds) =>
      metrics.runWait.observe({ platform }, atLeastZero(waitSeconds)),
    runEnded: (platform, status, seconds) =>
      metrics.runDuration.observe({ platform, status }, atLeastZero(seconds)),
    turnEnded: ({ backend, model, usage, cost }) => {
      const labels = { backend, model: modelName(model) };
      metrics.turns.inc(labels);
      metrics.tokens.inc({ ...labels, type: "input" }, atLeastZero(usage.prompt_tokens));
      metrics.tokens.inc({ ...labels, type: "cached_input" }, atLeastZero(usage.cached_tokens));
      metrics.tokens.inc({ ...labels, type: "output" }, atLeastZero(usage.completion_tokens));
      metrics.tokens.inc({ ...labels, type: "reasoning" }, atLeastZero(usage.reasoning_tokens));
      if (cost === null) metrics.unpricedTurns.inc(labels);
      else metrics.cost.inc(labels, atLeastZero(cost));
    },
    modelCall: (operation, outcome, seconds) =>
      metrics.modelCalls.observe(
        { operation: methodName(operation), outcome },
        atLeastZero(seconds),
      ),
    toolEnded: (name, outcome, seconds) =>
      metrics.tools.observe({ tool: toolName(name), outcome }, atLeastZero(seconds)),
    platformCall: (platform, method, outcome) =>
      metrics.platformCalls.inc({ platform, method: methodName(method), outcome }),
    scrape: async () => {
      await lookAtQueue();
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

function instruments(registry: Registry) {
  const registers = [registry];
  return {
    messages: new Counter({
      name: "bobbin_messages_received_total",
      help: "Messages handed over by platforms, by what became of them",
      labelNames: ["platform", "outcome"],
      registers,
    }),
    runWait: new Histogram({
      name: "bobbin_run_wait_seconds",
      help: "From the acceptance of a message to the begin of its run",
      labelNames: ["platform"],
      buckets: [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900],
      registers,
    }),
    runDuration: new Histogram({
      name: "bobbin_run_duration_seconds",
      help: "Runs by how they ended; the count is the number of runs",
      labelNames: ["platform", "status"],
      buckets: [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600],
      registers,
    }),
    turns: new Counter({
      name: "bobbin_turns_total",
      help: "Requests answered by a model",
      labelNames: ["backend", "model"],
      registers,
    }),
    tokens: new Counter({
      name: "bobbin_tokens_total",
      help: "Tokens; cached_input is part of input, reasoning part of output",
      labelNames: ["backend", "model", "type"],
      registers,
    }),
    cost: new Counter({
      name: "bobbin_cost_usd_total",
      help: "About what turns with a known price cost, in US dollars",
      labelNames: ["backend", "model"],
      registers,
    }),
    unpricedTurns: new Counter({
      name: "bobbin_turns_without_price_total",
      help: "Turns of models without a known price",
      labelNames: ["backend", "model"],
      registers,
    }),
    modelCalls: new Histogram({
      name: "bobbin_model_call_seconds",
      help: "HTTP calls to the model API",
      labelNames: ["operation", "outcome"],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
      registers,
    }),
    tools: new Histogram({
      name: "bobbin_tool_seconds",
      help: "Function tools at work",
      labelNames: ["tool", "outcome"],
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60],
      registers,
    }),
    platformCalls: new Counter({
      name: "bobbin_platform_calls_total",
      help: "Calls to platforms' APIs; outcome 429 is a refused one",
      labelNames: ["platform", "method", "outcome"],
      registers,
    }),
  };
}

/** One look at the queue sets all of its gauges. */
function queueGauges(registry: Registry, queue: () => Promise<QueueState>): () => Promise<void> {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const waiting = gauge("bobbin_queue_waiting", "Messages that wait for their answer to begin");
  const running = gauge("bobbin_queue_running", "Conversations being answered now");
  const parked = gauge("bobbin_queue_parked", "Runs that wait for a person");
  const oldest = gauge("bobbin_queue_oldest_wait_seconds", "Age of the oldest waiting message");
  return async () => {
    const state = await queue().catch(() => undefined);
    if (state === undefined) return;
    waiting.set(state.waiting.length);
    running.set(state.running);
    parked.set(state.parked);
    oldest.set(state.oldestMs / 1_000);
  };
}

function ownGauges(registry: Registry, here: () => QueueHere): void {
  const registers = [registry];
  new Gauge({
    name: "bobbin_queue_running_here",
    help: "Runs this process is at work on",
    registers,
    collect() {
      this.set(here().runs);
    },
  });
  new Counter({
    name: "bobbin_queue_leases_lost_total",
    help: "Leases this process lost to another while it was at work",
    registers,
    collect() {
      this.reset();
      this.inc(here().leasesLost);
    },
  });
}

function platformGauge(
  registry: Registry,
  platforms: NonNullable<MetricsOptions["platforms"]>,
): void {
  new Gauge({
    name: "bobbin_platform_connected",
    help: "1 while messages can arrive from a platform and replies can be shown there, else 0",
    labelNames: ["platform"],
    registers: [registry],
    collect() {
      for (const [platform, isConnected] of platforms())
        this.set({ platform }, Number(isConnected));
    },
  });
}

/** A label whose values come from outside: those after the first `max` are counted together. */
function bounded(max: number): (value: string) => string {
  const seen = new Set<string>();
  return (value) => {
    if (seen.has(value)) return value;
    if (seen.size >= max) return "other";
    seen.add(value);
    return value;
  };
}

function atLeastZero(value: number): number {
  return Number.isFinite(value) && value > 0 ? value : 0;
}
