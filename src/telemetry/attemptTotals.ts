import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db, Sql } from '../db/db.ts';
import { createPages } from '../streams/pages.ts';
import { rollUp } from './attemptRollUps.ts';
import { countMinutes, MINUTE_MS } from './minutesSql.ts';

/** After this long nothing more is stored in a minute, because no commit takes as long. */
const SETTLED = `interval '60 s'`;

/** The most minutes of one transaction, which matters when no process ran for a while. */
const MINUTES_AT_ONCE = 60;

/**
 * Counts the attempts, the appended events and the lag of all consumers, and the attempts of each target's
 * consumers, for each minute that is over, once. Any number of processes may call it. The first call begins
 * with the last whole minute; earlier minutes are not counted.
 */
export async function countAttempts(db: Pick<Db, 'query' | 'transaction'>): Promise<void> {
  let mayBeMore = true;
  while (mayBeMore) mayBeMore = await db.transaction(countSome);
}

/** Counts some minutes; false when none is left. */
async function countSome(tx: Sql): Promise<boolean> {
  await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.countAttempts})`);
  const { rows } = await tx.query<{ from: string; to: string; over: string; any: boolean }>({
    text: `
      select f.at as from, t.at as to, over.at as over, f.at < t.at as any
        from (select date_bin('1 min', clock_timestamp() - ${SETTLED}, timestamptz 'epoch') as at) over
       cross join lateral (
         select coalesce((select max(at) from attempt_minutes), over.at - interval '2 min')
                  + interval '1 min' as at) f
       cross join lateral (
         select least(over.at, f.at + make_interval(mins => $1)) as at) t`,
    values: [MINUTES_AT_ONCE],
  });
  const [span] = rows;
  if (span === undefined || !span.any) return false;
  await tx.query({
    text: COUNT,
    values: [span.from, span.to, await eventEnds(tx, Date.parse(span.from), Date.parse(span.to))],
  });
  await rollUp(tx);
  return span.to < span.over;
}

/** The position of the last event appended before the end of each minute, in their order. */
export async function eventEnds(sql: Sql, from: number, to: number): Promise<number[]> {
  const pages = createPages(sql);
  const ends: number[] = [];
  // One after another, as a transaction has one connection.
  for (let end = from + MINUTE_MS; end <= to; end += MINUTE_MS)
    ends.push(await pages.positionAtTime('events', new Date(end).toISOString()));
  return ends;
}

const COUNT = `
  with ${countMinutes('$1::timestamptz', '$2::timestamptz')}, hours as (
    insert into attempt_hours as h (at, consumer_id, delivered, failed, answers, answer_ms)
    select date_bin('1 hour', at, timestamptz 'epoch'), consumer_id, sum(delivered), sum(failed),
           coalesce(sum(answers), 0), coalesce(sum(answer_ms), 0)
      from by_consumer left join answers using (at, consumer_id) group by 1, 2
        on conflict (at, consumer_id) do update
       set delivered = h.delivered + excluded.delivered, failed = h.failed + excluded.failed,
           answers = h.answers + excluded.answers, answer_ms = h.answer_ms + excluded.answer_ms
  ), of_targets as (
    select k.target_id, b.at, sum(b.delivered) as delivered, sum(b.failed) as failed
      from by_consumer b join consumers k on k.id = b.consumer_id
     where k.target_id is not null
     group by k.target_id, b.at
  ), target_steps as (
    select target_id, at, array_agg(step order by step) as steps, array_agg(many order by step) as counts
      from (select k.target_id, b.at, b.step, sum(b.many) as many
              from binned b join consumers k on k.id = b.consumer_id
             group by k.target_id, b.at, b.step) steps
     group by target_id, at
  ), targets_counted as (
    insert into target_minutes (target_id, at, delivered, failed, steps, counts)
    select t.target_id, t.at, t.delivered, t.failed, coalesce(a.steps, '{}'), coalesce(a.counts, '{}')
      from of_targets t left join target_steps a on a.target_id = t.target_id and a.at = t.at
        on conflict (target_id, at) do update
       set delivered = excluded.delivered, failed = excluded.failed,
           steps = excluded.steps, counts = excluded.counts
  )
  insert into attempt_minutes (at, delivered, failed, steps, counts, events_to, lag, by_target)
  select at, delivered, failed, steps, counts,
         ($3::bigint[])[1 + (extract(epoch from at - $1::timestamptz) / 60)::int], lag, true
    from counted`;
