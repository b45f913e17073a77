import type { Logger } from 'pino';

import type { AlertOptions } from '../alerts/alertItem.ts';
import { TROUBLED, type Troubled } from '../alerts/troubled.ts';
import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db, Sql } from '../db/db.ts';
import { PASSES_FILTER } from '../rules/filterSql.ts';
import { LEADER_JOINS, SHOWN_POSITION } from '../rules/positionSql.ts';
import { createPages } from '../streams/pages.ts';
import { countWaiting, type Waiting } from '../streams/waiting.ts';
import { writeRetentionAlerts } from './retentionAlerts.ts';
import { agingText, OVER_AT, WARN_AT } from './retentionText.ts';

const CONSUMERS = 200;
/** How many rows one query for a consumer reads: by position, or for each of a few syncs and for all of them. */
const ROWS = 5_000;
const SYNC_ROWS = 500;
const FEW_SYNCS = 32;
/** Time limit of one run, ms; the rest is left to the next run. */
const BUDGET_MS = 5_000;

/** What the watch works with. */
export interface AgingOptions {
  db: Pick<Db, 'query' | 'transaction'>;
  /** How long events are kept, ms. */
  eventMs: number;
  alerts: AlertOptions;
  log: Pick<Logger, 'warn'>;
}

/** Warns of consumers that are about to lose events. */
export interface AgingWatch {
  /**
   * Warns once about each consumer, whatever its status, for which an event waits that is older than
   * 80 % of the retention, and again only after nothing older than 70 % has waited for it. Any number of
   * processes may call it, every few minutes.
   */
  run(): Promise<void>;
}

/**
 * Creates the watch for events that will be dropped before a consumer has passed them. Consumers that are
 * beyond the old events cost nothing. For the others the position is stored up to which no event waits for
 * them, so that with a filter that rarely matches the same events are not read again.
 */
