import type { Logger } from 'pino';

import { ADVISORY_LOCKS } from '../db/advisoryLocks.ts';
import type { Db, Sql } from '../db/db.ts';
import { withLongStatements } from '../db/longStatements.ts';
import { ensurePartitions } from '../db/partitions.ts';

/** How long and how many attempts are kept. */
export interface AttemptRetentionOptions {
  db: Pick<Db, 'query' | 'transaction'>;
  /** How long attempts are kept, ms. */
  ageMs: number;
  /** How many bytes they may take, with their indexes. */
  maxBytes: number;
  log: Pick<Logger, 'info'>;
}

/** Drops attempts that are not to be kept any longer. */
export interface AttemptRetention {
  /**
   * Drops attempts that are too old, then those beyond the size limit, the oldest first. Any number of
   * processes may call it.
   */
  run(): Promise<void>;
}

const TIME = { attempts: 'started_at', attempt_batches: 'committed_at' } as const;
type Parent = keyof typeof TIME;
const PARENTS = Object.keys(TIME) as Parent[];

/** If a table has more pages than this (80 MB), only a sample is read to find its middle. */
const SAMPLED_PAGES = 10_000;
const PAGE_BYTES = 8_192;
/** While a smaller share of a table's pages is used, new rows fit into the free space. */
const FULL = 0.75;
/** An empty table with its indexes takes less than this. */
const EMPTY_BYTES = 1024 * 1024;

interface Part {
  name: string;
  parent: Parent;
  /** The day (UTC), as in `20261123`; null for the default partition, for rows whose day had none. */
  day: string | null;
  bytes: number;
}

/** What one transaction has dropped. */
interface Step {
  partitions: string[];
  rows: number;
}

const NOTHING: Step = { partitions: [], rows: 0 };

/**
 * Creates the retention that keeps attempts within an age and a size. Whole days are dropped, the oldest first.
 * If one day is too large by itself, its older half is deleted and the freed space used again. No delivery
 * depends on stored attempts: at worst the number of the attempt at an entry starts again at 1.
 */
export function createAttemptRetention(options: AttemptRetentionOptions): AttemptRetention {
  const { db, ageMs, maxBytes, log } = options;

  async function run(): Promise<void> {
    await ensurePartitions(db); // so that the rows of a day are in its partition
    await dropOld();
    await dropTooMuch();
  }

  async function dropOld(): Promise<void> {
    const oldest = await dayAgo(db, ageMs);
    for (const { name, day } of await partsOf(db)) {
      if (day === null || day >= oldest) continue;
      await db.transaction((tx) => drop(tx, [name]));
      log.info({ partition: name }, 'attempts older than the retention were dropped');
    }
    for (const parent of PARENTS) {
      await db.query({
        text: `delete from ${parent}_other where ${TIME[parent]} < now() - $1 * interval '1 ms'`,
        values: [ageMs],
      });
    }
  }

  async function dropTooMuch(): Promise<void> {
    const partitions: string[] = [];
    let rows = 0;
    let step: Step;
    do {
      step = await makeRoom();
      partitions.push(...step.partitions);
      rows += step.rows;
    } while (step.partitions.length > 0);
    if (partitions.length > 0 || rows > 0) {
      const dropped = { partitions, rows, max_bytes: maxBytes };
      log.info(dropped, 'attempts beyond the size limit were dropped');
    }
  }

  /**
   * If the size limit is exceeded, drops the oldest day or, when only today is left, half of the largest part's
   * rows.
   */
  function makeRoom(): Promise<Step> {
    return db.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(${ADVISORY_LOCKS.dropAttempts})`);
      const parts = await partsOf(tx);
      if (parts.reduce((sum, { bytes }) => sum + bytes, 0) <= maxBytes) return NOTHING;
      const partitions = oldestOf(parts, await dayAgo(tx, 0)).map(({ name }) => name);
      if (partitions.length > 0) {
        await drop(tx, partitions);
        return { partitions, rows: 0 };
      }
      const [largest] = parts.toSorted((a, b) => b.bytes - a.bytes);
      const rows = largest === undefined ? 0 : await deleteOlderHalf(tx, largest);
      return { partitions: [], rows };
    });
  }

  return { run };
}

/** The parts of the oldest day before `today` (UTC); without one, the default partitions that hold rows. */
function oldestOf(parts: Part[], today: string): Part[] {
  const days = parts.flatMap(({ day }) => (day !== null && day < today ? [day] : []));
  const [oldest] = days.toSorted();
  if (oldest !== undefined) return parts.filter(({ day }) => day === oldest);
  return parts.filter(({ day, bytes }) => day === null && bytes > EMPTY_BYTES);
}

async function partsOf(sql: Sql): Promise<Part[]> {
  const { rows } = await sql.query<Omit<Part, 'day'>>(`
    select child.relname as name, parent.relname as parent,
           coalesce(pg_total_relation_size(child.oid), 0) as bytes -- dropped meanwhile
      from pg_inherits
      join pg_class child on child.oid = inhrelid
      join pg_class parent on parent.oid = inhparent
     where inhparent in (${PARENTS.map((one) => `'${one}'::regclass`).join(', ')})`);
  return rows.map((row) => ({ ...row, day: /_(\d{8})$/u.exec(row.name)?.[1] ?? null }));
}

/** Drops tables, or gives up after 2 s, because commits and reads wait behind the lock. */
async function drop(tx: Sql, names: string[]): Promise<void> {
  await tx.query(`set local lock_timeout = '2s'`);
  for (const name of names) {
    await tx.query(name.endsWith('_other') ? `truncate ${name}` : `drop table if exists ${name}`);
  }
}

/** Deletes the older half of a day; returns how many rows: none while the space freed before is not used up. */
async function deleteOlderHalf(within: Sql, { name, parent }: Part): Promise<number> {
  const tx = await withLongStatements(within);
  const size = await tx.query<{ bytes: number }>(`select pg_relation_size('${name}') as bytes`);
  const pages = Math.max(1, (size.rows[0]?.bytes ?? 0) / PAGE_BYTES);
  const share = Math.min(1, SAMPLED_PAGES / pages);
  const { rows } = await tx.query<{ used: number; middle: string | null }>(`
    select count(distinct (ctid::text::point)[0])::float8 as used,
           percentile_disc(0.5) within group (order by ${TIME[parent]}) as middle
      from ${name} tablesample system (${100 * share})`);
  const { used = 0, middle = null } = rows[0] ?? {};
  if (middle === null || used / (pages * share) < FULL) return 0;
  let deleted = 0;
  for (const each of PARENTS) {
    const { rowCount } = await tx.query({
      text: `delete from ${each} where ${TIME[each]} <= $1`,
      values: [middle],
    });
    deleted += rowCount ?? 0;
  }
  return deleted;
}

/** The UTC day of so many ms ago by the clock of Postgres, as in `20261123`. */
async function dayAgo(sql: Sql, ms: number): Promise<string> {
  const { rows } = await sql.query<{ day: string }>({
    text: `
      select to_char((now() - $1 * interval '1 ms') at time zone 'utc', 'YYYYMMDD') as day`,
    values: [ms],
  });
  return rows[0]!.day;
}
