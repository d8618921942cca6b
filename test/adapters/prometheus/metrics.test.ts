import { describe, expect, test } from "vitest";
import { createMetrics } from "../../../adapters/prometheus/metrics.ts";
import { noUsage } from "../../../src/domain/usage.ts";
import type { QueueState } from "../../../src/ports/run-queue.ts";

const idle: QueueState = { waiting: [], running: 0, parked: 0, oldestMs: 0 };

async function linesOf(metrics: ReturnType<typeof createMetrics>): Promise<readonly string[]> {
  return (await metrics.scrape()).body.split("\n");
}

describe("a scrape", () => {
  test("is Prometheus' text format", async () => {
    const { contentType, body } = await createMetrics({ queue: async () => idle }).scrape();
    expect(contentType).toContain("text/plain");
    expect(body).toContain("# TYPE process_cpu_user_seconds_total counter");
  });

  test("shows the queue as it is now", async () => {
    const message = { eventId: "e", conversationKey: "c", personKey: "p", acceptedAtMs: 0 };
    let state: QueueState = { waiting: [message, message], running: 3, parked: 1, oldestMs: 1500 };
    const metrics = createMetrics({ queue: async () => state });
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining([
        "bobbin_queue_waiting 2",
        "bobbin_queue_running 3",
        "bobbin_queue_parked 1",
        "bobbin_queue_oldest_wait_seconds 1.5",
      ]),
    );
    state = idle;
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining(["bobbin_queue_waiting 0", "bobbin_queue_oldest_wait_seconds 0"]),
    );
  });

  test("tells what this process does of the queue, and which leases it lost", async () => {
    let here = { runs: 2, leasesLost: 1 };
    const metrics = createMetrics({ queue: async () => idle, here: () => here });
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining(["bobbin_queue_running_here 2", "bobbin_queue_leases_lost_total 1"]),
    );
    here = { runs: 0, leasesLost: 3 };
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining(["bobbin_queue_running_here 0", "bobbin_queue_leases_lost_total 3"]),
    );
  });

  test("is answered while the queue cannot be reached", async () => {
    const metrics = createMetrics({ queue: () => Promise.reject(new Error("gone")) });
    metrics.messageReceived("web", "accepted");
    expect(await linesOf(metrics)).toContain(
      'bobbin_messages_received_total{platform="web",outcome="accepted"} 1',
    );
  });

  test("counts messages, runs, turns, calls, tools and refusals", async () => {
    const metrics = createMetrics({ queue: async () => idle });
    metrics.messageReceived("web", "accepted");
    metrics.messageReceived("web", "repeat");
    metrics.runStarted("web", 0.2);
    metrics.runEnded("web", "completed", 4);
    metrics.runEnded("web", "failed", 1);
    metrics.modelCall("responses.create", "429", 0.3);
    metrics.modelCall("responses.create", "ok", 2);
    metrics.toolEnded("clock", "completed", 0.01);
    metrics.platformCall("slack", "chat.update", "429");
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining([
        'bobbin_messages_received_total{platform="web",outcome="repeat"} 1',
        'bobbin_run_wait_seconds_count{platform="web"} 1',
        'bobbin_run_duration_seconds_count{platform="web",status="completed"} 1',
        'bobbin_run_duration_seconds_count{platform="web",status="failed"} 1',
        'bobbin_model_call_seconds_count{operation="responses.create",outcome="429"} 1',
        'bobbin_model_call_seconds_sum{operation="responses.create",outcome="ok"} 2',
        'bobbin_tool_seconds_count{tool="clock",outcome="completed"} 1',
        'bobbin_platform_calls_total{platform="slack",method="chat.update",outcome="429"} 1',
      ]),
    );
  });

  test("tells tokens and cost, and which turns had no price", async () => {
    const metrics = createMetrics({ queue: async () => idle });
    const usage = { ...noUsage, prompt_tokens: 100, completion_tokens: 20, cached_tokens: 60 };
    metrics.turnEnded({ backend: "responses", model: "gpt-5", usage, cost: 0.25 });
    metrics.turnEnded({ backend: "responses", model: "gpt-5", usage, cost: null });
    expect(await linesOf(metrics)).toEqual(
      expect.arrayContaining([
        'bobbin_turns_total{backend="responses",model="gpt-5"} 2',
        'bobbin_tokens_total{backend="responses",model="gpt-5",type="input"} 200',
        'bobbin_tokens_total{backend="responses",model="gpt-5",type="cached_input"} 120',
        'bobbin_tokens_total{backend="responses",model="gpt-5",type="output"} 40',
        'bobbin_cost_usd_total{backend="responses",model="gpt-5"} 0.25',
        'bobbin_turns_without_price_total{backend="responses",model="gpt-5"} 1',
      ]),
    );
  });
});

describe("metrics", () => {
  test("never throw, whatever they are told", async () => {
    const metrics = createMetrics({ queue: async () => idle });
    metrics.runStarted("web", Number.NaN);
    metrics.runEnded("web", "completed", -1);
    metrics.turnEnded({
      backend: "chat",
      model: "m",
      usage: { ...noUsage, prompt_tokens: Number.NaN },
      cost: Number.NEGATIVE_INFINITY,
    });
    expect(await linesOf(metrics)).toContain('bobbin_turns_total{backend="chat",model="m"} 1');
  });

  test("do not grow with every name a model makes up", async () => {
    const metrics = createMetrics({ queue: async () => idle });
    for (let index = 0; index < 1_000; index++) metrics.toolEnded(`tool${index}`, "failed", 1);
    const lines = await linesOf(metrics);
    const series = lines.filter((line) => line.startsWith("bobbin_tool_seconds_count"));
    expect(series.length).toBe(201);
    expect(lines).toContain('bobbin_tool_seconds_count{tool="other",outcome="failed"} 800');
  });
});
