import type { Sql } from '../db/db.ts';
import type { Overview } from '../schema/overview.ts';

const SHOWN = 5;

type Top = Overview['top'];

/** Reads which consumers delivered most, failed most, and lag most, over the hours of the last `seconds`. */
export async function readTop(sql: Sql, seconds: number): Promise<Top> {
  const [spans, sent, lagging] = await Promise.all([
    sql.query<Pick<Top, 'since' | 'until'>>({
      text: `
        select date_bin('1 hour', now() - make_interval(secs => $1), timestamptz 'epoch') as since,
               (select max(at) + interval '1 min' from attempt_minutes) as until`,
      values: [seconds],
    }),
    sql.query<Top['busiest'][number] & { list: 'busiest' | 'failing' }>({
      text: SENT,
      values: [seconds],
    }),
    sql.query<Top['laggiest'][number]>({ text: LAGGING }),
  ]);
  const listed = (name: 'busiest' | 'failing'): Top['busiest'] =>
    sent.rows.filter(({ list }) => list === name).map(({ list: _list, ...one }) => one);
  return {
    ...spans.rows[0]!,
    busiest: listed('busiest'),
    failing: listed('failing'),
    laggiest: lagging.rows,
  };
}

const SENT = `
  with sums as materialized (
    select consumer_id, sum(delivered)::bigint as delivered, sum(failed)::bigint as failed
      from attempt_hours
     where at >= date_bin('1 hour', now() - make_interval(secs => $1), timestamptz 'epoch')
     group by consumer_id
  )
  select l.list, l.consumer_id, l.name, l.delivered, l.failed
    from (
      (select 'busiest' as list, 1 as place, delivered as most, s.*, k.name
         from sums s join consumers k on k.id = s.consumer_id and k.deleted_at is null
        where delivered > 0 order by delivered desc, consumer_id limit ${SHOWN})
      union all
      (select 'failing', 2, failed, s.*, k.name
         from sums s join consumers k on k.id = s.consumer_id and k.deleted_at is null
        where failed > 0 order by failed desc, consumer_id limit ${SHOWN})
    ) l
   order by l.place, l.most desc, l.consumer_id`;

/** By the samples of the newest minute that has any, if it is not over for longer than a minute. */
const LAGGING = `
  with newest as (
    select consumer_id, at, entries, max(at) over () as last from lag_samples
     where at >= date_bin('1 min', now(), timestamptz 'epoch') - interval '1 min'
  )
  select n.consumer_id, k.name, n.entries
    from newest n join consumers k on k.id = n.consumer_id and k.deleted_at is null
   where n.at = n.last and n.entries > 0
   order by n.entries desc, n.consumer_id
   limit ${SHOWN}`;
