import type { Db, Sql } from '../db/db.ts';
import type { ConsumerStatus } from '../schema/consumer.ts';
import { commit } from './commit.ts';
import { acquire, release } from './cursors.ts';
import { confirm, type Confirmation } from './filterRows.ts';
import type { Lease, Release } from './lease.ts';
import type { SenderOutcomes, Committed } from './senderOutcomes.ts';

/** Cursors, leases and the record of attempts. Every write of a sender is fenced by its epoch. */
export interface Progress {
  /** Takes the next epoch; null when the consumer has no row. Nothing may be sent for `waitMs`. */
  acquire(consumerId: string, holder: string, leaseMs: number): Promise<Lease | null>;
  /** Stores outcomes and renews the leases, in one statement; a fenced consumer is missing in the answer. */
  commit(rows: SenderOutcomes[], leaseMs: number): Promise<Map<string, Committed>>;
  /** The sender has taken versions up to `version`; filter versions it took apply above `filterFrom`. */
  confirm(taken: Confirmation): Promise<void>;
  /** Releases the lease, noting the failing head or that the consumer is idle. */
  release(released: Release): Promise<boolean>;
  /** What a sender must still find as it was right before it sends; null when there is no consumer. */
  versions(consumerId: string): Promise<Versions | null>;
  /** How many failed attempts each retried entry above the position has had. */
  failedAttempts(consumerId: string, position: number): Promise<Map<number, number>>;
}

export interface Versions extends Committed {
  status: ConsumerStatus;
}

export function createProgress(db: Pick<Db, 'query' | 'pipe'>): Progress {
  return {
    acquire: (consumerId, holder, leaseMs) => acquire(db.pipe, consumerId, holder, leaseMs),
    commit: (rows, leaseMs) => commit(db.pipe, rows, leaseMs),
    confirm: (taken) => confirm(db.pipe, taken),
    release: (released) => release(db.pipe, released),
    versions: (consumerId) => versions(db.pipe, consumerId),
    failedAttempts: (consumerId, position) => failedAttempts(db.pipe, consumerId, position),
  };
}

async function versions(sql: Sql, consumerId: string): Promise<Versions | null> {
  const { rows } = await sql.query<Versions>({
    name: 'versions',
    text: `
      select k.status, k.version, t.version as "targetVersion"
        from consumers k join targets t on t.id = k.target_id
       where k.id = $1 and k.deleted_at is null`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

async function failedAttempts(
  sql: Sql,
  consumerId: string,
  position: number,
): Promise<Map<number, number>> {
  const { rows } = await sql.query<{ position: number; attempt: number }>({
    name: 'failed attempts',
    text: `
      select position, max(attempt)::int as attempt from attempts
       where consumer_id = $1 and position > $2
       group by position`,
    values: [consumerId, position],
  });
  return new Map(rows.map((row) => [row.position, row.attempt]));
}
