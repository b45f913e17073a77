import type { Db, Sql } from './db.ts';
import type { ErrorCode } from './outcome.ts';

/** Cursors, leases and the record of attempts. Every write of a sender is fenced by its epoch. */
export interface Progress {
  /** Takes the next epoch; null when the consumer has no row. Nothing may be sent for `waitMs`. */
  acquire(consumerId: string, holder: string, leaseMs: number): Promise<Lease | null>;
  /** Stores outcomes and renews the leases, in one statement; a fenced consumer is missing in the answer. */
  commit(rows: Outcomes[], leaseMs: number): Promise<Map<string, Committed>>;
  /** The sender has taken versions up to `version`; filter versions it took apply above `filterFrom`. */
  confirm(taken: Taken): Promise<void>;
  /** Lets the lease go, noting the failing head or that the consumer is idle. */
  release(release: Release): Promise<boolean>;
  /** How many failed attempts each retried entry above the position has had. */
  failedAttempts(consumerId: string, position: number): Promise<Map<number, number>>;
}

export interface Lease {
  epoch: number;
  /** Milliseconds until an unreleased predecessor's lease has run out. */
  waitMs: number;
  position: number;
  ahead: number[];
  head: number | null;
  attempt: number;
}

export interface Attempt {
  position: number;
  messageId: string;
  eventId: string | null;
  attempt: number;
  startedAt: number;
  durationMs: number;
  outcome: 'delivered' | 'failed';
  status: number | null;
  errorCode: ErrorCode | null;
  responseHead: string | null;
  nextAttemptAt: number | null;
}

/** First-attempt successes since the last commit, as parallel columns. */
export interface Batch {
  positions: number[];
  startedAt: number[];
  durationMs: number[];
  status: number[];
}

export interface Outcomes {
  consumerId: string;
  epoch: number;
  position: number;
  ahead: number[];
  batch: Batch;
  /** Attempts kept as rows: failures, and successes after them. */
  attempts: Attempt[];
}

export interface Committed {
  /** consumers.version: the configuration the sender should have. */
  version: number;
  targetVersion: number;
}

export interface Taken {
  consumerId: string;
  epoch: number;
  version: number;
  filterVersion: number;
  /** Where the sender took the newest filter version. */
  filterFrom: number;
}

export interface Release {
  consumerId: string;
  epoch: number;
  idle: boolean;
  /** The entry that failed last; null: none fails; `keep`: as it was. */
  head:
    | 'keep'
    | null
    | { position: number; attempt: number; nextAttemptAt: number | null; failure: Failure };
}

/** What people see of the last failure. */
export interface Failure {
  code: ErrorCode;
  status: number | null;
  detail: string;
  at: string;
}

export function createProgress(db: Pick<Db, 'query' | 'pipe'>): Progress {
  return {
    acquire: (consumerId, holder, leaseMs) => acquire(db.pipe, consumerId, holder, leaseMs),
    commit: (rows, leaseMs) => commit(db.pipe, rows, leaseMs),
    confirm: (taken) => confirm(db.pipe, taken),
    release: (release) => letGo(db.pipe, release),
    failedAttempts: (consumerId, position) => failedAttempts(db.pipe, consumerId, position),
  };
}

