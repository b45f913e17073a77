import { OVER_AT, type Aging } from '../retention/retentionText.ts';
import { filterOf } from '../rules/filter.ts';
import { readHolder } from '../rules/laneHolder.ts';
import { HELD_UNTIL, IS_HELD } from '../rules/leaseSql.ts';
import { LEADER_JOINS, SHOWN_POSITION } from '../rules/positionSql.ts';
import { SHOWN_FAILING_SINCE, SHOWN_REASON, SHOWN_STATUS } from '../rules/statusSql.ts';
import type { Consumer, ConsumerInput } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { cursorOf } from '../streams/cursor.ts';
import type { Reader } from '../streams/waiting.ts';
import { consumerHealth, type ConditionTrouble, type SeenFailure } from './consumerHealth.ts';
import type { Created } from './consumerRows.ts';

/** A consumer's row with everything that its view shows, from one snapshot. */
export interface ConsumerRow {
  id: string;
  name: string;
  target_id: string;
  target_name: string;
  stream: StreamName;
  path: string;
  syncs: string[];
  collections: string[];
  event_types: string[];
  where: string | null;
  ordering: Consumer['ordering'];
  batch: Consumer['batch'];
  body: Consumer['body'];
  alert_emails: string[];
  status: Consumer['status'];
  status_reason: string | null;
  /** Its position; for an idle consumer the leader's, up to which no entry has matched. */
  shown: number;
  ahead: number[];
  last_position: number;
  attempt: number;
  next_attempt_at: string | null;
  last_failure: (SeenFailure & { detail: string; at: string }) | null;
  failing_since: string | null;
  filter_version: number;
  filter_from: number;
  region: string;
  metadata: Record<string, unknown>;
  created_at: string;
  updated_at: string;
  parked: number;
  dead: number;
  /** Whether a warning about old events that wait for it is in force. */
  aging: boolean;
  /** When the next parked entry is due; null unless the consumer is active. */
  parked_due_at: string | null;
  /** The last failure of the newest parked entry that was tried. */
  newest_parked: { code: string; detail: string } | null;
  /** The lasting fault that keeps it from sending; null: there is none. */
  cannot_start: Consumer['cannot_start'];
  /** What of its condition could not be evaluated in the last 24 hours; null: nothing. */
  condition_fault: ConditionTrouble | null;
  /** The value of the column by which the list is sorted. */
  place: string | number;
  /** The holder of its lease, for a lane of visits or for an activity of its own; null: nobody holds it. */
  sender: { holder: string; visited: boolean; lease_until: string } | null;
}

/**
 * A statement that reads the consumers that `rows` selects (all columns of `consumers`), newest
 * first, or by another column of `rows`, the largest value first. `rows` is evaluated before the joins, so that they
 * cost no more than one page.
 */
export function selectConsumers(rows: string, order = 'created_at'): string {
  return `
    with page as materialized (${rows})
    select k.id, k.name, k.target_id, k.stream, k.path,
           coalesce((select name from targets where id = k.target_id), '') as target_name,
           k.${order} as place,
           array_remove(coalesce(f.syncs, '{}'), null) as syncs,
           array_remove(coalesce(f.collections, '{}'), null) as collections,
           array_remove(coalesce(f.event_types, '{}'), null) as event_types, f.condition as "where",
           k.ordering, k.batch, k.body, k.alert_emails, ${SHOWN_STATUS} as status, ${SHOWN_REASON} as status_reason,
           stand.shown, c.ahead, s.last_position, c.attempt, c.next_attempt_at, c.last_failure,
           ${SHOWN_FAILING_SINCE} as failing_since,
           p.parked, p.parked_due_at, newest.last_failure as newest_parked,
           (select count(*) from dead_letters d where d.consumer_id = k.id) as dead,
           exists (select from aging a where a.consumer_id = k.id and a.warned_at is not null) as aging,
           coalesce(f.version, k.filter_version) as filter_version,
           coalesce(f.filter_from, 0) as filter_from, k.region, k.metadata, k.created_at, k.updated_at,
           case when sf.consumer_id is not null then json_build_object(
             'code', sf.code, 'detail', sf.detail, 'since', sf.since,
             'next_try_at', sf.next_try_at) end as cannot_start,
           case when cf.consumer_id is not null then json_build_object(
             'entries', cf.entries, 'since', cf.since, 'position', cf.position,
             'detail', cf.detail) end as condition_fault,
           case when ${IS_HELD} then json_build_object(
             'holder', c.holder, 'visited', c.visited, 'lease_until', ${HELD_UNTIL}) end as sender
      from page k
      join cursors c on c.consumer_id = k.id
      left join lateral ( -- the one in force: a sender may still go by an older one than the newest
        select version, filter_from, syncs, collections, event_types, condition from filter_versions
         where consumer_id = k.id and filter_from is not null
         order by version desc limit 1
     ) f on true -- a consumer whose filter is lost is shown all the same
      left join start_faults sf on sf.consumer_id = k.id and k.status in ('active', 'blocked')
      left join condition_faults cf on cf.consumer_id = k.id and cf.filter_version = f.version
            and cf.at > now() - interval '24 hours'
     cross join lateral (
        select count(*) as parked,
               case when min(due_ms) is not null then k.active_since
                 + make_interval(secs => greatest(0, min(due_ms) - k.active_ms) / 1000.0) end
                 as parked_due_at
          from parked where consumer_id = k.id
     ) p
      left join lateral (
        select last_failure from parked
         where consumer_id = k.id and last_failure is not null
         order by position desc limit 1
     ) newest on p.parked > 0
      join streams s on s.name = k.stream
      ${LEADER_JOINS}
     cross join lateral (
        select ${SHOWN_POSITION} as shown
     ) stand
     order by k.${order} desc, k.id desc`;
}

