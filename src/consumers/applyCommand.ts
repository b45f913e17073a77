import type { Db, Sql } from '../db/db.ts';
import { isRefusedForGood } from '../db/errors.ts';
import { Refusal } from '../db/refusal.ts';
import { hurryHead, resumeCursor, seekCursor } from '../progress/cursors.ts';
import { addFilter, keepNewestFilter, pruneFilters } from '../progress/filterRows.ts';
import {
  type CommandAnswer,
  type CommandRequest,
  type RetryCause,
  type Command,
  type SeekTo,
  effectOf,
  endsSending,
  needsHold,
} from '../rules/command.ts';
import { applyDelta, filterOf, sameFilter, type Edited } from '../rules/filter.ts';
import { filterChange } from '../rules/filterChange.ts';
import type { ConsumerPatch, Filter } from '../schema/consumer.ts';
import type { Pages } from '../streams/pages.ts';
import { findUnsatisfying, refuseCondition } from './conditionCommands.ts';
import { setHeld } from './consumerRows.ts';
import { needTarget } from './consumers.ts';
import {
  lockRow,
  lockLeaderPosition,
  readSender,
  release,
  watched,
  write,
  type Row,
  type Tx,
} from './lockedConsumer.ts';
import {
  closeAbove,
  closeUnmatched,
  hurryParked,
  hurryUnmade,
  Refused,
  replay,
  resend,
} from './parkedCommands.ts';
import { untilInForce, untilReleased } from './untilInForce.ts';

/** Applies commands to consumers. Only the consumer's own workflow calls it. */
export interface CommandApplier {
  /**
   * Applies the command in one transaction, once for its id, and answers when it is in force: the running
   * sender has confirmed it, or its lease is over. A command that ends sending is in force before it is stored.
   */
  apply(consumerId: string, request: CommandRequest, at: Date): Promise<CommandAnswer>;
  /** Asks the running sender to release its lease; the next `apply` or `unhold` ends that. */
  hold(consumerId: string): Promise<void>;
  /** Ends a hold; without effect when there is none. */
  unhold(consumerId: string): Promise<void>;
}

/** Creates the applier; `pages` reads the streams within a transaction. */
export function createCommandApplier(options: {
  db: Db;
  pages: (sql: Sql) => Pages;
}): CommandApplier {
  const { db } = options;

  async function apply(
    consumerId: string,
    given: CommandRequest,
    at: Date,
  ): Promise<CommandAnswer> {
    if (endsSending(given.command)) await untilLetGo(consumerId, given.command);
    else if (needsHold(given.command)) await untilVisitEnds(consumerId);
    const done = await inTransaction(async (sql) => {
      const leader = await lockLeaderPosition(sql, consumerId);
      const row = await lockRow(sql, consumerId);
      if (row === null || leader === null) return { answer: gone(consumerId), row: null };
      const earlier = await sql.query<{ version: number; detail: { count?: number } }>({
        text: `
          select version, detail from changes
           where consumer_id = $1
             and (edit_id = $2 or (edit_id = $3 and at > now() - interval '24 hours'))`,
        values: [consumerId, given.editId, formerId(given.editId)],
      });
      const [repeated] = earlier.rows;
      if (repeated !== undefined) {
        const { version, detail } = repeated;
        const counted = detail.count === undefined ? {} : { count: detail.count };
        return { answer: { ok: true, version, ...counted } as CommandAnswer, row };
      }
      const request = { ...given, command: await opened(sql, given.command) };
      const tx = { sql, pages: options.pages(sql), consumerId, row, request, at, leader };
      return { answer: await decide(tx, request.command), row };
    });
    // A command that wrote nothing has left the hold in place that was made for it.
    if (needsHold(given.command) || endsSending(given.command))
      await setHeld(db, consumerId, false);
    if (done.answer.ok && done.row !== null && !endsSending(given.command)) {
      await untilInForce(db, consumerId, done.answer.version, done.row);
      if (changesFilter(given.command)) await closeLate(consumerId, done.row);
    }
    return done.answer;
  }

  /**
   * Closes what a sender has parked since the edit was stored and before it knew of it, and all that does not satisfy the
   * condition.
   */
  async function closeLate(consumerId: string, { live }: Pick<Row, 'live'>): Promise<void> {
    const unsatisfying = await findUnsatisfying(db, consumerId);
    if (!live && unsatisfying === null) return;
    await db.transaction(async (sql) => {
      const row = await lockRow(sql, consumerId);
      if (row !== null) await closeUnmatched({ sql, consumerId }, filterOf(row), unsatisfying);
    });
  }

  /**
   * Makes the sender release its lease before a status is stored that ends sending, so that every reader of the
   * status sees one that is in force. Outcomes of requests in flight are stored later. A sender that starts
   * meanwhile finds the hold.
   */
  async function untilLetGo(consumerId: string, command: CommandRequest['command']): Promise<void> {
    if (!(await mayBeSending(db, consumerId, command))) return;
    await setHeld(db, consumerId, true);
    const held = await readSender(db, consumerId);
    if (held !== null) await untilInForce(db, consumerId, held.version, held);
  }

  /**
   * Makes a lane of visits release the consumer before a command changes the position or the order; the
   * workflow has already seen to a drain of its own.
   */
  async function untilVisitEnds(consumerId: string): Promise<void> {
    const sender = await readSender(db, consumerId);
    if (sender === null || !sender.visited) return;
    await setHeld(db, consumerId, true);
    await untilReleased(db, consumerId);
  }

  /**
   * Runs `work` in a transaction; a command that is refused half-way, for example by a constraint, is rolled
   * back.
   */
  async function inTransaction(work: (sql: Sql) => Promise<Done>): Promise<Done> {
    try {
      return await db.transaction(work);
    } catch (error) {
      const answer = refusalFor(error);
      if (answer === null) throw error;
      return { answer, row: null };
    }
  }

  async function hold(consumerId: string): Promise<void> {
    await setHeld(db, consumerId, true);
  }

  return { apply, hold, unhold: (consumerId) => setHeld(db, consumerId, false) };
}

