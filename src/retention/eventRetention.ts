import type { Logger } from 'pino';

import type { AlertOptions } from '../alerts/alertItem.ts';
import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db, Sql } from '../db/db.ts';
import { withLongStatements } from '../db/longStatements.ts';
import { EVENTS_A_PARTITION } from '../db/partitions.ts';
import { tellOfLost } from './lostEvents.ts';

/** How long data is kept, and how losses are reported. */
export interface RetentionOptions {
  db: Pick<Db, 'query' | 'transaction'>;
  /** How long events are kept, ms. */
  eventMs: number;
  /** How long attempts and other traces of the past are kept, ms. */
  attemptMs: number;
  /** How alerts about lost events are sent. */
  alerts: AlertOptions;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** Drops events, and other rows, that are not to be kept any longer. */
export interface Retention {
  /**
   * Drops everything that is old enough. Rejects when readers hold a partition for too long; the next run tries
   * again. Any number of processes may call it, every few minutes.
   */
  run(): Promise<void>;
}

/** Statements that delete the traces of what was over $1 ms ago. */
const LEFTOVERS = [
  `delete from outbox where coalesce(sent_at, given_up_at) < now() - $1 * interval '1 ms'`,
  `delete from passes where ended_at < now() - $1 * interval '1 ms'`,
  `delete from passes where created_at < now() - greatest($1 * interval '1 ms', interval '30 days')`,
  `delete from stored_edits where created_at < now() - $1 * interval '1 ms'`,
  `delete from lag_samples where at < now() - $1 * interval '1 ms'`,
  `delete from lag_minutes where at < now() - $1 * interval '1 ms'`,
  `delete from attempt_minutes where at < now() - $1 * interval '1 ms' - interval '1 hour'`,
  `delete from target_minutes where at < now() - $1 * interval '1 ms' - interval '1 hour'`,
  `delete from attempt_hours where at < now() - $1 * interval '1 ms' - interval '1 hour'`,
  `delete from attempt_points where at < now() - $1 * interval '1 ms' - interval '1 hour'`,
  `delete from attempt_ranges where until < now() - $1 * interval '1 ms' - interval '1 hour'`,
  `delete from parked p using consumers k
    where k.id = p.consumer_id and k.deleted_at < now() - $1 * interval '1 ms'`,
  `delete from dead_letters d using consumers k
    where k.id = d.consumer_id and k.deleted_at < now() - $1 * interval '1 ms'`,
];

/**
 * Creates the retention that drops events by age, one whole partition at a time: a partition is dropped when
 * its newest event is older than `eventMs`. Each consumer that had not passed all its events yet gets an alert
 * that counts them, with its mail, in the same transaction.
 */
export function createRetention(options: RetentionOptions): Retention {
  const { db, eventMs, attemptMs, alerts, log } = options;

  async function run(): Promise<void> {
    let mayBeMore = true;
    while (mayBeMore) mayBeMore = await dropOldestEvents();
    for (const text of LEFTOVERS) await db.query({ text, values: [attemptMs] });
  }

  /** Drops the oldest partition if it is due; true when it did, because the next one may then be due. */
  function dropOldestEvents(): Promise<boolean> {
    return db.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.dropEvents})`);
      const from = await oldestEvents(tx);
      if (from === null || !(await isDue(tx, from))) return false;
      const name = `events_${from}`;
      const to = from + EVENTS_A_PARTITION;
      const long = await withLongStatements(tx);
      const missed = await tellOfLost(long, alerts, { name, last: to - 1, keptMs: eventMs });
      await long.query({ text: 'delete from event_ids where position < $1', values: [to] });
      // The row before the table, in the order in which appends lock them. Neither lock may hold up appends and
      // reads for long.
      await tx.query(`set local lock_timeout = '2s'`);
      await tx.query({
        text: `update streams set first_position = greatest(first_position, $1) where name = 'events'`,
        values: [to],
      });
      await tx.query(`drop table ${name}`);
      log.info(
        { partition: name, consumers_behind: missed },
        'events older than the retention were dropped',
      );
      return true;
    });
  }

  async function isDue(tx: Sql, from: number): Promise<boolean> {
    const { rows } = await tx.query<{ due: boolean }>({
      text: `select (select last_position from streams where name = 'events') >= $1
                    and not exists (
                      select from (select event_inserted_at as at from events_${from}
                                    order by position desc limit 1) newest
                       where at >= now() - $2 * interval '1 ms'
                    ) as due`,
      values: [from + EVENTS_A_PARTITION, eventMs],
    });
    return rows[0]?.due === true;
  }

  return { run };
}

async function oldestEvents(tx: Sql): Promise<number | null> {
  const names = await partitionsOf(tx, 'events');
  const froms = names.map((name) => Number(name.slice('events_'.length)));
  return froms.length === 0 ? null : Math.min(...froms);
}

async function partitionsOf(sql: Sql, parent: string): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>({
    text: `select relname as name from pg_inherits join pg_class on oid = inhrelid
            where inhparent = $1::text::regclass`,
    values: [parent],
  });
  return rows.map(({ name }) => name);
}
