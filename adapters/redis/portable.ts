import type { Json } from "#domain/json";
import type { Portable, PortableLine } from "#ports/portable";
import { LineFields, misfit, unknownKind } from "#ports/portable-fields";
import type { RedisDatabase } from "./database.ts";
import { splitOnce, toList, toPairs, toText, toTexts } from "./replies.ts";

/** Everything of this bot in Redis (queue, ledger and records), as lines. */
export function createRedisPortable(database: RedisDatabase): Portable {
  return {
    exportLines: () => exportLines(new Reader(database)),
    importLine: async (line) => {
      const fields = new LineFields(line);
      // All at once, so that lines handed over together are taken in one after the other.
      await Promise.all(stepsOf(fields, database.prefix).map((step) => step(database)));
    },
  };
}

const pageSize = 500;

async function* exportLines(reader: Reader): AsyncGenerator<Json> {
  for await (const one of everything(reader)) yield one as unknown as Json;
}

async function* everything(reader: Reader): AsyncGenerator<PortableLine> {
  yield { kind: "epoch", counter: await eraInUse(reader) };
  yield* seen(reader);
  yield* changes(reader);
  yield* runs(reader);
  yield* items(reader);
  yield* setAside(reader);
  yield* registers(reader);
  yield* lists(reader);
  yield* rankings(reader);
  yield* counters(reader);
  yield* records(reader);
}

/** The era of the newest epoch that was given, or the one that was taken in when none was since. */
async function eraInUse(reader: Reader): Promise<number> {
  const [given, taken, era] = toList(await reader.send("MGET", "epochs", "taken-era", "era"));
  if (given === null) return Number(taken ?? 0);
  return Number.parseInt(String(era ?? "0"), 36);
}

async function* seen(reader: Reader): AsyncGenerator<PortableLine> {
  for await (const [eventId, conversation] of reader.hash("seen")) {
    const atMs = Number(await reader.send("ZSCORE", "seen-at", eventId));
    yield { kind: "seen", eventId, conversationKey: conversation || null, atMs };
  }
}

async function* changes(reader: Reader): AsyncGenerator<PortableLine> {
  for await (const [changeId, stored] of reader.hash("changes")) {
    const atMs = Number(await reader.send("ZSCORE", "changes-at", changeId));
    const [state, conversation] = splitOnce(stored);
    yield { kind: "change", changeId, state, conversationKey: conversation || null, atMs };
  }
}

async function* runs(reader: Reader): AsyncGenerator<PortableLine> {
  const conversations = [
    ...toTexts(await reader.send("SMEMBERS", "running")),
    ...toTexts(await reader.send("SMEMBERS", "parked")),
  ];
  for (const conversationKey of conversations) {
    const run = await reader.fields(`run:${conversationKey}`);
    const state = run.get("state");
    const checkpoint = run.get("checkpoint");
    const journal = run.get("journal");
    yield {
      kind: "run-at-hand",
      conversationKey,
      epoch: run.get("epoch") ?? "",
      state: state === "parked" || state === "retry" ? state : "running",
      dueMs: run.has("due") ? Number(run.get("due")) : null,
      attempts: Number(run.get("attempts")),
      stopRequested: run.get("stop") !== "0",
      ...(checkpoint === undefined ? {} : { checkpoint: JSON.parse(checkpoint) }),
      ...(journal === undefined ? {} : { journal: JSON.parse(journal) }),
    };
  }
}

/** In the order in which they came, whatever line they stand in. */
async function* items(reader: Reader): AsyncGenerator<PortableLine> {
  const found: { readonly sequence: number; readonly item: ReadonlyMap<string, string> }[] = [];
  for await (const name of reader.names("item:")) {
    const item = await reader.fields(name);
    const line = `line:${item.get("state")}:${item.get("conversation")}`;
    const sequence = Number(await reader.send("ZSCORE", line, item.get("event") ?? ""));
    found.push({ sequence, item });
  }
  for (const { item } of found.sort((a, b) => a.sequence - b.sequence)) yield itemLine(item);
}

function itemLine(item: ReadonlyMap<string, string>): PortableLine {
  const state = item.get("state");
  const common = {
    eventId: item.get("event") ?? "",
    conversationKey: item.get("conversation") ?? "",
    payload: JSON.parse(item.get("payload") ?? "null"),
    acceptedAtMs: Number(item.get("at")),
  };
  const isTaken = state === "taken" || state === "given";
  if (item.get("kind") === "control") {
    const to = state === "pending" || state === "given" ? "run" : "conversation";
    return { kind: "control", ...common, to, isTaken };
  }
  return {
    kind: "message",
    ...common,
    personKey: item.get("person") ?? "",
    detail: Number(item.get("detail")),
    isTaken,
    amendment: JSON.parse(item.get("amendment") ?? "null"),
  };
}

