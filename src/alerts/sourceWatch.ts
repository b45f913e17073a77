import type { Logger } from 'pino';

import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db, Sql } from '../db/db.ts';
import { isDatabaseAway } from '../db/errors.ts';
import { nameOfTable } from '../sources/tableName.ts';
import type { AlertOptions } from './alertItem.ts';
import type { SourceItem } from './sourceItem.ts';
import {
  judgeSource,
  type Episode,
  type SourceState,
  type SourceVerdict,
  type TroubleKind,
} from './sourceTroubles.ts';
import { writeSourceAlert } from './writeAlert.ts';

/** What the watch works with. */
export interface SourceWatchOptions extends AlertOptions {
  db: Db;
  log: Pick<Logger, 'warn' | 'error'>;
}

/**
 * Creates a function that looks at all sources and tells people of what is wrong with them: each trouble once, in the
 * transaction that notes it. Any number of processes may call it at the same time.
 */
export function createSourceWatch({
  db,
  log,
  ...options
}: SourceWatchOptions): () => Promise<void> {
  async function look(): Promise<void> {
    const { rows } = await db.query<Row>({ name: 'watch sources', text: LOOK, values: [null] });
    for (const row of rows) {
      if (isNothing(verdictOn(row))) continue;
      try {
        await db.transaction((tx) => tell(tx, row.id));
      } catch (error) {
        if (isDatabaseAway(error)) throw error;
        // A source whose alert fails must not hold up the others; it is looked at again.
        log.error({ err: error, source_id: row.id }, 'a trouble of a source could not be told');
      }
    }
  }

  /** Looks again under the lock, because another process may have told of it. */
  async function tell(tx: Sql, sourceId: string): Promise<void> {
    await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.watchSources})`);
    const { rows } = await tx.query<Row>({ name: 'watch sources', text: LOOK, values: [sourceId] });
    const [row] = rows;
    if (row === undefined) return; // it was deleted
    const verdict = verdictOn(row);
    for (const { kind, points, reason, since, tables } of verdict.tell) {
      const item = { ...itemOf(row, options.publicUrl), reason, since: timeOf(since), tables };
      const alertId = await writeSourceAlert(tx, options, { kind, at: new Date(row.now), item });
      await noteEpisode(tx, { sourceId, kind, points, since: timeOf(since), alertId });
      log.warn({ source_id: sourceId, kind, reason }, 'people are told of a source');
    }
    for (const { kind, points } of verdict.lessen) await lessenEpisode(tx, sourceId, kind, points);
    for (const { kind, recovered } of verdict.end) {
      const ends = await endEpisode(tx, sourceId, kind);
      if (recovered === null) continue;
      const item = {
        ...itemOf(row, options.publicUrl),
        reason: recovered,
        since: timeOf(row.now),
        tables: [],
        ends,
      };
      const at = new Date(row.now);
      await writeSourceAlert(tx, options, { kind: 'source-recovered', at, item });
    }
  }

  return look;
}

type Row = Omit<SourceState, 'asking'> & {
  id: string;
  name: string;
  database: string;
  lagMs: number | null;
  asking: { schema: string; table: string; detail: string | null }[] | null;
  episodes: Episode[] | null;
};

function verdictOn({ asking, episodes, ...row }: Row): SourceVerdict {
  const tables = asking ?? [];
  const named = tables.map((one) => ({ table: nameOfTable(one), detail: one.detail }));
  return judgeSource({ ...row, asking: named }, episodes ?? []);
}

function isNothing({ tell, lessen, end }: SourceVerdict): boolean {
  return tell.length + lessen.length + end.length === 0;
}

function itemOf(row: Row, publicUrl: string): Omit<SourceItem, 'reason' | 'since' | 'tables'> {
  return {
    source_id: row.id,
    name: row.name,
    database: row.database,
    lag_bytes: row.lagBytes,
    lag_seconds: row.lagMs === null ? null : row.lagMs / 1_000,
    limit_bytes: row.limitBytes,
    url: `${publicUrl}/sources/${row.id}`,
  };
}

function timeOf(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

interface NewEpisode {
  sourceId: string;
  kind: TroubleKind;
  points: readonly string[];
  since: string;
  alertId: string;
}

async function noteEpisode(
  sql: Sql,
  { sourceId, kind, points, since, alertId }: NewEpisode,
): Promise<void> {
  await sql.query({
    text: `
      insert into source_episodes (source_id, kind, points, since, alert_id) values ($1, $2, $3, $4, $5)
          on conflict (source_id, kind) do update
         set points = excluded.points, alert_id = excluded.alert_id`,
    values: [sourceId, kind, points, since, alertId],
  });
}

async function lessenEpisode(
  sql: Sql,
  sourceId: string,
  kind: TroubleKind,
  points: readonly string[],
): Promise<void> {
  await sql.query({
    text: 'update source_episodes set points = $3 where source_id = $1 and kind = $2',
    values: [sourceId, kind, points],
  });
}

/** Returns the id of the newest alert of the episode. */
async function endEpisode(sql: Sql, sourceId: string, kind: TroubleKind): Promise<string> {
  const { rows } = await sql.query<{ alertId: string }>({
    text: `delete from source_episodes where source_id = $1 and kind = $2 returning alert_id as "alertId"`,
    values: [sourceId, kind],
  });
  return rows[0]!.alertId;
}

/** Prints a time of Postgres as unix ms. */
const ms = (time: string): string => `extract(epoch from ${time})::float8 * 1000`;

/** How the sources stand, all or the one with the id $1, with what people have been told. */
const LOOK = `
  select s.id, s.name, s.url_shown as database, ${ms('clock_timestamp()')} as now,
         s.status, s.status_reason as "statusReason", ${ms('s.status_since')} as "statusSince",
         s.interruption, ${ms('s.interrupted_since')} as "interruptedSince",
         ${ms('s.lease_until')} as "leaseUntil", s.lag_bytes as "lagBytes", s.lag_ms as "lagMs",
         s.slot_limit_bytes as "limitBytes", ${ms('s.measured_at')} as "measuredAt",
         ${ms('s.last_change_at')} as "lastChangeAt",
         s.expect_within_s::float8 * 1000 as "expectWithinMs",
         (select json_agg(json_build_object('schema', t.schema_name, 'table', t.table_name, 'detail', t.detail)
                          order by t.schema_name, t.table_name)
            from source_tables t where t.source_id = s.id and t.state = 'asking') as asking,
         (select json_agg(json_build_object('kind', e.kind, 'points', e.points, 'since', ${ms('e.since')}))
            from source_episodes e where e.source_id = s.id) as episodes
    from sources s
   where $1::uuid is null or s.id = $1
   order by s.id`;
