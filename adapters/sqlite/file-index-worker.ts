import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "#domain/errors";
import { FileIndexStore } from "./file-index-store.ts";

type Store = InstanceType<typeof FileIndexStore>;

/** A call from the other thread: a method of the store with its arguments. */
export type IndexCall = {
  readonly [Method in MethodName]: {
    readonly id: number;
    readonly method: Method;
    readonly args: Parameters<Store[Method]>;
  };
}[MethodName];

type MethodName = "put" | "refuse" | "states" | "unembedded" | "embed" | "search" | "remove";

export type IndexAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly problem: string };

if (parentPort) serve(parentPort, new FileIndexStore(String(workerData)));

function serve(port: NonNullable<typeof parentPort>, store: FileIndexStore): void {
  port.on("message", (call: IndexCall | "close") => {
    if (call === "close") {
      store.close();
      port.close();
      return;
    }
    port.postMessage(answer(store, call));
  });
}

function answer(store: FileIndexStore, call: IndexCall): IndexAnswer {
  try {
    return { id: call.id, ok: true, value: perform(store, call) };
  } catch (error) {
    return {
      id: call.id,
      ok: false,
      problem: messageOf(error),
    };
  }
}

function perform(store: FileIndexStore, call: IndexCall): unknown {
  switch (call.method) {
    case "put":
      return store.put(...call.args);
    case "refuse":
      return store.refuse(...call.args);
    case "states":
      return store.states(...call.args);
    case "unembedded":
      return store.unembedded(...call.args);
    case "embed":
      return store.embed(...call.args);
    case "search":
      return store.search(...call.args);
    case "remove":
      return store.remove(...call.args);
  }
}