async function* setAside(reader: Reader): AsyncGenerator<PortableLine> {
  for (const eventId of toTexts(await reader.send("ZRANGE", "aside-at", "0", "-1"))) {
    const aside = await reader.fields(`aside:${eventId}`);
    const amendment = aside.get("amendment");
    const checkpoint = aside.get("checkpoint");
    yield {
      kind: "set-aside",
      eventId,
      conversationKey: aside.get("conversation") ?? "",
      item: {
        eventId,
        kind: aside.get("kind") ?? "message",
        personKey: aside.get("person") ?? "",
        payload: JSON.parse(aside.get("payload") ?? "null"),
        acceptedAtMs: Number(aside.get("accepted")),
        ...(amendment ? { amendment: JSON.parse(amendment) } : {}),
      },
      code: aside.get("code") ?? "",
      ...(checkpoint ? { checkpoint: JSON.parse(checkpoint) } : {}),
      atMs: Number(aside.get("at")),
    };
  }
}

async function* registers(reader: Reader): AsyncGenerator<PortableLine> {
  for await (const [name, stored] of reader.hash("registers")) {
    const [version, value] = splitOnce(stored);
    yield { kind: "register", name, value: JSON.parse(value), version: Number(version) };
  }
}

async function* lists(reader: Reader): AsyncGenerator<PortableLine> {
  for await (const [list, end] of reader.hash("list-ends")) {
    let last = 0;
    for (;;) {
      const range = ["BYSCORE", "LIMIT", "0", String(pageSize)];
      const page = toTexts(
        await reader.send("ZRANGE", `list:${list}`, `(${last}`, "+inf", ...range),
      );
      for (const stored of page) {
        const [position, value] = splitOnce(stored);
        last = Number(position);
        yield { kind: "list-item", list, position: last, value: JSON.parse(value) };
      }
      if (page.length < pageSize) break;
    }
    if (last < Number(end)) yield { kind: "list-end", list, position: Number(end) };
  }
}

async function* rankings(reader: Reader): AsyncGenerator<PortableLine> {
  for await (const name of reader.names("rank:")) {
    const ranking = name.slice("rank:".length);
    for await (const [member, score] of reader.pairs("ZSCAN", name)) {
      yield { kind: "rank", ranking, member, score: Number(score) };
    }
  }
}

async function* counters(reader: Reader): AsyncGenerator<PortableLine> {
  for await (const name of reader.names("count:")) {
    const counter = name.slice("count:".length);
    for await (const [field, value] of reader.hash(name)) {
      yield { kind: "count", counter, field, value: Number(value) };
    }
  }
}

async function* records(reader: Reader): AsyncGenerator<PortableLine> {
  for await (const name of reader.names("record:")) {
    const value = toText(await reader.send("GET", name));
    if (value === undefined) continue;
    yield { kind: "record", key: name.slice("record:".length), value: JSON.parse(value) };
  }
}

/** Reads this bot's keys, by their names without what all of them begin with. */
class Reader {
  readonly #database: RedisDatabase;

  constructor(database: RedisDatabase) {
    this.#database = database;
  }

