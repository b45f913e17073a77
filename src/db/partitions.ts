import { ADVISORY_LOCKS } from './advisoryLocks.ts';
import type { Db } from './db.ts';

/** How many positions a partition of `events` spans; retention drops whole partitions. */
export const EVENTS_A_PARTITION = 2_000_000;

const EVENT_PARTITIONS_AHEAD = 2;
const DAYS_AHEAD = 2;

type Partitioned = Pick<Db, 'query' | 'transaction'>;

interface Partition {
  parent: 'events' | 'attempts' | 'attempt_batches';
  name: string;
  from: string;
  to: string;
  /** The partitioning column, if the default partition may already hold rows of the range. */
  overflow?: 'started_at' | 'committed_at';
}

/**
 * Creates the partitions that the next appends and attempts need: two whole ones of `events` ahead
 * of the stream's end, and those of attempts for today (UTC) and the next two days. Any number of
 * processes may call it, at their start and each minute; it costs one query when nothing is missing.
 */
export async function ensurePartitions(db: Partitioned): Promise<void> {
  for (const partition of await missing(db)) await make(db, partition);
}

async function missing(db: Partitioned): Promise<Partition[]> {
  const { rows } = await db.query<{ last: number; day: string; existing: string[] }>(
    `select (select last_position from streams where name = 'events') as last,
            to_char(now() at time zone 'utc', 'YYYY-MM-DD')             as day,
            array(select inhrelid::regclass::text
                    from pg_inherits
                   where inhparent in ('events'::regclass, 'attempts'::regclass, 'attempt_batches'::regclass)
                 ) as existing`,
  );
  const row = rows[0];
  if (row === undefined) return [];
  const existing = new Set(row.existing);
  return [...eventPartitions(row.last), ...dayPartitions(row.day)].filter(
    (partition) => !existing.has(partition.name),
  );
}

function eventPartitions(last: number): Partition[] {
  const current = Math.floor((last + 1) / EVENTS_A_PARTITION);
  return Array.from({ length: EVENT_PARTITIONS_AHEAD + 1 }, (_, index) => {
    const from = (current + index) * EVENTS_A_PARTITION;
    return {
      parent: 'events',
      name: `events_${from}`,
      from: String(from),
      to: String(from + EVENTS_A_PARTITION),
    };
  });
}

function dayPartitions(today: string): Partition[] {
  const start = Date.parse(`${today}T00:00:00Z`);
  const day = (offset: number): string =>
    new Date(start + offset * 86_400_000).toISOString().slice(0, 10);
  return Array.from({ length: DAYS_AHEAD + 1 }, (_, offset): Partition[] => {
    const suffix = day(offset).replaceAll('-', '');
    const range = { from: `'${day(offset)}'`, to: `'${day(offset + 1)}'` };
    return [
      { parent: 'attempts', name: `attempts_${suffix}`, ...range, overflow: 'started_at' },
      {
        parent: 'attempt_batches',
        name: `attempt_batches_${suffix}`,
        ...range,
        overflow: 'committed_at',
      },
    ];
  }).flat();
}

/**
 * Creates a table and then attaches it, because `create table … partition of` would lock out the
 * readers of the parent.
 */
async function make(db: Partitioned, partition: Partition): Promise<void> {
  const { parent, name, from, to, overflow } = partition;
  await db.transaction(async (tx) => {
    await tx.query(`set local lock_timeout = '5s'`);
    await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.createPartitions})`);
    const { rows } = await tx.query<{ made: boolean }>(
      `select to_regclass('${name}') is not null as made`,
    );
    if (rows[0]?.made === true) return;
    await tx.query(
      `create table ${name} (like ${parent} including defaults including constraints including indexes including storage)`,
    );
    if (overflow !== undefined) {
      await tx.query(
        `with moved as (
           delete from ${parent}_other where ${overflow} >= ${from} and ${overflow} < ${to} returning *
         )
         insert into ${name} select * from moved`,
      );
    }
    await tx.query(
      `alter table ${parent} attach partition ${name} for values from (${from}) to (${to})`,
    );
  });
}
