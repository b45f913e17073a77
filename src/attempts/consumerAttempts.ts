import type { Sql } from '../db/db.ts';
import {
  compare,
  isBefore,
  type PastAttempt,
  type PositionInTime,
  type ReadPastAttempts,
} from './attemptPage.ts';

/** An attempt recorded later than this after its start is listed as if it had started this long before. */
export const SLACK_MS = 60_000;
/** How many batches one query reads: the first one the least, and then as many as are likely to hold the rest. */
const BATCHES = { least: 64, most: 1_024 };

/** Whose attempts to read: those of one consumer, or of all that send to a target. */
export type Whose = { consumerId: string } | { targetId: string };

/** What to read of their attempts. */
export type Sources = Whose & {
  /** Unix ms from which rows have to have started; null: all. */
  rowsSince: number | null;
  /** Unix ms from which batches have to have been recorded; null: all. */
  batchesSince: number | null;
  /** Whether to read batches, which hold nothing but first attempts that succeeded. */
  withBatches: boolean;
};

/**
 * Reads the attempts newest first: batches and rows, each by its index, merged. Rows that are older than as many
 * attempts of batches as are wanted are not read.
 */
export function consumerAttempts(sql: Sql, sources: Sources): ReadPastAttempts {
  return async (before, size) => {
    const batches = sources.withBatches
      ? await walkBatches(sql, sources, before, size)
      : { made: [], end: true };
    const last = batches.made[size - 1];
    const rowsSince =
      last === undefined ? sources.rowsSince : Math.max(last.at, sources.rowsSince ?? -Infinity);
    const rows = await readRows(sql, { ...sources, rowsSince }, before, size);
    const made = [...rows, ...batches.made].sort(compare);
    const end = last === undefined && rows.length < size && batches.end && made.length <= size;
    return { made: made.slice(0, size), end };
  };
}

/** A row of `attempts`. */
export interface StoredAttempt extends Omit<PastAttempt, 'startedAt' | 'at'> {
  started_at: string;
}

/** The columns of a `StoredAttempt`. */
export const ROW = `id, consumer_id, position, message_id, coalesce(batch_size, 1) as batch_size, event_id, attempt, started_at,
  duration_ms, outcome, status, error_code, response_head, next_attempt_at`;

/** Turns a row of `attempts` into an attempt. */
export function fromRow({ started_at, ...row }: StoredAttempt): PastAttempt {
  const startedAt = Date.parse(started_at);
  return { ...row, startedAt, at: startedAt };
}

/** A condition on the column `consumer_id`, and the value that it compares with, which is to be bound as `param`. */
export function ofWhom(of: Whose, param: string): [condition: string, value: string] {
  if ('consumerId' in of) return [`consumer_id = ${param}`, of.consumerId];
  const all = `select id from consumers where target_id = ${param} and deleted_at is null`;
  return [`consumer_id in (${all})`, of.targetId];
}

async function readRows(
  sql: Sql,
  sources: Sources,
  before: PositionInTime,
  size: number,
): Promise<PastAttempt[]> {
  const [isTheirs, id] = ofWhom(sources, '$1');
  const { rows } = await sql.query<StoredAttempt>({
    // The second bound of the time leaves out the partitions above it.
    text: `
      select ${ROW} from attempts
       where ${isTheirs} and (started_at, id) < ($2::timestamptz, $3::uuid)
         and started_at <= $2::timestamptz and started_at >= $4::timestamptz
       order by started_at desc, id desc limit $5`,
    values: [id, timeOf(before.at), before.id, timeOf(sources.rowsSince), size],
  });
  return rows.map(fromRow);
}

/** A row of `attempt_batches`. */
export interface BatchRow {
  consumer_id: string;
  committed_at: string;
  positions: number[];
  started_at: number[];
  duration_ms: number[];
  status: number[];
  requests: StoredRequest[] | null;
}