export function createAging({ db, eventMs, alerts, log }: AgingOptions): AgingWatch {
  const pages = createPages(db);

  async function run(): Promise<void> {
    const { rows } = await db.query<
      Omit<Bounds, 'old' | 'young'> & Record<'old' | 'young', string>
    >({
      text: `
        select now() as started, now() - $1 * interval '1 ms' as old,
               now() - $2 * interval '1 ms' as young`,
      values: [eventMs * WARN_AT, eventMs * OVER_AT],
    });
    const [times] = rows;
    if (times === undefined) return;
    const bounds = {
      started: times.started,
      old: await pages.positionAtTime('events', times.old),
      young: await pages.positionAtTime('events', times.young),
    };
    await db.query({ text: OVER, values: [bounds.young] });
    const until = performance.now() + BUDGET_MS;
    let mayBeMore = true;
    while (mayBeMore && performance.now() < until) mayBeMore = await look(bounds);
  }

  /** Checks a few consumers; false when none was left to check. */
  function look({ started, old, young }: Bounds): Promise<boolean> {
    return db.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.watchAging})`);
      const { rows } = await tx.query<{ id: string; found: number | null; warn: boolean }>({
        text: LOOK,
        values: [started, old, young],
      });
      const due = rows.filter(({ warn }) => warn);
      if (due.length > 0) await warn(tx, due);
      return rows.length > 0;
    });
  }

  async function warn(tx: Sql, due: { id: string; found: number | null }[]): Promise<void> {
    const { rows } = await tx.query<Troubled & { id: string; age_ms: number; told_at: string }>({
      text: `
        select k.id, ${TROUBLED}, k.failing_since, now() as told_at,
               extract(epoch from now() - e.event_inserted_at)::float8 * 1000 as age_ms
          from unnest($1::uuid[], $2::bigint[]) as due(id, found)
          join consumers k on k.id = due.id
          join cursors c on c.consumer_id = k.id
          join targets t on t.id = k.target_id
          join streams s on s.name = k.stream
          join events e on e.position = due.found`,
      values: [due.map(({ id }) => id), due.map(({ found }) => found)],
    });
    const waiting = await countWaiting(
      tx,
      rows.map(({ reader }) => reader),
    );
    const told = rows.map(({ id, age_ms: ageMs, told_at, ...troubled }, index) => ({
      consumerId: id,
      reason: agingText({ waiting: waiting[index] as Waiting, ageMs, keptMs: eventMs }),
      at: new Date(told_at),
      troubled,
    }));
    await writeRetentionAlerts(tx, alerts, told);
    for (const { consumerId, reason } of told) {
      log.warn({ consumer_id: consumerId, reason }, 'a consumer is about to lose events');
    }
  }

  return { run };
}

interface Bounds {
  /** When the run began, on the clock of Postgres. */
  started: string;
  /** Everything up to `old` is old enough to warn of; everything up to `young`, to keep a warning in force. */
  old: number;
  young: number;
}

const STANDS = `
  select k.id, k.version, c.ahead, stand.at
    from consumers k
    join cursors c on c.consumer_id = k.id
    ${LEADER_JOINS}
   cross join lateral (select ${SHOWN_POSITION} as at) stand
   where k.stream = 'events' and k.deleted_at is null`;

/** Deletes the notes about consumers that have passed everything up to position $1. */
const OVER = `
  delete from aging a
   where not exists (select from (${STANDS}) k where k.id = a.consumer_id and k.at < $1)`;

/** The next rows that may wait for consumer k: read by the index of its syncs if they are few, else by position. */
const NEXT = `
  select position, sync_id, collection_id, event from (
    (select position, sync_id, collection_id, event from events
      where not k.few and position > k.clear_to and position <= $3
      order by position limit k.rows)
    union all
    (select e.* from unnest(case when k.few then k.syncs end) as one(sync)
       cross join lateral (
         select position, sync_id, collection_id, event from events
          where sync_id = one.sync and position > k.clear_to and position <= $3
          order by position limit k.rows) e)
  ) e order by position limit k.rows`;

/**
 * Finds the first event up to position $3 that waits for each of a few consumers, notes it, and returns which
 * of them are to be warned. Consumers checked since $1 are left out; events up to position $2 are old enough to
 * warn about.
 */
const LOOK = `
  with behind as materialized (
    select k.id, k.version, k.ahead, a.warned_at, f.syncs, f.few,
           case when a.version = k.version then greatest(k.at, a.clear_to) else k.at end as clear_to,
           case when f.few then ${SYNC_ROWS} else ${ROWS} end as rows
      from (${STANDS}) k
      left join aging a on a.consumer_id = k.id
     cross join lateral (
        select syncs, syncs <> '{*}' and cardinality(syncs) <= ${FEW_SYNCS} as few
          from filter_versions where consumer_id = k.id order by version desc limit 1) f
     where k.at < $3 and (a.looked_at is null or a.looked_at < $1)
     order by hashtextextended(k.id::text, extract(epoch from $1::timestamptz)::bigint) -- in turn
     limit ${CONSUMERS}
  ), looked as (
    select k.id, k.version, k.warned_at, first.position as found, cut.position as cut
      from behind k
      left join lateral (
        select e.position from (${NEXT}) e
         where not e.position = any (k.ahead) and ${PASSES_FILTER}
         order by e.position limit 1
      ) first on true
      left join lateral ( -- how far that was, when there is more
        select max(n.position) as position
          from (${NEXT}) n
         where first.position is null
        having count(*) = k.rows
      ) cut on true
  ), noted as (
    insert into aging as a (consumer_id, version, clear_to, looked_at, warned_at)
    select id, version, coalesce(found - 1, cut, $3),
           case when found is not null or cut is null then $1::timestamptz end,
           case when found <= $2 then now() end
      from looked
        on conflict (consumer_id) do update
       set version   = excluded.version,
           clear_to  = excluded.clear_to,
           looked_at = excluded.looked_at,
           warned_at = case when excluded.looked_at is null then a.warned_at
                            when excluded.clear_to < $3 then coalesce(a.warned_at, excluded.warned_at)
                       end
  )
  select id, found, found <= $2 and warned_at is null is true as warn from looked`;
