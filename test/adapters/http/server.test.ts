import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { HttpRoutes } from "#ports/http";
import {
  type HttpServer,
  type HttpServerOptions,
  startHttpServer,
} from "../../../adapters/http/server.ts";
import { silentLog } from "../../fakes/silent-log.ts";

describe("the HTTP server", () => {
  const open: HttpServer[] = [];
  afterEach(async () => {
    for (const server of open.splice(0)) await server.close(0);
  });

  async function started(change: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
    const server = await startHttpServer({
      host: "127.0.0.1",
      port: 0,
      routes: [],
      readiness: async () => ({ isReady: true, parts: { store: "ok" } }),
      metrics: async () => ({ contentType: "text/plain; version=0.0.4", body: "runs 1\n" }),
      metricsToken: undefined,
      log: silentLog,
      ...change,
    });
    open.push(server);
    return server;
  }

  test("says that it is alive", async () => {
    const { url } = await started();
    expect(await (await fetch(`${url}healthz`)).json()).toEqual({ status: "ok", role: "all" });
  });

  test("is ready only when every part is, and names the one that is not", async () => {
    const parts = { store: "ok", slack: "not connected" };
    const { url } = await started({ readiness: async () => ({ isReady: false, parts }) });
    const answer = await fetch(`${url}readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ isReady: false, role: "all", parts });
  });

  test("is not ready when readiness cannot be told", async () => {
    const { url } = await started({
      readiness: async () => {
        throw new Error("no answer");
      },
    });
    expect((await fetch(`${url}readyz`)).status).toBe(503);
  });

  test("gives metrics on loopback", async () => {
    const { url } = await started();
    expect(await (await fetch(`${url}metrics`)).text()).toBe("runs 1\n");
  });

  test.each([
    ["without a token", {}, 401],
    ["with a wrong one", { Authorization: "Bearer nope" }, 401],
    ["with the right one", { Authorization: "Bearer s3cret" }, 200],
  ])("asks for the metrics token: %s", async (_case, headers, status) => {
    const { url } = await started({ metricsToken: "s3cret" });
    expect((await fetch(`${url}metrics`, { headers })).status).toBe(status);
  });

  test("gives no metrics to who comes through a proxy, when no token is set", async () => {
    const { url } = await started();
    const headers = { "X-Forwarded-For": "203.0.113.7" };
    expect((await fetch(`${url}metrics`, { headers })).status).toBe(401);
  });

  test("hands a path to the longest prefix that fits", async () => {
    const { url } = await started({ routes: [saying("all", "/"), saying("slack", "/slack/")] });
    expect(await (await fetch(`${url}slack/events`)).text()).toBe("slack 127.0.0.1 true");
    expect(await (await fetch(`${url}slackers`)).text()).toBe("all 127.0.0.1 true");
  });

  test("answers 404 where nobody lives", async () => {
    const { url } = await started({ routes: [saying("slack", "/slack/")] });
    expect((await fetch(`${url}elsewhere`)).status).toBe(404);
  });

  test.each([
    ["that says its length", (bytes: number) => "x".repeat(bytes)],
    ["that does not", (bytes: number) => new Blob(["x".repeat(bytes)]).stream()],
  ])("refuses a body over the limit %s", async (_case, body) => {
    const { url } = await started({ routes: [{ ...reading("/"), maxBodyBytes: 1000 }] });
    const post = (bytes: number) =>
      fetch(url, { method: "POST", body: body(bytes), duplex: "half" } as RequestInit);
    expect(await (await post(1000)).text()).toBe("1000");
    expect((await post(1001)).status).toBe(413);
  });

  test("answers a handler's failure with plain words", async () => {
    const { url } = await started({
      routes: [
        {
          prefixes: ["/"],
          handle: async () => {
            throw new Error("secret detail");
          },
        },
      ],
    });
    const answer = await fetch(url);
    expect(answer.status).toBe(500);
    expect(await answer.text()).toBe("Something went wrong on this side.\n");
  });

  test("streams a body while it is being written", async () => {
    const { writable, readable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const { url } = await started({
      routes: [{ prefixes: ["/"], handle: async () => new Response(readable) }],
    });
    writer.write(new TextEncoder().encode("first"));
    const reader = (await fetch(url)).body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("first");
    await writer.close();
    expect((await reader?.read())?.done).toBe(true);
  });

  test("cuts what is still open after the grace period", async () => {
    const server = await started({
      routes: [{ prefixes: ["/"], handle: async () => new Response(new ReadableStream()) }],
    });
    const answer = await fetch(server.url);
    await server.close(10);
    await expect(answer.text()).rejects.toThrow();
  });

  test("says what to do when the port is taken", async () => {
    const { port } = await started();
    await expect(started({ port })).rejects.toThrow(/is in use. Set PORT/);
  });

  test("survives a peer that speaks nonsense", async () => {
    const { port, url } = await started();
    const socket = connect(port, "127.0.0.1");
    socket.write("nonsense\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve).resume());
    expect((await fetch(`${url}healthz`)).status).toBe(200);
  });
});

function saying(name: string, prefix: string): HttpRoutes {
  return {
    prefixes: [prefix],
    handle: async (_request, peer) => new Response(`${name} ${peer.address} ${peer.isLoopback}`),
  };
}

function reading(prefix: string): HttpRoutes {
  return {
    prefixes: [prefix],
    handle: async (request) => new Response(String((await request.text()).length)),
  };
}
