import { Hono } from "hono";
import type { Container, ContainerFile, DemoFile, DemoState, VectorStore } from "./state.ts";
import { asObject, asString, asStrings, notFound, Refusal, type WireObject } from "./wire.ts";

/** Files, vector stores and containers, as far as a driver uses them. */
export function fileRoutes(state: DemoState): Hono {
  const app = new Hono();

  app.post("/files", async (c) => {
    const { file, purpose } = await formOf(c.req.raw);
    if (!file) throw missing("file");
    const data = new Uint8Array(await file.arrayBuffer());
    return c.json(toFileObject(state.addFile({ name: file.name, data, purpose })));
  });
  app.get("/files", (c) => c.json(listOf([...state.files.values()].map(toFileObject))));
  app.get("/files/:id", (c) => c.json(toFileObject(fileOf(state, c.req.param("id")))));
  app.get("/files/:id/content", (c) => binary(fileOf(state, c.req.param("id")).data));
  app.delete("/files/:id", (c) => {
    const { id } = fileOf(state, c.req.param("id"));
    return c.json({ id, object: "file", deleted: state.removeFile(id) });
  });

  app.post("/vector_stores", async (c) => {
    const body = asObject(await c.req.json());
    const store = state.addVectorStore({
      name: asString(body.name),
      metadata: asObject(body.metadata),
      expiresAfter: body.expires_after === undefined ? null : asObject(body.expires_after),
    });
    for (const id of asStrings(body.file_ids)) index(state, store, id);
    return c.json(toStoreObject(state, store));
  });
  app.get("/vector_stores/:id", (c) =>
    c.json(toStoreObject(state, storeOf(state, c.req.param("id")))),
  );
  app.delete("/vector_stores/:id", (c) => {
    const { id } = storeOf(state, c.req.param("id"));
    return c.json({ id, object: "vector_store.deleted", deleted: state.vectorStores.delete(id) });
  });
  app.post("/vector_stores/:id/files", async (c) => {
    const store = storeOf(state, c.req.param("id"));
    const id = asString(asObject(await c.req.json()).file_id);
    index(state, store, id);
    return c.json(toIndexedObject(state, store, id));
  });
  app.get("/vector_stores/:id/files", (c) => {
    const store = storeOf(state, c.req.param("id"));
    return c.json(listOf([...store.files.keys()].map((id) => settled(state, store, id))));
  });
  app.get("/vector_stores/:id/files/:file", (c) =>
    c.json(settled(state, storeOf(state, c.req.param("id")), c.req.param("file"))),
  );
  app.delete("/vector_stores/:id/files/:file", (c) => {
    const store = storeOf(state, c.req.param("id"));
    const id = c.req.param("file");
    if (!store.files.delete(id)) throw notFound(`File with id '${id}' in the vector store`);
    return c.json({ id, object: "vector_store.file.deleted", deleted: true });
  });

  app.post("/containers", async (c) => {
    const body = asObject(await c.req.json());
    const container = state.addContainer(asString(body.name));
    for (const id of asStrings(body.file_ids)) copyInto(state, container, fileOf(state, id));
    return c.json(toContainerObject(container));
  });
  app.get("/containers/:id", (c) =>
    c.json(toContainerObject(containerOf(state, c.req.param("id")))),
  );
  app.delete("/containers/:id", (c) => {
    const { id } = containerOf(state, c.req.param("id"));
    state.removeContainer(id);
    return c.json({ id, object: "container.deleted", deleted: true });
  });
  app.post("/containers/:id/files", async (c) => {
    const container = containerOf(state, c.req.param("id"));
    if (c.req.header("content-type")?.includes("json")) {
      const id = asString(asObject(await c.req.json()).file_id);
      return c.json(toContainerFile(container, copyInto(state, container, fileOf(state, id))));
    }
    const { file } = await formOf(c.req.raw);
    if (!file) throw missing("file");
    const data = new Uint8Array(await file.arrayBuffer());
    const path = `/mnt/data/${file.name}`;
    const stored = state.addContainerFile(container, { path, source: "user", data });
    return c.json(toContainerFile(container, stored));
  });
  app.get("/containers/:id/files", (c) => {
    const container = containerOf(state, c.req.param("id"));
    const files = [...container.files.values()].map((file) => toContainerFile(container, file));
    return c.json(listOf(files));
  });
  app.get("/containers/:id/files/:file", (c) => {
    const container = containerOf(state, c.req.param("id"));
    return c.json(toContainerFile(container, containerFileOf(container, c.req.param("file"))));
  });
  app.get("/containers/:id/files/:file/content", (c) => {
    const container = containerOf(state, c.req.param("id"));
    return binary(containerFileOf(container, c.req.param("file")).data);
  });
  app.delete("/containers/:id/files/:file", (c) => {
    const container = containerOf(state, c.req.param("id"));
    const { id } = containerFileOf(container, c.req.param("file"));
    container.files.delete(id);
    return c.json({ id, object: "container.file.deleted", deleted: true });
  });
  return app;
}

