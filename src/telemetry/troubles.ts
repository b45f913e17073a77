import type { Sql } from '../db/db.ts';
import { SHOWN_FAILING_SINCE, SHOWN_STATUS } from '../rules/statusSql.ts';
import type { Trouble, Troubles } from '../schema/overview.ts';
import { SAMPLED } from './lagSamples.ts';

const SHOWN = 50;
/** How many consumers of a group are named; for more there is the list of them. */
const NAMED = 3;

/**
 * Reads which consumers are in trouble, in groups by target and cause, of one target if given. `retryWindowMs`:
 * the time after which they stop.
 */
export async function readTroubles(
  sql: Sql,
  retryWindowMs: number,
  targetId?: string,
): Promise<Troubles> {
  const values = [retryWindowMs, SHOWN, NAMED];
  const { rows } = await sql.query<Trouble & { total: number }>(
    targetId === undefined
      ? { text: troublesOf(ALL), values }
      : { text: troublesOf(OF_TARGET), values: [...values, targetId] },
  );
  return {
    data: rows.map(({ total: _total, ...trouble }) => trouble),
    total: rows[0]?.total ?? 0,
  };
}

/** The consumers that may be in trouble. */
const ALL = `
    select id from consumers where status = 'stopped' and deleted_at is null
    union
    select id from consumers where status = 'blocked' and deleted_at is null
    union
    select consumer_id from cursors where head is not null
    union
    select consumer_id from start_faults`;

const OF_TARGET = 'select id from consumers where target_id = $4 and deleted_at is null';

const troublesOf = (ids: string): string => `
  with ids as (${ids}
  ), ${SAMPLED}, troubled as (
    select k.id, k.name, k.target_id,
           case when f.consumer_id is not null then 'cannot_start' else ${SHOWN_STATUS} end as status,
           case when f.consumer_id is not null then f.code else c.last_failure ->> 'code' end as code,
           case when f.consumer_id is null then (c.last_failure ->> 'status')::int end as http_status,
           case when f.consumer_id is not null then f.detail
                when k.status = 'stopped' then k.status_reason end as reason,
           case when f.consumer_id is not null then f.since
                when k.status = 'stopped' then ${SHOWN_FAILING_SINCE}
                else coalesce((c.last_failure ->> 'since')::timestamptz, ${SHOWN_FAILING_SINCE}) end as since,
           c.next_attempt_at, w.entries, w.exact,
           coalesce(c.schedule_from, k.failing_since) + $1 * interval '1 ms' as gives_up_at
      from ids
      join consumers k on k.id = ids.id and k.deleted_at is null
      join cursors c on c.consumer_id = k.id
      left join start_faults f on f.consumer_id = k.id and k.status in ('active', 'blocked')
      left join sampled w on w.consumer_id = k.id
  ), grouped as (
    select target_id, status, code, http_status, reason, count(*) as consumers, min(since) as since,
           jsonb_build_object('entries', coalesce(sum(entries), 0),
                              'exact', coalesce(bool_and(exact), true)) as waiting,
           min(next_attempt_at) filter (where status = 'blocked') as next_attempt_at,
           min(gives_up_at) filter (where status = 'blocked') as gives_up_at,
           case when count(*) = 1 then (array_agg(id))[1] end as consumer_id,
           case when count(*) = 1 then min(name) end as consumer_name,
           case when count(*) <= $3
                then jsonb_agg(jsonb_build_object('consumer_id', id, 'name', name) order by name, id)
                else '[]' end as named
      from troubled
     where status in ('stopped', 'cannot_start', 'blocked')
     group by target_id, status, code, http_status, reason
  ), shown as (
    select *, count(*) over () as total from grouped
     order by array_position(array['stopped', 'cannot_start', 'blocked'], status), consumers desc,
              since, target_id, code, http_status, reason
     limit $2
  )
  select s.target_id, t.name as target_name, s.status, s.code, s.http_status, s.reason, s.consumers,
         (select count(*) from consumers k where k.target_id = s.target_id and k.deleted_at is null) as of,
         s.consumer_id, s.consumer_name, s.named, s.since, s.next_attempt_at, s.waiting, s.gives_up_at,
         s.total
    from shown s join targets t on t.id = s.target_id
   order by array_position(array['stopped', 'cannot_start', 'blocked'], s.status), s.consumers desc,
            s.since, s.target_id, s.code, s.http_status, s.reason`;
