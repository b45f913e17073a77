import type { Sql } from '../db/db.ts';
import type { Failure } from '../rules/outcome.ts';
import { SHOWN_REASON } from '../rules/statusSql.ts';
import type { ConsumerStatus, Filter } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';

const MAX_LIST_BYTES = 256 * 1024;

/**
 * A consumer's state as its workflow sees it. It is kept in histories, so it holds no secret and no
 * data of an entry.
 */
export interface ConsumerSnapshot {
  stream: StreamName;
  status: ConsumerStatus;
  statusReason: string | null;
  version: number;
  filterVersion: number;
  name: string;
  targetName: string;
  /** Older histories lack it. */
  targetId?: string;
  targetHost: string;
  path: string;
  position: number;
  lastPosition: number;
  /** Whether no drain is needed: there is nothing to send as far as the leader has looked, or lanes of visits send it. */
  idle: boolean;
  failingSince: string | null;
  nextAttemptAt: string | null;
  attempt: number;
  lastFailure: Failure | null;
  /** Whether a warning of this failure has gone out. */
  warned: boolean;
  /**
   * When the next parked entry is due, RFC 3339; null unless the consumer is active, and while a lane visits it, which
   * tries parked entries itself.
   */
  parkedDueAt: string | null;
  deleted: boolean;
  /** The retry window of the worker that read the row, ms; older histories lack it. */
  retryWindowMs?: number;
}

interface Row extends Omit<ConsumerSnapshot, 'targetHost'> {
  baseUrl: string | null;
}

/** Reads a consumer's state; null when it does not exist. */
export async function loadSnapshot(sql: Sql, consumerId: string): Promise<ConsumerSnapshot | null> {
  const { rows } = await sql.query<Row>({
    text: `
      select k.stream, k.status, k.version,
             case k.status when 'blocked' then ${SHOWN_REASON} else k.status_reason end as "statusReason",
             k.filter_version as "filterVersion", k.name,
             coalesce(t.name, '') as "targetName", k.target_id as "targetId", t.base_url as "baseUrl", k.path, c.position, s.last_position as "lastPosition",
             (c.idle and not c.needs_drain or c.visited) as idle, k.failing_since as "failingSince",
             c.next_attempt_at as "nextAttemptAt", c.attempt, c.last_failure as "lastFailure",
             k.deleted_at is not null as deleted, k.warned_at is not null as warned,
             case when not c.visited then k.active_since + make_interval(secs => (
               select min(p.due_ms) from parked p where p.consumer_id = k.id
             ) / 1000.0 - k.active_ms / 1000.0) end as "parkedDueAt"
        from consumers k
        join cursors c on c.consumer_id = k.id
        left join targets t on t.id = k.target_id -- none: of a deleted one
        join streams s on s.name = k.stream
       where k.id = $1`,
    values: [consumerId],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { baseUrl, ...rest } = row;
  return { ...rest, targetHost: baseUrl === null ? '' : targetHost(baseUrl) };
}

/** The host of a target. A stored URL that can't be read is shown as it is. */
export function targetHost(baseUrl: string): string {
  return URL.parse(baseUrl)?.host ?? baseUrl;
}

/**
 * Reads the newest filter, its lists cut to 256 KB together so that a workflow can hold them. Parts that can't
 * be read are left out, as if they were cut off.
 */
export async function loadFilter(
  sql: Sql,
  consumerId: string,
): Promise<{ filter: Filter; truncated: boolean }> {
  const { rows } = await sql.query<Filter>({
    text: `
      select syncs, collections, event_types, condition as "where" from filter_versions
       where consumer_id = $1 order by version desc limit 1`,
    values: [consumerId],
  });
  const [row = { syncs: [], collections: [], event_types: [] }] = rows;
  let room = MAX_LIST_BYTES;
  let truncated = rows.length === 0;
  const cut = (list: unknown[]): string[] => {
    const kept: string[] = [];
    for (const value of list) {
      if (typeof value !== 'string') {
        truncated = true;
        continue;
      }
      room -= Buffer.byteLength(value) + 4;
      if (room < 0) {
        truncated = true;
        break;
      }
      kept.push(value);
    }
    return kept;
  };
  const filter = {
    event_types: cut(row.event_types),
    collections: cut(row.collections),
    syncs: cut(row.syncs),
    ...(row.where === undefined || row.where === null ? {} : { where: row.where }),
  };
  return { filter, truncated };
}
