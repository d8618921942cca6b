import { BotError } from "#domain/errors";
import type { Json } from "#domain/json";
import type { Portable, PortableLine } from "#ports/portable";
import { LineFields, misfit, unknownKind } from "#ports/portable-fields";
import type { Database } from "./database.ts";

/** Everything in the data file (queue, ledger and records), as lines. */
export function createSqlitePortable(database: Database): Portable {
  return {
    exportLines: () => exportLines(database),
    importLine: async (line) => {
      const fields = new LineFields(line);
      try {
        await database.write(() => importLine(database, fields));
      } catch (error) {
        if (error instanceof BotError) throw error;
        throw misfit(fields.text("kind"), error);
      }
    },
  };
}

const pageSize = 500;

type Row = Readonly<Record<string, string | number | null>>;

function* exportLines(database: Database): Generator<Json> {
  const boot = database.prepare("select value from numbers where name = 'boot'").get();
  if (boot) yield line({ kind: "epoch", counter: Number(boot.value) });
  for (const { table, key, toLines } of tables) {
    for (const row of pages(database, table, key)) {
      for (const one of toLines(row)) yield line(one);
    }
  }
}

/** A table, the columns that order it, and its rows as lines. */
interface Table {
  readonly table: string;
  readonly key: readonly string[];
  readonly toLines: (row: Row) => readonly PortableLine[];
}

const tables: readonly Table[] = [
  {
    table: "seen",
    key: ["id"],
    toLines: (row) => [
      {
        kind: "seen",
        eventId: text(row.event_id),
        conversationKey: textOrNull(row.conversation_key),
        atMs: Number(row.at_ms),
      },
    ],
  },
  {
    table: "changes",
    key: ["id"],
    toLines: (row) => [
      {
        kind: "change",
        changeId: text(row.change_id),
        state: text(row.state),
        conversationKey: textOrNull(row.conversation_key),
        atMs: Number(row.at_ms),
      },
    ],
  },
  {
    table: "runs",
    key: ["id"],
    toLines: (row) => [
      {
        kind: "run-at-hand",
        conversationKey: text(row.conversation_key),
        epoch: text(row.epoch),
        state: row.state === "parked" || row.state === "retry" ? row.state : "running",
        dueMs: row.due_ms === null ? null : Number(row.due_ms),
        attempts: Number(row.attempts),
        stopRequested: row.stop_requested !== 0,
        ...(row.checkpoint === null ? {} : { checkpoint: json(row.checkpoint) }),
        ...(row.journal === null ? {} : { journal: json(row.journal) }),
      },
    ],
  },
  { table: "items", key: ["sequence"], toLines: (row) => [itemLine(row)] },
  {
    table: "set_aside",
    key: ["id"],
    toLines: (row) => [
      {
        kind: "set-aside",
        eventId: text(row.event_id),
        conversationKey: text(row.conversation_key),
        item: json(row.item),
        code: text(row.code),
        ...(row.checkpoint === null ? {} : { checkpoint: json(row.checkpoint) }),
        atMs: Number(row.at_ms),
      },
    ],
  },
  {
    table: "registers",
    key: ["name"],
    toLines: (row) => [
      {
        kind: "register",
        name: text(row.name),
        value: json(row.value),
        version: Number(row.version),
      },
    ],
  },
  {
    table: "list_items",
    key: ["list", "position"],
    toLines: (row) => {
      const list = text(row.list);
      const position = Number(row.position);
      return row.value === null
        ? [{ kind: "list-end", list, position }]
        : [{ kind: "list-item", list, position, value: json(row.value) }];
    },
  },
  {
    table: "ranks",
    key: ["ranking", "member"],
    toLines: (row) => [
      {
        kind: "rank",
        ranking: text(row.ranking),
        member: text(row.member),
        score: Number(row.score),
      },
    ],
  },
  {
    table: "counts",
    key: ["counter", "field"],
    toLines: (row) => [
      {
        kind: "count",
        counter: text(row.counter),
        field: text(row.field),
        value: Number(row.value),
      },
    ],
  },
  {
    table: "records",
    key: ["key"],
    toLines: (row) => [{ kind: "record", key: text(row.key), value: json(row.value) }],
  },
];

function* pages(database: Database, table: string, key: readonly string[]): Generator<Row> {
  const columns = key.join(", ");
  const places = key.map(() => "?").join(", ");
  const order = `order by ${columns} limit ${pageSize}`;
  let page = database.prepare(`select * from ${table} ${order}`).all() as Row[];
  while (page.length > 0) {
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    page = database
      .prepare(`select * from ${table} where (${columns}) > (${places}) ${order}`)
      .all(...key.map((column) => last[column] ?? null)) as Row[];
  }
}