/** The answer to a command that was refused half-way; null for any other error. */
function refusalFor(error: unknown): CommandAnswer | null {
  if (error instanceof Refused) return error.answer;
  if (error instanceof Refusal && error.options.status !== 410) {
    const { status, code, detail } = error.options;
    return { ok: false, status, code, detail };
  }
  if (!isRefusedForGood(error)) return null;
  const detail =
    'Something that this command refers to was changed or deleted at the same time; check it before you send the command again.';
  return { ok: false, status: 409, code: 'conflict', detail };
}

const FILTER_FIELDS = ['syncs', 'collections', 'event_types', 'where'] as const;

interface Done {
  answer: CommandAnswer;
  row: Row | null;
}

function changesFilter(command: CommandRequest['command']): boolean {
  if (command.kind === 'filter') return true;
  return command.kind === 'patch' && FILTER_FIELDS.some((field) => field in command.patch);
}

/** Whether a consumer may have a sender that the command ends. */
async function mayBeSending(sql: Sql, consumerId: string, command: Command): Promise<boolean> {
  const sender = await readSender(sql, consumerId);
  if (sender === null) return false;
  const { status } = sender;
  return (
    command.kind === 'delete' || (command.kind === 'pause' && effectOf(status, 'pause') === 'apply')
  );
}

async function decide(tx: Tx, command: Command): Promise<CommandAnswer> {
  switch (command.kind) {
    case 'pause':
    case 'resume':
      return turn(tx, command.kind);
    case 'retry':
      return turn(tx, command.kind, command.because);
    case 'seek':
      return seek(tx, command.to);
    case 'filter':
      return (
        refuseCondition(command.delta.where, tx.row.stream) ??
        refilter(tx, applyDelta(filterOf(tx.row), command.delta, tx.row.stream))
      );
    case 'patch':
      return patch(tx, command.patch);
    case 'replay':
      return replay(tx, command.ids);
    case 'resend':
      return resend(tx, command.position);
    case 'delete':
      await release(tx);
      return write(tx, 'deleted', { deleted_at: tx.at });
    case 'stored':
      throw new Error('a stored command has been opened before');
  }
}

async function turn(
  tx: Tx,
  verb: 'pause' | 'resume' | 'retry',
  because?: RetryCause,
): Promise<CommandAnswer> {
  const effect = effectOf(tx.row.status, verb);
  if (effect === 'conflict') return conflict(tx, verb);
  if (effect === 'nothing') return { ok: true, version: tx.row.version };
  if (verb === 'retry') return retry(tx, because);
  await release(tx);
  if (verb === 'pause') {
    return write(tx, 'paused', {
      status: 'paused',
      status_reason: `paused by ${tx.request.actor}`,
    });
  }
  await resumeCursor(tx.sql, tx.consumerId);
  return write(tx, 'resumed', {
    status: 'active',
    status_reason: null,
    failing_since: null,
    warned_at: null,
  });
}

/** Makes waiting attempts due immediately, by a running sender as well; the retry window keeps running. */
async function retry(tx: Tx, because?: RetryCause): Promise<CommandAnswer> {
  const parked = await hurryParked(tx);
  const { status, failing, retried, version } = tx.row;
  if (status === 'active') {
    if (!parked && !failing) return { ok: true, version };
    await hurryHead(tx.sql, tx.consumerId); // its sender may be about to release its lease
    await release(tx);
  }
  const cause = because === undefined ? {} : { because };
  return write(tx, 'retried', failing ? { retried: retried + 1 } : {}, cause);
}

