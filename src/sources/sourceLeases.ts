import type { Db, Sql } from '../db/db.ts';
import type { SourceStatus } from '../schema/source.ts';
import { createCheckpoints } from '../streams/checkpoints.ts';
import { checkpointsOf } from './checkpointNames.ts';
import type { TableName } from './postgres/databaseFacts.ts';

/** What a follower has to know of its source. */
export interface ClaimedSource {
  id: string;
  name: string;
  syncId: string;
  /** Sealed. */
  url: string;
  ca: string | null;
  slot: string;
  publication: string;
  status: 'active' | 'deleting';
  /** Changes with every edit. */
  version: number;
  /** Of this claim; a later one has a higher epoch. */
  epoch: number;
  tables: ClaimedTable[];
}

/** A table of a source. */
export interface ClaimedTable extends TableName {
  /** Raised to have it read anew. */
  snapshot: number;
  /** Whether reading it anew may delete more than a fifth of its records. */
  isConfirmed: boolean;
}

/** The answer to a claim. */
export type Claim =
  | { kind: 'claimed'; source: ClaimedSource }
  /** It is followed; its lease ends after so many ms unless it is renewed. */
  | { kind: 'held'; leftMs: number }
  /** It is not to be followed now. */
  | { kind: 'resting'; status: 'paused' | 'failed' }
  | { kind: 'gone' };

/** Which claim is meant. */
export interface Held {
  id: string;
  epoch: number;
}

/** What a follower has seen since it renewed its lease last. */
export interface Seen {
  /** How its database was when it was asked last; null: it was not. */
  measured: { lagBytes: number; lagMs: number; limitBytes: number | null } | null;
  /** Everything up to here is stored. */
  lsn: string | null;
  tables: (TableName & { changes: number; rows: number })[];
}

/** A source that is to be followed, and is not. */
export interface Unfollowed {
  id: string;
  name: string;
  region: string;
}

const LONGEST_DETAIL = 2_000;

/** Claims a source that is to be followed and is not. Waits for an append of the one that followed it before. */
export function claimSource(
  db: Pick<Db, 'transaction'>,
  { id, holder, leaseMs }: { id: string; holder: string; leaseMs: number },
): Promise<Claim> {
  return db.transaction(async (tx): Promise<Claim> => {
    const { rows } = await tx.query<Omit<ClaimedSource, 'tables'>>({
      text: `
        update sources
           set epoch = epoch + 1, holder = $2, followed_version = version,
               lease_until = clock_timestamp() + $3 * interval '1 ms'
         where id = $1 and status in ('active', 'deleting')
           and (holder is null or lease_until < clock_timestamp())
        returning id, name, sync_id as "syncId", url, ca, slot, publication, status, version, epoch`,
      values: [id, holder, leaseMs],
    });
    const [claimed] = rows;
    if (claimed === undefined) return whyNot(tx, id);
    return { kind: 'claimed', source: { ...claimed, tables: await tablesOf(tx, id) } };
  });
}

async function whyNot(sql: Sql, id: string): Promise<Claim> {
  const { rows } = await sql.query<{ status: SourceStatus; left_ms: number }>({
    text: `
      select status, coalesce(extract(epoch from lease_until - clock_timestamp()) * 1000, 0)::float8 as left_ms
        from sources where id = $1`,
    values: [id],
  });
  const [row] = rows;
  if (row === undefined) return { kind: 'gone' };
  const { status, left_ms: leftMs } = row;
  if (status === 'paused' || status === 'failed') return { kind: 'resting', status };
  return { kind: 'held', leftMs: Math.max(0, leftMs) };
}

async function tablesOf(sql: Sql, id: string): Promise<ClaimedTable[]> {
  const { rows } = await sql.query<ClaimedTable & Record<string, unknown>>({
    text: `
      select schema_name as schema, table_name as table, snapshot, is_confirmed as "isConfirmed"
        from source_tables where source_id = $1 order by schema_name, table_name`,
    values: [id],
  });
  return rows;
}

/**
 * Prolongs a lease, and stores what was seen; returns the status and the version that the source has now, or null when
 * the lease is lost.
 */
