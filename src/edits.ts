import type { Answer, Ask, Command, SeekTo } from './command.ts';
import { effectOf } from './command.ts';
import type { Db, Sql } from './db.ts';
import { applyDelta, sameFilter, type Edited } from './filter.ts';
import type { Pages } from './pages.ts';
import type { ConsumerPatch, ConsumerStatus, Filter, StreamName } from './schema.ts';

/** A sender that found its consumer `blocked` starts its request within this time, or looks again. */
export const SEND_WITHIN_MS = 100;

/** Applies what people ask of consumers. Called by the consumer's own workflow only. */
export interface Edits {
  /**
   * Records the command in one transaction, idempotent by its edit id, and answers once it is in
   * force: the running sender has confirmed it, or its lease has run out.
   */
  apply(consumerId: string, ask: Ask, at: Date): Promise<Answer>;
  /** Asks the running sender to let go; undone by the next `apply` or `unhold`. */
  hold(consumerId: string): Promise<void>;
  unhold(consumerId: string): Promise<void>;
}

interface Row {
  stream: StreamName;
  status: ConsumerStatus;
  target_id: string;
  version: number;
  filter_version: number;
  position: number;
  ahead: number[];
  idle: boolean;
  wanted: number | null;
  wanted_version: number | null;
  indexed_epoch: number | null;
  live: boolean;
  syncs: string[];
  collections: string[];
  event_types: string[];
}

interface Tx {
  sql: Sql;
  pages: Pages;
  consumerId: string;
  row: Row;
  ask: Ask;
  at: Date;
  /** The leader's durable tail and epoch, locked against its transaction. */
  tail: { position: number; epoch: number };
}

export function createEdits(options: { db: Db; pages: (sql: Sql) => Pages }): Edits {
  const { db } = options;

  async function apply(consumerId: string, asked: Ask, at: Date): Promise<Answer> {
    const ask = { ...asked, command: await opened(db, asked.command) };
    const done = await db.transaction(async (sql) => {
      const tail = await lockTail(sql, consumerId);
      const row = await lockRow(sql, consumerId);
      if (row === null || tail === null) return { answer: gone(consumerId), row: null };
      const earlier = await sql.query<{ version: number }>({
        text: 'select version from changes where consumer_id = $1 and edit_id = $2',
        values: [consumerId, ask.editId],
      });
      const [repeated] = earlier.rows;
      if (repeated !== undefined) {
        return { answer: { ok: true, version: repeated.version } as Answer, row };
      }
      const tx = { sql, pages: options.pages(sql), consumerId, row, ask, at, tail };
      return { answer: await decide(tx, ask.command), row };
    });
    if (done.answer.ok && done.row !== null)
      await inForce(db, consumerId, done.answer.version, done.row);
    return done.answer;
  }

  async function hold(consumerId: string): Promise<void> {
    await setHeld(db, consumerId, true);
  }

  return { apply, hold, unhold: (consumerId) => setHeld(db, consumerId, false) };
}

// ── the commands ─────────────────────────────────────────────────────────────────────────

async function decide(tx: Tx, command: Command): Promise<Answer> {
  switch (command.kind) {
    case 'pause':
    case 'resume':
    case 'retry':
      return turn(tx, command.kind);
    case 'seek':
      return seek(tx, command.to);
    case 'filter':
      return refilter(tx, applyDelta(filterOf(tx.row), command.delta, tx.row.stream));
    case 'patch':
      return patch(tx, command.patch);
    case 'delete':
      await release(tx);
      return write(tx, 'deleted', { deleted_at: tx.at });
    case 'stored':
      throw new Error('a stored edit has been opened before');
  }
}

async function turn(tx: Tx, verb: 'pause' | 'resume' | 'retry'): Promise<Answer> {
  const effect = effectOf(tx.row.status, verb);
  if (effect === 'conflict') return conflict(tx, verb);
  if (effect === 'nothing') return { ok: true, version: tx.row.version };
  if (verb === 'retry') return write(tx, 'retried', {});
  await release(tx);
  if (verb === 'pause') {
    return write(tx, 'paused', { status: 'paused', status_reason: `paused by ${tx.ask.actor}` });
  }
  await tx.sql.query({
    text: 'update cursors set head = null, attempt = 0, next_attempt_at = null where consumer_id = $1',
    values: [tx.consumerId],
  });
  return write(tx, 'resumed', { status: 'active', status_reason: null, failing_since: null });
}

async function seek(tx: Tx, to: SeekTo): Promise<Answer> {
  const position = await resolve(tx, to);
  // Commits of a sender that did not let go are fenced; its lease, if any, is still waited out.
  await tx.sql.query({
    text: `
      update cursors
         set position = $2, ahead = '{}', epoch = epoch + 1, idle = false, indexed_epoch = null,
             wanted = null, wanted_version = null, head = null, attempt = 0, next_attempt_at = null
       where consumer_id = $1`,
    values: [tx.consumerId, position],
  });
  // A replay goes by today's filter alone.
  await tx.sql.query({
    text: 'delete from filter_versions where consumer_id = $1 and version < $2',
    values: [tx.consumerId, tx.row.filter_version],
  });
  await tx.sql.query({
    text: 'update filter_versions set filter_from = $2 where consumer_id = $1',
    values: [tx.consumerId, position],
  });
  const failing = tx.row.status === 'blocked' ? { status: 'active', status_reason: null } : {};
  return write(tx, 'seeked', { ...failing, failing_since: null }, { to, position });
}

