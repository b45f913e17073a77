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
const BATCHES = 64;

/** What to read of a consumer's attempts. */
export interface Sources {
  consumerId: string;
  /** Unix ms from which rows have to have started; null: all. */
  rowsSince: number | null;
  /** Unix ms from which batches have to have been recorded; null: all. */
  batchesSince: number | null;
  /** Whether to read batches, which hold nothing but first attempts that succeeded. */
  withBatches: boolean;
  withTraces: boolean;
}

/** Reads the attempts of one consumer newest first: rows and batches, each by its index, merged. */
export function consumerAttempts(sql: Sql, sources: Sources): ReadPastAttempts {
  return async (before, size) => {
    const [rows, batches] = await Promise.all([
      readRows(sql, sources, before, size),
      sources.withBatches ? walkBatches(sql, sources, before, size) : { made: [], end: true },
    ]);
    const made = [...rows, ...batches.made].sort(compare);
    const end = rows.length < size && batches.end && made.length <= size;
    return { made: made.slice(0, size), end };
  };
}

/** A row of `attempts`. */
export interface StoredAttempt extends Omit<PastAttempt, 'startedAt' | 'at'> {
  started_at: string;
}

/** The columns of a `StoredAttempt`. */
export function columns(withTraces: boolean): string {
  return withTraces ? `${ROW}, trace` : ROW;
}

const ROW = `id, consumer_id, position, message_id, event_id, attempt, started_at,
  duration_ms, outcome, status, error_code, response_head, next_attempt_at`;

/** Turns a row of `attempts` into an attempt. */
export function fromRow({ started_at, ...row }: StoredAttempt): PastAttempt {
  const startedAt = Date.parse(started_at);
  return { ...row, startedAt, at: startedAt };
}

async function readRows(
  sql: Sql,
  { consumerId, rowsSince, withTraces }: Sources,
  before: PositionInTime,
  size: number,
): Promise<PastAttempt[]> {
  const { rows } = await sql.query<StoredAttempt>({
    text: `
      select ${columns(withTraces)} from attempts
       where consumer_id = $1 and (started_at, id) < ($2::timestamptz, $3::uuid)
         and started_at >= $4::timestamptz
       order by started_at desc, id desc limit $5`,
    values: [consumerId, timeOf(before.at), before.id, timeOf(rowsSince), size],
  });
  return rows.map(fromRow);
}

interface BatchRow {
  committed_at: string;
  positions: number[];
  started_at: number[];
  duration_ms: number[];
  status: number[];
}

/**
 * Reads batches, newest commit first, until no batch that is left can hold one of the newest `size`
 * attempts: all attempts of a batch started before its commit.
 */
async function walkBatches(
  sql: Sql,
  { consumerId, batchesSince }: Sources,
  before: PositionInTime,
  size: number,
): Promise<{ made: PastAttempt[]; end: boolean }> {
  const made: PastAttempt[] = [];
  let upTo = timeOf(before.at + SLACK_MS + 1);
  for (;;) {
    const { rows } = await sql.query<BatchRow>({
      text: `
        select committed_at, positions, started_at, duration_ms, status from attempt_batches
         where consumer_id = $1 and committed_at < $2::timestamptz
           and committed_at >= $3::timestamptz and oldest <= $4
         order by committed_at desc limit ${BATCHES}`,
      values: [consumerId, upTo, timeOf(batchesSince), Math.min(before.at, MAX_MS)],
    });
    for (const row of rows) {
      for (const one of fromBatch(consumerId, row)) if (isBefore(one, before)) made.push(one);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCHES) break;
    const latest = Date.parse(last.committed_at);
    if (made.filter(({ at }) => at > latest).length >= size)
      return { ...cut(made, size), end: false };
    upTo = last.committed_at;
  }
  return { ...cut(made, size), end: made.length <= size };
}

function cut(made: PastAttempt[], size: number): { made: PastAttempt[] } {
  return { made: made.sort(compare).slice(0, size) };
}

function fromBatch(consumerId: string, row: BatchRow): PastAttempt[] {
  const earliest = Date.parse(row.committed_at) - SLACK_MS;
  return row.positions.map((position, index) => {
    const startedAt = row.started_at[index] as number;
    return firstSuccess({
      consumer_id: consumerId,
      position,
      startedAt,
      at: Math.max(startedAt, earliest),
      duration_ms: row.duration_ms[index] as number,
      status: row.status[index] as number,
    });
  });
}

/** Completes an attempt of a batch, which is always a first attempt that succeeded. */
export function firstSuccess(
  one: Pick<
    PastAttempt,
    'consumer_id' | 'position' | 'startedAt' | 'at' | 'duration_ms' | 'status'
  >,
): PastAttempt {
  return {
    ...one,
    id: null,
    message_id: null,
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