/** The columns of a `BatchRow`. */
export const BATCH_ROW =
  'consumer_id, committed_at, positions, started_at, duration_ms, status, requests';

/** A request of several entries: the index of the first, how many of them, the size of the batch, and its id. */
export type StoredRequest = [from: number, count: number, size: number, id: string];

/**
 * Reads batches, newest commit first, until no batch that is left can hold one of the newest `size`
 * attempts: all attempts of a batch started before its commit. One commit may hold batches of many consumers.
 */
async function walkBatches(
  sql: Sql,
  sources: Sources,
  before: PositionInTime,
  size: number,
): Promise<{ made: PastAttempt[]; end: boolean }> {
  const [isTheirs, id] = ofWhom(sources, '$1');
  const since = timeOf(sources.batchesSince);
  const made: PastAttempt[] = [];
  let upTo = timeOf(before.at + SLACK_MS + 1);
  let read = 0;
  let count = BATCHES.least;
  for (;;) {
    const { rows } = await sql.query<BatchRow>({
      text: `
        select ${BATCH_ROW} from attempt_batches
         where ${isTheirs} and committed_at < $2::timestamptz
           and committed_at >= $3::timestamptz and oldest <= $4
         order by committed_at desc fetch first $5 rows with ties`,
      values: [id, upTo, since, Math.min(before.at, MAX_MS), count],
    });
    for (const row of rows) {
      for (const one of fromBatch(row)) if (isBefore(one, before)) made.push(one);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < count) break;
    const latest = Date.parse(last.committed_at);
    if (made.filter(({ at }) => at > latest).length >= size)
      return { ...cut(made, size), end: false };
    upTo = last.committed_at;
    read += rows.length;
    const likely = Math.ceil(((size - made.length) * read) / Math.max(1, made.length));
    count = Math.min(BATCHES.most, Math.max(BATCHES.least, likely));
  }
  return { ...cut(made, size), end: made.length <= size };
}

function cut(made: PastAttempt[], size: number): { made: PastAttempt[] } {
  return { made: made.sort(compare).slice(0, size) };
}

/** The attempts of a row of `attempt_batches`. */
export function fromBatch(row: BatchRow): PastAttempt[] {
  const earliest = Date.parse(row.committed_at) - SLACK_MS;
  return row.positions.map((position, index) => {
    const startedAt = row.started_at[index] as number;
    return firstSuccess({
      consumer_id: row.consumer_id,
      position,
      startedAt,
      at: Math.max(startedAt, earliest),
      duration_ms: row.duration_ms[index] as number,
      status: row.status[index] as number,
      ...requestAt(row.requests, index),
    });
  });
}

/** The id that was sent and how many entries came with it, of the success at an index. */
export function requestAt(
  requests: StoredRequest[] | null,
  index: number,
): Pick<PastAttempt, 'message_id' | 'batch_size'> {
  const found = requests?.find(([from, count]) => index >= from && index < from + count);
  if (found === undefined) return { message_id: null, batch_size: 1 };
  const [, , batch_size, message_id] = found;
  return { message_id, batch_size };
}

/** Completes an attempt of a batch, which is always a first attempt that succeeded. */
export function firstSuccess(
  one: Pick<
    PastAttempt,
    | 'consumer_id'
    | 'position'
    | 'startedAt'
    | 'at'
    | 'duration_ms'
    | 'status'
    | 'message_id'
    | 'batch_size'
  >,
): PastAttempt {
  return {
    ...one,
    id: null,
    event_id: null,
    attempt: 1,
    outcome: 'delivered',
    error_code: null,
    response_head: null,
    next_attempt_at: null,
  };
}

const MAX_MS = 8.64e15;

/** A time in Postgres' form; `-infinity` for null, `infinity` for what is too late for a `Date`. */
export function timeOf(ms: number | null): string {
  if (ms === null) return '-infinity';
  return ms >= 2.5e14 ? 'infinity' : new Date(ms).toISOString();
}