async function resolve(tx: Tx, to: SeekTo): Promise<number> {
  if (typeof to === 'object' && 'time' in to)
    return tx.pages.positionAtTime(tx.row.stream, to.time);
  const { rows } = await tx.sql.query<{ first_position: number; last_position: number }>({
    text: 'select first_position, last_position from streams where name = $1',
    values: [tx.row.stream],
  });
  const [ends] = rows;
  if (ends === undefined) throw new Error(`no stream ${tx.row.stream}`);
  if (to === 'end') return ends.last_position;
  if (to === 'beginning') return ends.first_position - 1;
  return Math.max(ends.first_position - 1, Math.min(to.position, ends.last_position));
}

async function refilter(tx: Tx, edited: Edited): Promise<Answer> {
  if (!edited.ok) {
    const code = edited.status === 409 ? 'filter_conflict' : 'invalid_request';
    return { ok: false, status: edited.status, code, detail: edited.detail };
  }
  if (sameFilter(edited.filter, filterOf(tx.row))) return { ok: true, version: tx.row.version };
  const version = await addFilter(tx, edited.filter);
  return write(tx, 'filter', { filter_version: version }, { filter_version: version });
}

/** A version without `filter_from` is taken by the running sender; without one it is known here. */
async function addFilter(tx: Tx, filter: Filter): Promise<number> {
  const version = tx.row.filter_version + 1;
  const position = await release(tx);
  const taker = tx.row.live && tx.row.status === 'active';
  const readTo = Math.max(
    position,
    ...tx.row.ahead,
    tx.row.idle && watched(tx) ? tx.tail.position : 0,
  );
  await tx.sql.query({
    text: `
      insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types)
      values ($1, $2, $3, $4, $5, $6)`,
    values: [
      tx.consumerId,
      version,
      taker ? null : readTo,
      filter.syncs,
      filter.collections,
      filter.event_types,
    ],
  });
  // What no entry above the position can still need.
  await tx.sql.query({
    text: `
      delete from filter_versions f
       where consumer_id = $1
         and version < (select max(version) from filter_versions
                         where consumer_id = $1 and filter_from <= $2)`,
    values: [tx.consumerId, position],
  });
  return version;
}

async function patch(tx: Tx, changed: ConsumerPatch): Promise<Answer> {
  const { syncs, collections, event_types, ...fields } = changed;
  const set: Record<string, unknown> = { ...fields };
  if (changed.metadata !== undefined) set['metadata'] = JSON.stringify(changed.metadata);
  const before = filterOf(tx.row);
  const filter: Filter = {
    syncs: syncs ?? before.syncs,
    collections: collections ?? before.collections,
    event_types: event_types ?? before.event_types,
  };
  if (tx.row.stream === 'records' && filter.event_types[0] !== '*') {
    const detail = 'event_types must be ["*"] on the records stream';
    return { ok: false, status: 422, code: 'invalid_request', detail };
  }
  if (!sameFilter(filter, before)) set['filter_version'] = await addFilter(tx, filter);
  return write(tx, 'changed', set, { fields: Object.keys(changed) });
}

// ── rows ─────────────────────────────────────────────────────────────────────────────────

/** Whether the leader has matched everything up to its tail for this idle consumer. */
function watched(tx: Tx): boolean {
  return tx.row.indexed_epoch === tx.tail.epoch;
}

/**
 * Takes the consumer out of the leader's hands: an idle one stands at the leader's durable tail,
 * or just before what it wants. Returns where it stands.
 */
async function release(tx: Tx): Promise<number> {
  const { row } = tx;
  let position = row.position;
  if (row.idle && row.wanted === null && watched(tx))
    position = Math.max(position, tx.tail.position);
  if (row.wanted !== null && row.wanted_version === row.filter_version) {
    position = Math.max(position, row.wanted - 1);
  }
  if (row.idle) {
    await tx.sql.query({
      text: `
        update cursors set position = $2, idle = false, indexed_epoch = null, wanted = null,
                           wanted_version = null
         where consumer_id = $1`,
      values: [tx.consumerId, position],
    });
  }
  return position;
}

const COLUMNS = new Set([
  'name',
  'target_id',
  'path',
  'ordering',
  'alert_emails',
  'metadata',
  'status',
  'status_reason',
  'failing_since',
  'filter_version',
  'deleted_at',
]);

