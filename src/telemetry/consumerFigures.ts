import type { Sql } from '../db/db.ts';
import { LEADER_JOINS, SHOWN_POSITION } from '../rules/positionSql.ts';
import { readerFrom } from '../rules/readerSql.ts';
import { SHOWN_STATUS } from '../rules/statusSql.ts';
import type { ConsumerStatus } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { countWaiting, type Reader, type Waiting } from '../streams/waiting.ts';
import { SAMPLED } from './lagSamples.ts';

/** The figures of one consumer, for operators. */
export interface ConsumerFigures {
  id: string;
  status: ConsumerStatus;
  /** How many entries wait for it, as of the last minute; an upper bound unless `exact`. */
  entries: number;
  /** Age of the oldest of them, in seconds; an upper bound unless `exact`. */
  seconds: number;
  exact: boolean;
  parked: number;
  dead: number;
}

/** The figures of all consumers: sums of all, and those in the most trouble one by one. */
export interface AllFigures {
  consumers: ConsumerFigures[];
  all: Record<ConsumerStatus, number> & {
    entries: number;
    seconds: number;
    /** Whether what waits for each of them is exact. */
    exact: boolean;
    parked: number;
    dead: number;
  };
  /** Age in seconds of the oldest entry that the leader has not matched yet. */
  tailDelay: Record<StreamName, number>;
  /** Mails and alert webhooks that wait to be sent. */
  unsent: number;
  /**
   * Consumers that want an entry and have not been claimed by a lane of visits, and how long the first one has
   * waited, s.
   */
  waiting: { visits: number; seconds: number };
  /** How many consumers a lasting fault that is not the endpoint's keeps from sending, by its code. */
  cannotStart: Record<string, number>;
}

type Row = ConsumerFigures & {
  [Name in keyof AllFigures['all'] as `all_${Name}`]: AllFigures['all'][Name];
};

/**
 * Reads the figures, one by one for the `limit` consumers in the most trouble. What waits is what the API shows:
 * as the last sample of the lag has it, and counted now for those that have something to do only since.
 */
export async function readConsumerFigures(sql: Sql, limit: number): Promise<AllFigures> {
  const counted = await countUnsampled(sql);
  const [consumers, rest] = await Promise.all([
    sql.query<Row>({
      name: 'consumer figures',
      text: CONSUMERS,
      values: [
        Math.max(1, limit),
        counted.map(({ id }) => id),
        counted.map(({ entries }) => entries),
        counted.map(({ seconds }) => seconds),
        counted.map(({ exact }) => exact),
      ],
    }),
    sql.query<{
      records: number;
      events: number;
      unsent: number;
      faults: Record<string, number> | null;
      visits: number;
      visits_seconds: number;
    }>({
      name: 'other figures',
      text: REST,
    }),
  ]);
  const first = consumers.rows[0];
  const { records = 0, events = 0, unsent = 0, faults = null } = rest.rows[0] ?? {};
  const { visits = 0, visits_seconds: seconds = 0 } = rest.rows[0] ?? {};
  return {
    consumers: consumers.rows.slice(0, limit),
    all: {
      active: first?.all_active ?? 0,
      paused: first?.all_paused ?? 0,
      blocked: first?.all_blocked ?? 0,
      stopped: first?.all_stopped ?? 0,
      entries: first?.all_entries ?? 0,
      seconds: first?.all_seconds ?? 0,
      exact: first?.all_exact ?? true,
      parked: first?.all_parked ?? 0,
      dead: first?.all_dead ?? 0,
    },
    tailDelay: { records, events },
    unsent,
    waiting: { visits, seconds },
    cannotStart: faults ?? {},
  };
}

/** Counts what waits for consumers of which no sample says it: they have something to do, or were edited, only since. */
async function countUnsampled(sql: Sql): Promise<(Waiting & { id: string })[]> {
  const { rows } = await sql.query<{ id: string; reader: Reader }>({
    name: 'lag not sampled',
    text: UNSAMPLED,
  });
  const waiting = await countWaiting(
    sql,
    rows.map(({ reader }) => reader),
  );
  return rows.map(({ id }, index) => ({ id, ...waiting[index]! }));
}

/** So many are counted at a time. Beyond them, what waits is bounded until it has been sampled. */
const COUNTED_NOW = 500;

/** Whether the leader, or a lane of visits, has found nothing more for a consumer (rows `c`) so far. */
const IS_QUIET = `(c.idle and c.wanted is null or c.visited and c.head is null)`;

const UNSAMPLED = `
  with ${SAMPLED}
  select k.id, ${readerFrom('stand.shown')} as reader
    from consumers k
    join cursors c on c.consumer_id = k.id
    join streams s on s.name = k.stream
    ${LEADER_JOINS}
   cross join lateral (select ${SHOWN_POSITION} as shown) stand
    left join sampled a on a.consumer_id = k.id and a.at > k.updated_at
   where k.deleted_at is null and stand.shown < s.last_position and a.consumer_id is null
     and not ${IS_QUIET}
   limit ${COUNTED_NOW}`;

