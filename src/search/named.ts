import type { Sql } from '../db/db.ts';
import { SHOWN_STATUS } from '../rules/statusSql.ts';
import type { SearchHit } from '../schema/search.ts';
import { beginningWith, idsFrom, wordsFrom } from './terms.ts';

type Hit<K extends SearchHit['kind']> = Extract<SearchHit, { kind: K }>;

/**
 * Finds consumers by the beginning of their id, of their name, or of words within it, in any case; of those that are
 * found, those in trouble come first.
 */
export async function findConsumers(
  sql: Sql,
  text: string,
  limit: number,
): Promise<Hit<'consumer'>[]> {
  const { rows } = await sql.query<Hit<'consumer'>>({
    text: `
      with ${foundIn('consumers', 'deleted_at is null')}
      select 'consumer' as kind, k.id, k.name, ${SHOWN_STATUS} as status, t.id as target_id,
             t.name as target_name
        from best
        join consumers k on k.id = best.id
        join cursors c on c.consumer_id = k.id
        join targets t on t.id = k.target_id
       order by ${SHOWN_STATUS} not in ('stopped', 'blocked'), ${BEST_FIRST}`,
    values: valuesOf(text, limit),
  });
  return rows;
}

/** Finds targets as `findConsumers` finds consumers. */
export async function findTargets(sql: Sql, text: string, limit: number): Promise<Hit<'target'>[]> {
  const { rows } = await sql.query<Hit<'target'>>({
    text: `
      with ${foundIn('targets', 'true')}
      select 'target' as kind, k.id, k.name, k.base_url
        from best join targets k on k.id = best.id
       order by ${BEST_FIRST}`,
    values: valuesOf(text, limit),
  });
  return rows;
}

/** Finds sources as `findConsumers` finds consumers; those that have failed come first. */
export async function findSources(sql: Sql, text: string, limit: number): Promise<Hit<'source'>[]> {
  const { rows } = await sql.query<Hit<'source'>>({
    text: `
      with ${foundIn('sources', 'true')}
      select 'source' as kind, k.id, k.name, k.status, k.sync_id
        from best join sources k on k.id = best.id
       order by k.status <> 'failed', ${BEST_FIRST}`,
    values: valuesOf(text, limit),
  });
  return rows;
}

/** Finds syncs by the beginning of their id or name, in any case; a new one can be found within a minute. */
export async function findSyncs(sql: Sql, text: string, limit: number): Promise<Hit<'sync'>[]> {
  const { rows } = await sql.query<Hit<'sync'>>({
    text: `
      with found as (
        (select sync_id, 1 as place from syncs
          where lower(sync_id) collate "C" like lower($1)
          order by lower(sync_id) collate "C" limit $2)
        union all
        (select sync_id, 2 from syncs
          where name is not null and lower(name) collate "C" like lower($1)
          order by lower(name) collate "C" limit $2)
      ), best as (
        select sync_id, min(place) as place from found group by sync_id
      )
      select 'sync' as kind, sync_id, s.name, nullif(s.last_at, '-infinity') as last_at
        from best join syncs s using (sync_id)
       order by best.place, lower(sync_id) collate "C", sync_id
       limit $2`,
    values: [beginningWith(text), limit],
  });
  return rows;
}

const BEST_FIRST = 'best.place, lower(k.name) collate "C", k.id limit $2';

/**
 * CTEs with the ids of a table that match, ordered by how well they do; each branch reads an index and stops at
 * the limit.
 */
function foundIn(table: 'consumers' | 'targets' | 'sources', condition: string): string {
  return `found as (
        (select id, 1 as place from ${table}
          where ${condition} and id >= $4::uuid and id <= $5::uuid
          order by id desc limit $2)
        union all
        (select id, 2 from ${table}
          where ${condition} and lower(name) collate "C" like lower($1)
          order by lower(name) collate "C" limit $2)
        union all
        (select id, 3 from ${table}
          where ${condition} and to_tsvector('simple', name) @@ to_tsquery('simple', $3)
          limit $2)
      ), best as (
        select id, min(place) as place from found group by id
      )`;
}

function valuesOf(text: string, limit: number): unknown[] {
  const ids = idsFrom(text);
  return [beginningWith(text), limit, wordsFrom(text), ids?.from ?? null, ids?.to ?? null];
}