async function seek(tx: Tx, to: SeekTo): Promise<CommandAnswer> {
  const position = await resolve(tx, to);
  await seekCursor(tx.sql, tx.consumerId, position);
  await closeAbove(tx, position);
  // From the new position on, only the newest filter applies.
  await keepNewestFilter(tx.sql, tx.consumerId, {
    version: tx.row.filter_version,
    from: position,
  });
  const failing = tx.row.status === 'blocked' ? { status: 'active', status_reason: null } : {};
  return write(
    tx,
    'seeked',
    { ...failing, failing_since: null, warned_at: null },
    { to, position },
  );
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

async function refilter(tx: Tx, edited: Edited): Promise<CommandAnswer> {
  if (!edited.ok) {
    const code = edited.status === 409 ? 'filter_conflict' : 'invalid_request';
    return { ok: false, status: edited.status, code, detail: edited.detail };
  }
  if (sameFilter(edited.filter, filterOf(tx.row))) return { ok: true, version: tx.row.version };
  const version = await changeFilter(tx, edited.filter);
  const what = filterChange(filterOf(tx.row), edited.filter);
  return write(tx, 'filter', { filter_version: version }, { filter_version: version, ...what });
}

/** Adds a filter version. A running sender decides where it applies; without one, the stored progress does. */
async function changeFilter(tx: Tx, filter: Filter): Promise<number> {
  const version = tx.row.filter_version + 1;
  const position = await release(tx);
  // This includes a sender that is just releasing its lease, after a pause or a stop: it has read with the
  // older versions.
  const taker = tx.row.live && tx.row.status !== 'blocked';
  const readTo = Math.max(
    position,
    ...tx.row.ahead,
    tx.row.idle && watched(tx) ? tx.leader.position : 0,
  );
  await addFilter(tx.sql, tx.consumerId, { version, from: taker ? null : readTo, filter });
  await closeUnmatched(tx, filter);
  await pruneFilters(tx.sql, tx.consumerId, position);
  return version;
}

async function patch(tx: Tx, changed: ConsumerPatch): Promise<CommandAnswer> {
  const { syncs, collections, event_types, where, ...fields } = changed;
  const set: Record<string, unknown> = { ...fields };
  if (changed.metadata !== undefined) set['metadata'] = JSON.stringify(changed.metadata);
  if (typeof changed.batch === 'object') set['batch'] = jsonOrNull(changed.batch);
  if (changed.body !== undefined) {
    set['body'] = JSON.stringify(changed.body);
    await hurryUnmade(tx);
  }
  const before = filterOf(tx.row);
  const filter = filterOf({
    syncs: syncs ?? before.syncs,
    collections: collections ?? before.collections,
    event_types: event_types ?? before.event_types,
    where: where === undefined ? before.where : where,
  });
  const refused = refuseCondition(where, tx.row.stream);
  if (refused !== null) return refused;
  if (tx.row.stream === 'records' && filter.event_types[0] !== '*') {
    const detail = 'event_types must be ["*"] on the records stream';
    return { ok: false, status: 422, code: 'invalid_request', detail };
  }
  if (changed.target_id !== undefined) await needTarget(tx.sql, changed.target_id);
  const { name, ordering, batch } = changed;
  const detail: Record<string, unknown> = {
    fields: Object.keys(changed),
    ...(name !== undefined && { name }),
    ...(ordering !== undefined && { ordering }),
    ...(batch !== undefined && { batch }),
  };
  if (!sameFilter(filter, before)) {
    set['filter_version'] = await changeFilter(tx, filter);
    Object.assign(detail, filterChange(before, filter));
  }
  return write(tx, 'changed', set, detail);
}

function jsonOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

/** The id that the API gave such a command before ids contained that of the request's seed. */
function formerId(editId: string): string | null {
  return /^([a-z]+:.+):[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/u.exec(editId)?.[1] ?? null;
}

async function opened(sql: Sql, command: Command): Promise<Command> {
  if (command.kind !== 'stored') return command;
  const { rows } = await sql.query<{ edit: Command }>({
    text: 'select edit from stored_edits where id = $1',
    values: [command.id],
  });
  const edit = rows[0]?.edit;
  if (edit !== undefined) return edit;
  const detail = 'This command was sent so long ago that it is no longer stored; send it again.';
  throw new Refused({ ok: false, status: 409, code: 'command_gone', detail });
}

function gone(consumerId: string): CommandAnswer {
  return {
    ok: false,
    status: 404,
    code: 'not_found',
    detail: `There is no consumer ${consumerId}.`,
  };
}

function conflict(tx: Tx, verb: string): CommandAnswer {
  const detail = `Consumer ${tx.consumerId} is ${tx.row.status}: ${verb} is not possible.`;
  return { ok: false, status: 409, code: 'wrong_status', detail };
}