export async function renewLease(
  sql: Sql,
  { id, epoch }: Held,
  { leaseMs, seen }: { leaseMs: number; seen: Seen },
): Promise<{ version: number } | null> {
  const { measured, lsn, tables } = seen;
  const { rows } = await sql.query<{ version: number }>({
    name: 'renew-source',
    text: `
      with seen as (
        select * from unnest($9::text[], $10::text[], $11::bigint[], $12::bigint[])
                      as seen (schema_name, table_name, changes, rows_read)
      ), kept as (
        update sources
           set lease_until       = clock_timestamp() + $3 * interval '1 ms',
               lag_bytes         = case when $4 then $5::bigint else lag_bytes end,
               lag_ms            = case when $4 then $6::bigint else lag_ms end,
               slot_limit_bytes  = case when $4 then $7::bigint else slot_limit_bytes end,
               measured_at       = case when $4 then clock_timestamp() else measured_at end,
               interruption      = case when $4 then null else interruption end,
               interrupted_since = case when $4 then null else interrupted_since end,
               last_lsn          = coalesce($8, last_lsn),
               last_change_at    = case when exists (select from seen where changes > 0)
                                        then clock_timestamp() else last_change_at end
         where id = $1 and epoch = $2 and holder is not null
        returning id, version
      ), counted as (
        update source_tables t
           set changes = t.changes + seen.changes, rows_read = seen.rows_read
          from kept, seen
         where t.source_id = kept.id and t.schema_name = seen.schema_name and t.table_name = seen.table_name
      )
      select version from kept`,
    values: [
      id,
      epoch,
      leaseMs,
      measured !== null,
      measured === null ? null : Math.round(measured.lagBytes),
      measured === null ? null : Math.round(measured.lagMs),
      measured?.limitBytes ?? null,
      lsn,
      tables.map(({ schema }) => schema),
      tables.map(({ table }) => table),
      tables.map(({ changes }) => changes),
      tables.map(({ rows: read }) => read),
    ],
  });
  return rows[0] ?? null;
}

/** Lets another one claim it at once. Without effect once the lease is lost. */
export async function releaseLease(sql: Sql, { id, epoch }: Held): Promise<void> {
  await sql.query({
    text: 'update sources set holder = null, lease_until = null where id = $1 and epoch = $2',
    values: [id, epoch],
  });
}

/** The same, and notes why it can't be followed now; whoever tries again does so within `againMs`. */
export async function noteInterruption(
  sql: Sql,
  { id, epoch }: Held,
  { detail, againMs }: { detail: string; againMs: number },
): Promise<void> {
  await sql.query({
    text: `
      update sources
         set holder = null, lease_until = clock_timestamp() + $3 * interval '1 ms',
             interruption = $4, interrupted_since = coalesce(interrupted_since, now())
       where id = $1 and epoch = $2`,
    values: [id, epoch, againMs, detail.slice(0, LONGEST_DETAIL)],
  });
}

/**
 * Turns it from active to failed, so that it is not followed until somebody changes something; returns false when that
 * has happened already, or the lease is lost.
 */
export async function failSource(
  sql: Sql,
  { id, epoch, version }: Held & { version: number },
  reason: string,
): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: `
      update sources
         set status = 'failed', status_reason = $4, status_since = now(), updated_at = now(),
             holder = null, lease_until = null, interruption = null, interrupted_since = null
       where id = $1 and epoch = $2 and version = $3 and status = 'active'`,
    values: [id, epoch, version, reason.slice(0, LONGEST_DETAIL)],
  });
  return rowCount === 1;
}

/** Removes a source of which nothing is left in its database, with how far it was. */
export async function removeSource(
  db: Pick<Db, 'transaction'>,
  { id, epoch }: Held,
): Promise<void> {
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query({
      text: `delete from sources where id = $1 and epoch = $2 and status = 'deleting'`,
      values: [id, epoch],
    });
    if (rowCount === 1) await createCheckpoints(tx).forget(checkpointsOf(id));
  });
}

/** Notes how far a table is; what was confirmed is used up once it is followed. */
export async function noteTable(
  sql: Sql,
  { id, epoch }: Held,
  { schema, table, state, detail }: TableName & { state: string; detail: string | null },
): Promise<void> {
  await sql.query({
    text: `
      update source_tables t
         set state = $5, detail = $6, is_confirmed = t.is_confirmed and $5 <> 'following'
        from sources s
       where s.id = t.source_id and s.id = $1 and s.epoch = $2 and t.schema_name = $3 and t.table_name = $4`,
    values: [id, epoch, schema, table, state, detail],
  });
}

/** The sources that are to be followed and are not, those that have waited for longest first. */
export async function unfollowedSources(sql: Sql, limit: number): Promise<Unfollowed[]> {
  const { rows } = await sql.query<Unfollowed & Record<string, unknown>>({
    text: `
      select id, name, region from sources
       where status in ('active', 'deleting')
         and (lease_until is null or lease_until < clock_timestamp()
              or holder is null and interruption is null) -- somebody has changed something since
       order by coalesce(lease_until, created_at), id
       limit $1`,
    values: [limit],
  });
  return rows;
}