/** One more version of the row, with its line in `changes` and a hint to the sender. */
async function write(
  tx: Tx,
  action: string,
  set: Record<string, unknown>,
  detail: Record<string, unknown> = {},
): Promise<Answer> {
  const names = Object.keys(set);
  for (const name of names)
    if (!COLUMNS.has(name)) throw new Error(`consumers has no ${name} to set`);
  const assignments = names.map((name, index) => `, ${name} = $${index + 4}`).join('');
  const { rows } = await tx.sql.query<{ version: number }>({
    text: `
      update consumers set version = version + 1, held = false, updated_at = $3${assignments}
       where id = $1 and version = $2
      returning version`,
    values: [tx.consumerId, tx.row.version, tx.at, ...Object.values(set)],
  });
  const version = rows[0]?.version;
  if (version === undefined)
    throw new Error(`consumer ${tx.consumerId} changed under its row lock`);
  await tx.sql.query({
    text: `
      with noted as (
        insert into changes (id, consumer_id, edit_id, action, actor, detail, version, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
      )
      select pg_notify('millrace_consumers', $2::text)`,
    values: [
      crypto.randomUUID(),
      tx.consumerId,
      tx.ask.editId,
      action,
      tx.ask.actor,
      JSON.stringify(detail),
      version,
      tx.at,
    ],
  });
  return { ok: true, version };
}

/** Locks the leader's tail before any cursor: the same order as the leader's own transaction. */
async function lockTail(sql: Sql, consumerId: string): Promise<Tx['tail'] | null> {
  const { rows } = await sql.query<Tx['tail']>({
    text: `
      select t.position, l.epoch
        from consumers k join tails t on t.stream = k.stream cross join leader l
       where k.id = $1 for share of t`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

async function lockRow(sql: Sql, consumerId: string): Promise<Row | null> {
  const { rows } = await sql.query<Row>({
    text: `
      select k.stream, k.status, k.target_id, k.version, k.filter_version, c.position, c.ahead, c.idle,
             c.wanted, c.wanted_version, c.indexed_epoch,
             c.holder is not null and c.lease_until > clock_timestamp() as live,
             f.syncs, f.collections, f.event_types
        from consumers k
        join cursors c on c.consumer_id = k.id
        join filter_versions f on f.consumer_id = k.id and f.version = k.filter_version
       where k.id = $1 and k.deleted_at is null
         for update of k, c`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

async function setHeld(sql: Sql, consumerId: string, held: boolean): Promise<void> {
  await sql.query({
    text: `
      with set as (
        update consumers set held = $2, version = version + 1 where id = $1 and held <> $2
        returning id
      )
      select pg_notify('millrace_consumers', id::text) from set`,
    values: [consumerId, held],
  });
}

/** Returns once the sender has taken `version`, or there is none any more that could act on an older one. */
async function inForce(db: Db, consumerId: string, version: number, row: Row): Promise<void> {
  if (!row.live) return;
  if (row.status === 'blocked') {
    await new Promise((resolve) => setTimeout(resolve, SEND_WITHIN_MS));
    return;
  }
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 100)) {
    const { rows } = await db.query<{ seen: boolean; live: boolean }>({
      text: `
        select seen_version >= $2 as seen,
               holder is not null and lease_until > clock_timestamp() as live
          from cursors where consumer_id = $1`,
      values: [consumerId, version],
    });
    const state = rows[0];
    if (state === undefined || state.seen) return;
    if (!state.live) {
      await takeForNobody(db, consumerId);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** The sender is gone: its epoch ends, and filter versions it did not take apply above what is stored. */
async function takeForNobody(sql: Sql, consumerId: string): Promise<void> {
  await sql.query({
    text: `
      with fenced as (
        update cursors set epoch = epoch + 1, holder = null, lease_until = null
         where consumer_id = $1 and (holder is null or lease_until <= clock_timestamp())
        returning position, ahead
      )
      update filter_versions f
         set filter_from = greatest(fenced.position, (select max(a) from unnest(fenced.ahead) a))
        from fenced
       where f.consumer_id = $1 and f.filter_from is null`,
    values: [consumerId],
  });
}

async function opened(sql: Sql, command: Command): Promise<Command> {
  if (command.kind !== 'stored') return command;
  const { rows } = await sql.query<{ edit: Command }>({
    text: 'select edit from stored_edits where id = $1',
    values: [command.id],
  });
  const edit = rows[0]?.edit;
  if (edit === undefined) throw new Error(`no stored edit ${command.id}`);
  return edit;
}

function filterOf(row: Row): Filter {
  return { syncs: row.syncs, collections: row.collections, event_types: row.event_types };
}

function gone(consumerId: string): Answer {
  return {
    ok: false,
    status: 404,
    code: 'not_found',
    detail: `There is no consumer ${consumerId}.`,
  };
}

function conflict(tx: Tx, verb: string): Answer {
  const detail = `Consumer ${tx.consumerId} is ${tx.row.status}: ${verb} is not possible.`;
  return { ok: false, status: 409, code: 'wrong_status', detail };
}