/**
 * The row of a consumer that has just been created, as `selectConsumers` would read it, when no entry follows
 * its position.
 */
export function newConsumerRow(
  created: { id: string; input: ConsumerInput; region: string },
  { position, created_at, target_name }: Created,
): ConsumerRow {
  const { id, input, region } = created;
  return {
    ...input,
    id,
    region,
    target_name,
    place: created_at,
    status: 'active',
    status_reason: null,
    shown: position,
    ahead: [],
    last_position: position,
    attempt: 0,
    next_attempt_at: null,
    last_failure: null,
    failing_since: null,
    filter_version: 1,
    filter_from: position,
    created_at,
    updated_at: created_at,
    parked: 0,
    newest_parked: null,
    dead: 0,
    aging: false,
    parked_due_at: null,
    cannot_start: null,
    condition_fault: null,
    sender: null,
  };
}

/** The entries that wait for a consumer. */
export type Lag = Consumer['lag'];

/** The consumer of a row as it reads its stream. */
export function readerOf(row: ConsumerRow): Reader {
  return {
    stream: row.stream,
    position: row.shown,
    ahead: row.ahead,
    last: row.last_position,
    filter: filterOf(row),
    filterFrom: row.filter_from,
  };
}

/** Settings of the installation that a consumer's view depends on. */
export interface ViewSettings {
  /** Whether alerts about a consumer without `alert_emails` have a recipient. */
  alertsByDefault: boolean;
  /** How long events are kept, ms. */
  eventRetentionMs: number;
}

/** Makes the API's consumer from a row. */
export function toConsumer(row: ConsumerRow, lag: Lag, settings: ViewSettings): Consumer {
  const nextAttemptAt = row.status === 'blocked' ? row.next_attempt_at : row.parked_due_at;
  return {
    id: row.id,
    name: row.name,
    target_id: row.target_id,
    target_name: row.target_name,
    stream: row.stream,
    path: row.path,
    ...filterOf(row),
    where: row.where,
    ordering: row.ordering,
    batch: batchOf(row),
    body: row.body,
    alert_emails: row.alert_emails,
    status: row.status,
    status_reason: row.status_reason,
    position: row.shown,
    cursor: cursorOf(row.stream, row.shown),
    lag,
    parked: row.parked,
    dead_letters: row.dead,
    next_attempt_at: nextAttemptAt,
    failing_since: row.failing_since,
    last_failure: lastFailureOf(row),
    cannot_start: row.cannot_start === null ? null : cannotStartOf(row.cannot_start),
    sender: row.sender === null ? null : senderOf(row.sender, row.status),
    filter_version: row.filter_version,
    filter_from: row.filter_from,
    region: row.region,
    workflow_id: `consumer/${row.id}`,
    health: consumerHealth({
      status: row.status,
      statusReason: row.status_reason,
      failingSince: row.failing_since,
      nextAttemptAt,
      lastFailure: row.last_failure,
      attempts: row.attempt,
      waiting: lag,
      parked: row.parked,
      newestParked: row.newest_parked,
      deadLetters: row.dead,
      cannotStart: row.cannot_start,
      aging: agingOf(row, lag, settings.eventRetentionMs),
      filter: filterOf(row),
      conditionFault: row.condition_fault,
      alertsReachSomeone: settings.alertsByDefault || row.alert_emails.length > 0,
      now: new Date(),
    }),
    metadata: row.metadata,
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}

/** Postgres keeps the members of a jsonb in an order of its own. */
function batchOf({ batch }: ConsumerRow): Consumer['batch'] {
  if (batch === null) return null;
  const { max_entries, max_bytes, max_wait_ms } = batch;
  return { max_entries, max_bytes, max_wait_ms };
}

/** The failure of an endpoint that still fails, as far as it is known; a stored one may belong to an earlier time. */
function lastFailureOf({ failing_since, last_failure }: ConsumerRow): Consumer['last_failure'] {
  if (failing_since === null || last_failure === null) return null;
  const { code, status, detail, at, since, late } = last_failure;
  return {
    code,
    status,
    detail,
    at,
    since: since ?? null,
    late: late === undefined ? null : { status: late.status, after_ms: late.after_ms },
  };
}

/** JSON from Postgres has times in another form. */
function cannotStartOf(fault: NonNullable<Consumer['cannot_start']>): Consumer['cannot_start'] {
  const { since, next_try_at } = fault;
  return {
    ...fault,
    since: new Date(since).toISOString(),
    next_try_at: new Date(next_try_at).toISOString(),
  };
}

/** For a blocked consumer that is not visited, the sender is `deliver`, because the lease itself does not say so. */
function senderOf(
  { holder, visited, lease_until }: NonNullable<ConsumerRow['sender']>,
  status: Consumer['status'],
): Consumer['sender'] {
  const own = status === 'blocked' ? 'deliver' : 'drain';
  return {
    activity: visited ? 'visit' : own,
    ...readHolder(holder),
    lease_until: new Date(lease_until).toISOString(),
  };
}

/** The age of the waiting events while a warning is in force; null when the consumer has passed them since. */
function agingOf({ aging }: ConsumerRow, lag: Lag, keptMs: number): Aging | null {
  const ageMs = lag.seconds * 1_000;
  if (!aging || lag.entries === 0 || ageMs < keptMs * OVER_AT) return null;
  return { waiting: lag, ageMs, keptMs };
}
