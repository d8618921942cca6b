/**
 * The data file's tables, as steps from an empty file to today's. A step that has been released is
 * never edited: a change is a new step. `PRAGMA user_version` counts the steps a file has seen.
 */
export const migrations: readonly string[] = [
  `
  -- Event ids that were accepted, and tombstones (no conversation). In order of rowid, so by age.
  create table seen (
    id integer primary key,
    event_id text not null unique,
    conversation_key text,
    at_ms integer not null
  ) strict;

  -- Changes of messages by their own id, with the answer that was given.
  create table changes (
    id integer primary key,
    change_id text not null unique,
    state text not null,
    conversation_key text,
    at_ms integer not null
  ) strict;

  -- Everything in line. state: 'waiting' (a message), 'next' (to be done between runs),
  -- 'taken' (what the run at hand answers), 'pending' and 'given' (controls for the run at hand).
  create table items (
    sequence integer primary key,
    event_id text not null unique,
    conversation_key text not null,
    kind text not null,
    state text not null,
    person_key text not null,
    payload text not null,
    detail integer not null,
    accepted_at_ms integer not null,
    amendment text
  ) strict;
  create index items_in_line on items (conversation_key, state, sequence);

  -- The run at hand of a conversation; an idle conversation has no row.
  -- state: 'running', 'parked', 'retry'; due_ms is when the latter two wake.
  -- stop_requested: 1 asked for, 2 asked for and told to a lease as it began.
  -- checkpoint and journal are what it wrote down last.
  create table runs (
    id integer primary key,
    conversation_key text not null unique,
    epoch text not null,
    state text not null,
    due_ms integer,
    attempts integer not null,
    stop_requested integer not null default 0,
    journal text,
    checkpoint text
  ) strict;
  create index runs_due on runs (due_ms) where due_ms is not null;

  -- Items that were given up, for an admin.
  create table set_aside (
    id integer primary key,
    event_id text not null unique,
    conversation_key text not null,
    item text not null,
    code text not null,
    checkpoint text,
    at_ms integer not null
  ) strict;

  create table numbers (name text primary key, value integer not null) strict, without rowid;

  create table registers (
    name text primary key,
    value text not null,
    version integer not null
  ) strict, without rowid;

  -- A removed last item keeps its row, without a value, until the next one is appended:
  -- a position is never given twice.
  create table list_items (
    list text not null,
    position integer not null,
    value text,
    primary key (list, position)
  ) strict, without rowid;

  create table ranks (
    ranking text not null,
    member text not null,
    score real not null,
    primary key (ranking, member)
  ) strict, without rowid;
  create index ranks_by_score on ranks (ranking, score, member);

  create table counts (
    counter text not null,
    field text not null,
    value real not null,
    primary key (counter, field)
  ) strict, without rowid;

  create table records (key text primary key, value text not null) strict;
  `,
];