async function acquire(
  sql: Sql,
  consumerId: string,
  holder: string,
  leaseMs: number,
): Promise<Lease | null> {
  // A woken drain skips to what the leader saw, if it saw it with the filter in force.
  const { rows } = await sql.query<{
    epoch: number;
    wait_ms: number;
    position: number;
    ahead: number[];
    head: number | null;
    attempt: number;
  }>({
    name: 'acquire',
    text: `
      update cursors c
         set epoch          = c.epoch + 1,
             holder         = $2,
             lease_until    = clock_timestamp() + make_interval(secs => $3 / 1000.0),
             position       = case when old.wanted > c.position and old.wanted_version = k.filter_version
                                   then old.wanted - 1 else c.position end,
             idle           = false,
             indexed_epoch  = null,
             wanted         = null,
             wanted_version = null
        from (select * from cursors where consumer_id = $1 for update) old
        join consumers k on k.id = old.consumer_id
       where c.consumer_id = old.consumer_id
      returning c.epoch, c.position, c.ahead, c.head, c.attempt,
                case when old.holder is null then 0
                     else greatest(0, extract(epoch from old.lease_until - clock_timestamp()) * 1000)::float8
                end as wait_ms`,
    values: [consumerId, holder, leaseMs],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { epoch, position, ahead, head, attempt } = row;
  return { epoch, waitMs: row.wait_ms, position, ahead, head, attempt };
}

const COMMIT = `
  with input as (
    select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
      as i(consumer_id, epoch, position, ahead, positions, started_at, duration_ms, status)
  ), moved as (
    update cursors c
       set position    = i.position,
           ahead       = i.ahead::bigint[],
           lease_until = clock_timestamp() + make_interval(secs => $9 / 1000.0)
      from input i
     where c.consumer_id = i.consumer_id and c.epoch = i.epoch
    returning c.consumer_id
  ), batches as (
    insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status)
    select i.consumer_id, clock_timestamp(), i.positions::bigint[], i.started_at::bigint[],
           i.duration_ms::int[], i.status::smallint[]
      from input i join moved using (consumer_id)
     where i.positions <> '{}'
  ), single as (
    insert into attempts
    select a.* from jsonb_to_recordset($10::jsonb) as a(
             id uuid, consumer_id uuid, position bigint, message_id text, event_id text, attempt int,
             started_at timestamptz, duration_ms int, outcome text, status int, error_code text,
             response_head text, next_attempt_at timestamptz)
      join moved using (consumer_id)
  )
  select m.consumer_id, k.version, t.version as target_version
    from moved m join consumers k on k.id = m.consumer_id join targets t on t.id = k.target_id`;

async function commit(
  sql: Sql,
  outcomes: Outcomes[],
  leaseMs: number,
): Promise<Map<string, Committed>> {
  const attempts = outcomes.flatMap((one) =>
    one.attempts.map((attempt) => toRow(one.consumerId, attempt)),
  );
  const { rows } = await sql.query<{
    consumer_id: string;
    version: number;
    target_version: number;
  }>({
    name: 'commit',
    text: COMMIT,
    values: [
      outcomes.map((one) => one.consumerId),
      outcomes.map((one) => one.epoch),
      outcomes.map((one) => one.position),
      outcomes.map((one) => literal(one.ahead)),
      outcomes.map((one) => literal(one.batch.positions)),
      outcomes.map((one) => literal(one.batch.startedAt)),
      outcomes.map((one) => literal(one.batch.durationMs)),
      outcomes.map((one) => literal(one.batch.status)),
      leaseMs,
      JSON.stringify(attempts),
    ],
  });
  return new Map(
    rows.map((row) => [
      row.consumer_id,
      { version: row.version, targetVersion: row.target_version },
    ]),
  );
}

/** A Postgres array literal of integers. */
function literal(numbers: number[]): string {
  return `{${numbers.join(',')}}`;
}

function toRow(consumerId: string, attempt: Attempt): Record<string, unknown> {
  return {
    id: crypto.randomUUID(),
    consumer_id: consumerId,
    position: attempt.position,
    message_id: attempt.messageId,
    event_id: attempt.eventId,
    attempt: attempt.attempt,
    started_at: new Date(attempt.startedAt).toISOString(),
    duration_ms: attempt.durationMs,
    outcome: attempt.outcome,
    status: attempt.status,
    error_code: attempt.errorCode,
    response_head: attempt.responseHead,
    next_attempt_at:
      attempt.nextAttemptAt === null ? null : new Date(attempt.nextAttemptAt).toISOString(),
  };
}

async function confirm(sql: Sql, taken: Taken): Promise<void> {
  await sql.query({
    name: 'confirm',
    text: `
      with seen as (
        update cursors set seen_version = greatest(seen_version, $3)
         where consumer_id = $1 and epoch = $2
        returning consumer_id
      )
      update filter_versions f set filter_from = $5
        from seen
       where f.consumer_id = seen.consumer_id and f.filter_from is null and f.version <= $4`,
    values: [taken.consumerId, taken.epoch, taken.version, taken.filterVersion, taken.filterFrom],
  });
}

async function letGo(sql: Sql, release: Release): Promise<boolean> {
  const head = release.head === 'keep' ? null : release.head;
  const { rows } = await sql.query({
    name: 'release',
    text: `
      with released as (
      update cursors
         set holder = null, lease_until = null, idle = $3, indexed_epoch = null,
             wanted = null, wanted_version = null,
             head            = case when $8 then head else $4 end,
             attempt         = case when $8 then attempt else $5 end,
             next_attempt_at = case when $8 then next_attempt_at else $6 end,
             last_failure    = coalesce($7::jsonb, last_failure)
       where consumer_id = $1 and epoch = $2
      returning consumer_id
      )
      select case when $3 then pg_notify('millrace_idle', '') end from released`,
    values: [
      release.consumerId,
      release.epoch,
      release.idle,
      head?.position ?? null,
      head?.attempt ?? 0,
      head === null || head.nextAttemptAt === null ? null : new Date(head.nextAttemptAt),
      head === null ? null : JSON.stringify(head.failure),
      release.head === 'keep',
    ],
  });
  return rows.length === 1;
}

async function failedAttempts(
  sql: Sql,
  consumerId: string,
  position: number,
): Promise<Map<number, number>> {
  const { rows } = await sql.query<{ position: number; attempt: number }>({
    name: 'failed attempts',
    text: `
      select position, max(attempt)::int as attempt from attempts
       where consumer_id = $1 and position > $2
       group by position`,
    values: [consumerId, position],
  });
  return new Map(rows.map((row) => [row.position, row.attempt]));
}