function itemLine(row: Row): PortableLine {
  const common = {
    eventId: text(row.event_id),
    conversationKey: text(row.conversation_key),
    payload: json(row.payload),
    acceptedAtMs: Number(row.accepted_at_ms),
  };
  const isTaken = row.state === "taken" || row.state === "given";
  if (row.kind === "control") {
    const to = row.state === "pending" || row.state === "given" ? "run" : "conversation";
    return { kind: "control", ...common, to, isTaken };
  }
  return {
    kind: "message",
    ...common,
    personKey: text(row.person_key),
    detail: Number(row.detail),
    isTaken,
    amendment: row.amendment === null ? null : json(row.amendment),
  };
}

function importLine(database: Database, fields: LineFields): void {
  const [sql, ...values] = insertionOf(fields);
  database.prepare(sql).run(...values);
}

/** A statement and its values. */
type Insertion = readonly [sql: string, ...values: (string | number | null)[]];

function insertionOf(fields: LineFields): Insertion {
  const kind = fields.text("kind") as PortableLine["kind"];
  switch (kind) {
    case "epoch":
      return [
        `insert into numbers (name, value) values ('boot', ?)
         on conflict do update set value = max(value, excluded.value)`,
        fields.number("counter"),
      ];
    case "seen":
      return [
        `insert into seen (event_id, conversation_key, at_ms) values (?, ?, ?)
         on conflict (event_id) do nothing`,
        fields.text("eventId"),
        fields.textOrNull("conversationKey"),
        fields.number("atMs"),
      ];
    case "change":
      return [
        `insert into changes (change_id, state, conversation_key, at_ms) values (?, ?, ?, ?)
         on conflict (change_id) do nothing`,
        fields.text("changeId"),
        fields.text("state"),
        fields.textOrNull("conversationKey"),
        fields.number("atMs"),
      ];
    case "run-at-hand":
      return runInsertion(fields);
    case "message":
    case "control":
      return itemInsertion(fields, kind);
    case "set-aside":
      return [
        `insert or replace into set_aside (event_id, conversation_key, item, code, checkpoint, at_ms)
         values (?, ?, ?, ?, ?, ?)`,
        fields.text("eventId"),
        fields.text("conversationKey"),
        fields.json("item"),
        fields.text("code"),
        fields.has("checkpoint") ? fields.json("checkpoint") : null,
        fields.number("atMs"),
      ];
    case "register":
      return [
        "insert or replace into registers (name, value, version) values (?, ?, ?)",
        fields.text("name"),
        fields.json("value"),
        fields.number("version"),
      ];
    case "list-item":
      return [
        "insert or replace into list_items (list, position, value) values (?, ?, ?)",
        fields.text("list"),
        fields.number("position"),
        fields.json("value"),
      ];
    case "list-end":
      return [
        "insert or replace into list_items (list, position, value) values (?, ?, null)",
        fields.text("list"),
        fields.number("position"),
      ];
    case "rank":
      return [
        "insert or replace into ranks (ranking, member, score) values (?, ?, ?)",
        fields.text("ranking"),
        fields.text("member"),
        fields.number("score"),
      ];
    case "count":
      return [
        "insert or replace into counts (counter, field, value) values (?, ?, ?)",
        fields.text("counter"),
        fields.text("field"),
        fields.number("value"),
      ];
    case "record":
      return [
        "insert or replace into records (key, value) values (?, ?)",
        fields.text("key"),
        fields.json("value"),
      ];
    default:
      throw unknownKind(kind);
  }
}

function runInsertion(fields: LineFields): Insertion {
  const note = (name: string) => (fields.has(name) ? fields.json(name) : null);
  return [
    `insert or replace into runs
       (conversation_key, epoch, state, due_ms, attempts, stop_requested, checkpoint, journal)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
    fields.text("conversationKey"),
    fields.text("epoch"),
    fields.oneOf("state", ["running", "parked", "retry"]),
    fields.numberOrNull("dueMs"),
    fields.number("attempts"),
    fields.flag("stopRequested") ? 1 : 0,
    note("checkpoint"),
    note("journal"),
  ];
}

function itemInsertion(fields: LineFields, kind: "message" | "control"): Insertion {
  const isMessage = kind === "message";
  return [
    `insert or replace into items
       (event_id, conversation_key, kind, state, person_key, payload, detail, accepted_at_ms,
        amendment)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    fields.text("eventId"),
    fields.text("conversationKey"),
    kind,
    itemState(fields, kind),
    isMessage ? fields.text("personKey") : "",
    fields.json("payload"),
    isMessage ? fields.number("detail") : 0,
    fields.number("acceptedAtMs"),
    isMessage && fields.value("amendment") !== null ? fields.json("amendment") : null,
  ];
}

function itemState(fields: LineFields, kind: "message" | "control"): string {
  const isTaken = fields.flag("isTaken");
  if (kind === "message") return isTaken ? "taken" : "waiting";
  if (fields.oneOf("to", ["run", "conversation"]) === "run") return isTaken ? "given" : "pending";
  return isTaken ? "taken" : "next";
}

/** A line is plain JSON: the type's members are. */
function line(one: PortableLine): Json {
  return one as unknown as Json;
}

function text(value: unknown): string {
  return String(value);
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : String(value);
}

function json(value: unknown): Json {
  return JSON.parse(String(value));
}