async function formOf(request: Request): Promise<{ file: File | undefined; purpose: string }> {
  const form = await request.formData();
  const file = form.get("file");
  return {
    file: file instanceof File ? file : undefined,
    purpose: asString(form.get("purpose")) || "user_data",
  };
}

function fileOf(state: DemoState, id: string): DemoFile {
  const file = state.files.get(id);
  if (!file) throw new Refusal({ status: 404, message: `No such File object: ${id}`, param: "id" });
  return file;
}

function storeOf(state: DemoState, id: string): VectorStore {
  const store = state.vectorStores.get(id);
  if (!store) throw notFound(`Vector store with id '${id}'`);
  return store;
}

function containerOf(state: DemoState, id: string): Container {
  const container = state.container(id);
  if (!container) throw notFound(`Container with id '${id}'`);
  return container;
}

function containerFileOf(container: Container, id: string): ContainerFile {
  const file = container.files.get(id);
  if (!file) throw notFound(`Container file with id '${id}'`);
  return file;
}

function copyInto(state: DemoState, container: Container, file: DemoFile): ContainerFile {
  const path = `/mnt/data/${file.name}`;
  return state.addContainerFile(container, { path, source: "user", data: file.data });
}

function index(state: DemoState, store: VectorStore, id: string): void {
  fileOf(state, id);
  if (!store.files.has(id)) store.files.set(id, { createdAt: state.seconds(), isSettled: false });
}

/** Being indexed when it is put in, done when somebody looks: so that waiting for it is practised. */
function settled(state: DemoState, store: VectorStore, id: string): WireObject {
  const indexed = store.files.get(id);
  if (!indexed) throw notFound(`File with id '${id}' in the vector store`);
  indexed.isSettled = true;
  return toIndexedObject(state, store, id);
}

function toIndexedObject(state: DemoState, store: VectorStore, id: string): WireObject {
  const indexed = store.files.get(id);
  const data = state.files.get(id)?.data ?? new Uint8Array();
  const readable = isText(data);
  const done = readable ? "completed" : "failed";
  return {
    id,
    object: "vector_store.file",
    created_at: indexed?.createdAt ?? 0,
    vector_store_id: store.id,
    status: indexed?.isSettled ? done : "in_progress",
    usage_bytes: data.byteLength,
    last_error:
      indexed?.isSettled && !readable
        ? { code: "unsupported_file", message: "The demo brain indexes text files only." }
        : null,
    attributes: {},
  };
}

function isText(data: Uint8Array): boolean {
  try {
    return !new TextDecoder("utf-8", { fatal: true }).decode(data).includes("\0");
  } catch {
    return false;
  }
}

function toFileObject(file: DemoFile): WireObject {
  return {
    id: file.id,
    object: "file",
    bytes: file.data.byteLength,
    created_at: file.createdAt,
    expires_at: null,
    filename: file.name,
    purpose: file.purpose,
    status: "processed",
    status_details: null,
  };
}

function toStoreObject(state: DemoState, store: VectorStore): WireObject {
  const files = [...store.files.keys()].map((id) => toIndexedObject(state, store, id));
  const countOf = (status: string) => files.filter((file) => file.status === status).length;
  return {
    id: store.id,
    object: "vector_store",
    created_at: store.createdAt,
    name: store.name,
    status: countOf("in_progress") > 0 ? "in_progress" : "completed",
    usage_bytes: files.reduce((sum, file) => sum + Number(file.usage_bytes), 0),
    file_counts: {
      in_progress: countOf("in_progress"),
      completed: countOf("completed"),
      failed: countOf("failed"),
      cancelled: 0,
      total: files.length,
    },
    expires_after: store.expiresAfter,
    expires_at: null,
    last_active_at: state.seconds(),
    metadata: store.metadata,
  };
}

function toContainerObject(container: Container): WireObject {
  return {
    id: container.id,
    object: "container",
    created_at: container.createdAt,
    name: container.name,
    status: "running",
    expires_after: { anchor: "last_active_at", minutes: 20 },
    last_active_at: Math.floor(container.lastActiveMs / 1000),
    memory_limit: "1g",
  };
}

function toContainerFile(container: Container, file: ContainerFile): WireObject {
  return {
    id: file.id,
    object: "container.file",
    bytes: file.data.byteLength,
    container_id: container.id,
    created_at: file.createdAt,
    path: file.path,
    source: file.source,
  };
}

function listOf(data: readonly WireObject[]): WireObject {
  return {
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: false,
  };
}

function binary(data: Uint8Array): Response {
  return new Response(Uint8Array.from(data), {
    headers: { "content-type": "application/octet-stream" },
  });
}

function missing(param: string): Refusal {
  return new Refusal({ status: 400, message: `Missing required parameter: '${param}'.`, param });
}