/**
 * Uses the position that the API shows (`SHOWN_POSITION`): an idle consumer is where the leader is. No more waits
 * than follows that position now, and nothing is older than the first entry of these (`oldest`).
 */
const CONSUMERS = `
  with ${SAMPLED}, counted as (
    select * from unnest($2::uuid[], $3::bigint[], $4::float8[], $5::boolean[])
                  as n(consumer_id, entries, seconds, exact)
  ), stands as materialized (
    select k.id, ${SHOWN_STATUS} as status, k.stream, stand.shown,
           greatest(0, s.last_position - stand.shown - cardinality(c.ahead)) as follow,
           coalesce(n.entries, a.entries, case when ${IS_QUIET} then 0 end) as entries,
           coalesce(n.seconds, extract(epoch from clock_timestamp() - a.oldest)::float8) as seconds,
           coalesce(n.exact, a.exact, ${IS_QUIET}) as exact
      from consumers k
      join cursors c on c.consumer_id = k.id
      join streams s on s.name = k.stream
      ${LEADER_JOINS}
     cross join lateral (
        select ${SHOWN_POSITION} as shown
     ) stand
      left join counted n on n.consumer_id = k.id
      left join sampled a on a.consumer_id = k.id
     where k.deleted_at is null
  ), waits as materialized (
    select id, status, stream, shown, seconds, least(entries, follow) as entries,
           follow = 0 or exact and entries <= follow as exact
      from stands
  ), oldest as ( -- consumers at the same position share the look-up
    select w.stream, w.shown, greatest(0, extract(epoch from clock_timestamp() - coalesce(e.at, r.at)))::float8 as seconds
      from (select distinct stream, shown from waits where entries > 0) w
      left join lateral (
        select event_inserted_at as at from events
         where w.stream = 'events' and position > w.shown order by position limit 1
      ) e on true
      left join lateral (
        select updated_at as at from records
         where w.stream = 'records' and position > w.shown order by position limit 1
      ) r on true
  ), parked as (
    select consumer_id, count(*) as parked from parked group by consumer_id
  ), dead as (
    select consumer_id, count(*) as dead from dead_letters group by consumer_id
  ), one as (
    select w.id, w.status, w.entries::float8,
           case when w.entries > 0 then coalesce(least(w.seconds, o.seconds), 0) else 0 end::float8 as seconds, w.exact,
           coalesce(p.parked, 0)::float8 as parked, coalesce(d.dead, 0)::float8 as dead
      from waits w
      left join oldest o on w.entries > 0 and o.stream = w.stream and o.shown = w.shown
      left join parked p on p.consumer_id = w.id
      left join dead d on d.consumer_id = w.id
  )
  select *, count(*) filter (where status = 'active') over ()  as all_active,
            count(*) filter (where status = 'paused') over ()  as all_paused,
            count(*) filter (where status = 'blocked') over () as all_blocked,
            count(*) filter (where status = 'stopped') over () as all_stopped,
            sum(entries) over () as all_entries, max(seconds) over () as all_seconds,
            bool_and(exact) over () as all_exact,
            sum(parked) over ()  as all_parked,  sum(dead) over ()    as all_dead
    from one
   order by array_position(array['stopped', 'blocked', 'active', 'paused'], status),
            dead + parked > 0 desc, seconds desc, id
   limit $1`;

const REST = `
  select coalesce((select greatest(0, extract(epoch from clock_timestamp() - updated_at)) from records
                    where position > (select position from tails where stream = 'records')
                    order by position limit 1), 0)::float8 as records,
         coalesce((select greatest(0, extract(epoch from clock_timestamp() - event_inserted_at)) from events
                    where position > (select position from tails where stream = 'events')
                    order by position limit 1), 0)::float8 as events,
         (select count(*) from outbox where sent_at is null and given_up_at is null) as unsent,
         (select json_object_agg(code, many) from (
            select f.code, count(*) as many
              from start_faults f join consumers k on k.id = f.consumer_id
             where k.deleted_at is null and k.status in ('active', 'blocked')
             group by f.code) counted) as faults,
         v.visits, v.seconds as visits_seconds
    from (select count(*)::float8 as visits,
                 coalesce(max(greatest(0, extract(epoch from clock_timestamp() - c.wanted_at))), 0)::float8 as seconds
            from cursors c join consumers k on k.id = c.consumer_id
           where c.wanted is not null and c.idle and not c.needs_drain
             and (c.holder is null or c.lease_until < clock_timestamp())
             and k.status = 'active' and k.deleted_at is null and not k.held) v`;
