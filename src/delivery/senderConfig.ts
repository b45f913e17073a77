import { plainArray } from '../db/arrayLiteral.ts';
import type { Sql } from '../db/db.ts';
import type { Vault } from '../db/vault.ts';
import { isSameBody } from '../rules/bodyShape.ts';
import { filterOf, isReadable } from '../rules/filter.ts';
import type { FilterVersion } from '../rules/filterVersions.ts';
import { CannotStart } from '../rules/startFault.ts';
import { isCompilable } from '../rules/where.ts';
import type { ConsumerBatch } from '../schema/batch.ts';
import type { ConsumerBody } from '../schema/body.ts';
import type { ConsumerStatus, Ordering } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { openTarget, type OpenTarget, type TargetCache } from '../targets/openTarget.ts';

/** A consumer as its sender needs it: configuration, filter versions and the opened target. */
export interface SenderConfig {
  consumerId: string;
  stream: StreamName;
  path: string;
  ordering: Ordering;
  /** Null: each entry has a request of its own. It never changes while a sender runs. */
  batch: ConsumerBatch | null;
  body: ConsumerBody;
  status: ConsumerStatus;
  /** Whether a command waits for the sender to release its lease. */
  held: boolean;
  deleted: boolean;
  version: number;
  filterVersion: number;
  /** The version in force at the position and all later ones, ascending. */
  filters: FilterVersion[];
  target: OpenTarget;
  /** Changes whenever a command has changed the consumer's parked entries. */
  parkedVersion: number;
  /** Changes whenever `retry` was given for a failing entry. */
  retried: number;
  /** The consumer's own clock: it showed `ms` at `since` (unix ms), and stands still at `ms` while that is null. */
  clock: { ms: number; since: number | null };
}

/** The consumer's own clock at `nowMs` (unix ms), by which parked entries are due and die. */
export function ownClock({ clock }: Pick<SenderConfig, 'clock'>, nowMs: number): number {
  return clock.since === null ? clock.ms : clock.ms + Math.max(0, nowMs - clock.since);
}

/** How many requests may be in flight: always one under `ordering: "stream"`, otherwise the target's limit. */
export function mostInFlight({
  ordering,
  target,
}: Pick<SenderConfig, 'ordering' | 'target'>): number {
  return ordering === 'stream' ? 1 : target.maxInFlight;
}

/** Whether both configurations send requests to the same place in the same way. */
export function goesTheSameWay(next: SenderConfig, before: SenderConfig): boolean {
  return (
    next.target.version === before.target.version &&
    next.path === before.path &&
    isSameBody(next.body, before.body) &&
    next.target.id === before.target.id
  );
}

interface Row {
  id: string;
  stream: StreamName;
  path: string;
  ordering: Ordering;
  batch: ConsumerBatch | null;
  body: ConsumerBody;
  status: ConsumerStatus;
  held: boolean;
  deleted: boolean;
  version: number;
  filter_version: number;
  target_id: string;
  parked_version: number;
  retried: number;
  active_ms: number;
  active_since: string | null;
  /** Null: there is none. */
  filters: FilterRow[] | null;
}

interface FilterRow {
  version: number;
  filter_from: number | null;
  syncs: string[];
  collections: string[];
  event_types: string[];
  where: string | null;
}

/**
 * Loads a sender's configuration, with opened secrets; null when the consumer does not exist. Throws
 * `CannotStart` when a part of the consumer or its target can't be read.
 */
export async function loadSenderConfig(
  sql: Sql,
  vault: Vault,
  consumerId: string,
): Promise<SenderConfig | null> {
  const { rows } = await sql.query<Row>({
    name: 'sender-config',
    text: `${SELECT} = $1`,
    values: [consumerId],
  });
  const row = rows[0];
  if (row === undefined) return null;
  return configOf(row, await openTarget(sql, vault, row.target_id));
}

/**
 * Loads the configurations of many senders in two statements: those of the consumers that exist, each with its
 * opened target, or the error about a part that can't be read.
 */
export async function loadSenderConfigs(
  sql: Sql,
  targets: TargetCache,
  consumerIds: readonly string[],
): Promise<Map<string, SenderConfig | Error>> {
  const { rows } = await sql.query<Row>({
    name: 'sender-configs',
    text: `${SELECT} = any($1::uuid[])`,
    values: [plainArray(consumerIds)],
  });
  const opened = await targets.open([...new Set(rows.map((row) => row.target_id))]);
  return new Map(
    rows.map((row) => {
      try {
        const target = opened.get(row.target_id) ?? null;
        return [row.id, target instanceof Error ? target : configOf(row, target)];
      } catch (error) {
        return [row.id, error instanceof Error ? error : new Error('not a configuration')];
      }
    }),
  );
}

const SELECT = `
      select k.id, k.stream, k.path, k.ordering, k.batch, k.body, k.status, k.held, k.deleted_at is not null as deleted,
             k.version, k.filter_version, k.target_id, k.parked_version, k.retried,
             k.active_ms, k.active_since,
             (select json_agg(json_build_object(
                       'version', f.version, 'filter_from', f.filter_from, 'syncs', f.syncs,
                       'collections', f.collections, 'event_types', f.event_types,
                       'where', f.condition) order by f.version)
                from filter_versions f where f.consumer_id = k.id) as filters
        from consumers k where k.id`;

function configOf(row: Row, target: OpenTarget | null): SenderConfig {
  if (target === null) {
    const detail = `The target ${row.target_id} does not exist: give the consumer another target`;
    throw new CannotStart('target_missing', detail);
  }
  return {
    consumerId: row.id,
    stream: row.stream,
    path: row.path,
    ordering: row.ordering,
    batch: row.batch,
    body: row.body,
    status: row.status,
    held: row.held,
    deleted: row.deleted,
    version: row.version,
    filterVersion: row.filter_version,
    filters: filtersOf(row),
    target,
    parkedVersion: row.parked_version,
    retried: row.retried,
    clock: {
      ms: row.active_ms,
      since: row.active_since === null ? null : Date.parse(row.active_since),
    },
  };
}

/** The versions that can be read. An older one that can't be read may be missing; the newest may not. */
function filtersOf({ filters, filter_version, stream }: Row): FilterVersion[] {
  const listed = (filters ?? []).filter((one) => isReadable(one));
  if (listed.at(-1)?.version !== filter_version) {
    const detail =
      "The consumer's filter can't be read: save syncs, collections and event_types again, all three";
    throw new CannotStart('filter_unreadable', detail);
  }
  const readable = listed.filter(({ where }) => where === null || isCompilable(where, stream));
  if (readable.at(-1)?.version !== filter_version) {
    const detail =
      "The condition of the consumer's filter can't be read by this version of Millrace: save `where` again";
    throw new CannotStart('filter_unreadable', detail);
  }
  return readable.map((one) => ({
    version: one.version,
    filterFrom: one.filter_from,
    filter: filterOf(one),
  }));
}