  /** The first argument, or for MGET all of them, is a name. */
  send(command: string, ...args: readonly string[]): Promise<unknown> {
    const names = command === "MGET" ? args.length : 1;
    const keys = args.slice(0, names).map((name) => this.#database.prefix + name);
    return this.#database.send([command, ...keys, ...args.slice(names)]);
  }

  async fields(name: string): Promise<ReadonlyMap<string, string>> {
    return new Map(toPairs(await this.send("HGETALL", name)));
  }

  hash(name: string): AsyncGenerator<readonly [string, string]> {
    return this.pairs("HSCAN", name);
  }

  /** Each once: Redis may tell one twice. */
  async *pairs(
    command: "HSCAN" | "ZSCAN",
    name: string,
  ): AsyncGenerator<readonly [string, string]> {
    const told = new Set<string>();
    for (let cursor = "0"; ; ) {
      const reply = toList(await this.send(command, name, cursor, "COUNT", String(pageSize)));
      for (const pair of toPairs(reply[1])) {
        if (told.has(pair[0])) continue;
        told.add(pair[0]);
        yield pair;
      }
      cursor = String(reply[0]);
      if (cursor === "0") return;
    }
  }

  /** The names that begin so, each once. */
  async *names(beginning: string): AsyncGenerator<string> {
    const { prefix } = this.#database;
    const told = new Set<string>();
    const pattern = `${(prefix + beginning).replace(/[?*[\]\\^]/g, "\\$&")}*`;
    for (let cursor = "0"; ; ) {
      const command = ["SCAN", cursor, "MATCH", pattern, "COUNT", String(pageSize)];
      const reply = toList(await this.#database.send(command));
      for (const key of toTexts(reply[1])) {
        if (told.has(key)) continue;
        told.add(key);
        yield key.slice(prefix.length);
      }
      cursor = String(reply[0]);
      if (cursor === "0") return;
    }
  }
}

type Step = (database: RedisDatabase) => Promise<unknown>;

/** What takes a line in. All of it is read before the first step is done. */
function stepsOf(fields: LineFields, prefix: string): readonly Step[] {
  const kind = fields.text("kind") as PortableLine["kind"];
  const send =
    (command: string, name: string, ...args: readonly string[]): Step =>
    (database) =>
      database.send([command, prefix + name, ...args]);
  const run =
    (operation: string, ...args: readonly string[]): Step =>
    (database) =>
      database.run(operation, args);
  const whole = (name: string): string => {
    const value = fields.number(name);
    if (!Number.isSafeInteger(value)) throw misfit(kind);
    return String(value);
  };
  const note = (name: string) => (fields.has(name) ? fields.json(name) : "");
  switch (kind) {
    case "epoch": {
      const counter = whole("counter");
      return [run("takeEra", counter, (Number(counter) + 1).toString(36).padStart(6, "0"))];
    }
    case "seen": {
      const eventId = fields.text("eventId");
      return [
        send("HSETNX", "seen", eventId, fields.textOrNull("conversationKey") ?? ""),
        send("ZADD", "seen-at", "NX", whole("atMs"), eventId),
      ];
    }
    case "change": {
      const changeId = fields.text("changeId");
      const answered = `${fields.text("state")} ${fields.textOrNull("conversationKey") ?? ""}`;
      return [
        send("HSETNX", "changes", changeId, answered),
        send("ZADD", "changes-at", "NX", whole("atMs"), changeId),
      ];
    }
    case "run-at-hand":
      return [
        run(
          "takeRun",
          fields.text("conversationKey"),
          fields.text("epoch"),
          fields.oneOf("state", ["running", "parked", "retry"]),
          String(fields.numberOrNull("dueMs") ?? ""),
          whole("attempts"),
          fields.flag("stopRequested") ? "1" : "0",
          note("checkpoint"),
          note("journal"),
        ),
      ];
    case "message":
    case "control": {
      const isMessage = kind === "message";
      return [
        run(
          "takeItem",
          fields.text("eventId"),
          fields.text("conversationKey"),
          kind,
          itemState(fields, kind),
          isMessage ? fields.text("personKey") : "",
          fields.json("payload"),
          isMessage ? whole("detail") : "0",
          whole("acceptedAtMs"),
          isMessage && fields.value("amendment") !== null ? fields.json("amendment") : "",
        ),
      ];
    }
    case "set-aside":
      return setAsideSteps(fields, { atMs: whole("atMs"), checkpoint: note("checkpoint"), send });
    case "register": {
      const name = fields.text("name");
      return [
        send("HSET", "registers", name, `${whole("version")} ${fields.json("value")}`),
        send("ZADD", "register-names", "0", name),
      ];
    }
    case "list-item": {
      const list = fields.text("list");
      const position = whole("position");
      return [
        send("ZREMRANGEBYSCORE", `list:${list}`, position, position),
        send("ZADD", `list:${list}`, position, `${position} ${fields.json("value")}`),
        send("HSET", "list-ends", list, position),
      ];
    }
    case "list-end":
      return [send("HSET", "list-ends", fields.text("list"), whole("position"))];
    case "rank":
      return [
        send(
          "ZADD",
          `rank:${fields.text("ranking")}`,
          String(fields.number("score")),
          fields.text("member"),
        ),
      ];
    case "count":
      return [
        send(
          "HSET",
          `count:${fields.text("counter")}`,
          fields.text("field"),
          String(fields.number("value")),
        ),
      ];
    case "record":
      return [send("SET", `record:${fields.text("key")}`, fields.json("value"))];
    default:
      throw unknownKind(kind);
  }
}

function itemState(fields: LineFields, kind: "message" | "control"): string {
  const isTaken = fields.flag("isTaken");
  if (kind === "message") return isTaken ? "taken" : "waiting";
  if (fields.oneOf("to", ["run", "conversation"]) === "run") return isTaken ? "given" : "pending";
  return isTaken ? "taken" : "next";
}

function setAsideSteps(
  fields: LineFields,
  known: {
    readonly atMs: string;
    readonly checkpoint: string;
    readonly send: (command: string, name: string, ...args: readonly string[]) => Step;
  },
): readonly Step[] {
  const { atMs, checkpoint, send } = known;
  const event = fields.text("eventId");
  const conversation = fields.text("conversationKey");
  const item = new LineFields(fields.value("item"));
  const kept = {
    event,
    conversation,
    kind: item.text("kind"),
    person: item.text("personKey"),
    payload: item.json("payload"),
    accepted: String(item.number("acceptedAtMs")),
    amendment: item.has("amendment") ? item.json("amendment") : "",
    code: fields.text("code"),
    checkpoint,
    at: atMs,
  };
  return [
    send("HSET", `aside:${event}`, ...Object.entries(kept).flat()),
    send("ZADD", "aside-at", atMs, event),
    send("SADD", `asides:${conversation}`, event),
  ];
}
