import { plainArray } from '../db/arrayLiteral.ts';
import type { Db, Sql } from '../db/db.ts';
import type { Failure } from '../rules/outcome.ts';
import type { ConsumerStatus } from '../schema/consumer.ts';
import { commit } from './commit.ts';
import { amendFailure } from './cursors.ts';
import { confirm, type Confirmation } from './filterRows.ts';
import type { Lease, Release } from './lease.ts';
import { acquire, release } from './leases.ts';
import type { SenderOutcomes, Committed } from './senderOutcomes.ts';

/** Cursors, leases and attempts, as a sender uses them. Every write is fenced by the sender's epoch. */
export interface Progress {
  /** Takes the next epoch; null when the consumer has no row. Nothing may be sent for the lease's `waitMs`. */
  acquire(consumerId: string, holder: string, leaseMs: number): Promise<Lease | null>;
  /** Stores outcomes and renews the leases, in one statement; the answer lacks fenced consumers. */
  commit(rows: SenderOutcomes[], leaseMs: number): Promise<Map<string, Committed>>;
  /** Stores that the sender has put `version` into force; filter versions new to it apply above `filterFrom`. */
  confirm(taken: Confirmation): Promise<void>;
  /** Releases the lease, and stores how the sender ended; false when it is fenced. */
  release(released: Release): Promise<boolean>;
  /** Replaces the stored failure with the same time, unless another sender has taken the cursor since. */
  amendFailure(amended: { consumerId: string; epoch: number; failure: Failure }): Promise<void>;
  /** What must be unchanged right before a sender sends; null when the consumer does not exist. */
  versions(consumerId: string): Promise<Versions | null>;
  /** The number of the last stored attempt at each entry above the position that has attempt rows. */
  failedAttempts(consumerId: string, position: number): Promise<Map<number, number>>;
}

/** A consumer's status and the versions of its rows. */
export interface Versions extends Committed {
  status: ConsumerStatus;
}

/** Creates the store, on the pipelined connection. */
export function createProgress(db: Pick<Db, 'query' | 'pipe'>): Progress {
  return {
    acquire: (consumerId, holder, leaseMs) => acquire(db.pipe, consumerId, holder, leaseMs),
    commit: (rows, leaseMs) => commit(db.pipe, rows, leaseMs),
    confirm: (taken) => confirm(db.pipe, [taken]),
    release: async (released) => (await release(db.pipe, [released])).has(released.consumerId),
    amendFailure: (amended) => amendFailure(db.pipe, amended),
    versions: (consumerId) => versions(db.pipe, consumerId),
    failedAttempts: async (consumerId, position) => {
      const found = await failedAttemptsOf(db.pipe, [consumerId], [position]);
      return found.get(consumerId) ?? new Map<number, number>();
    },
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

/**
 * By consumer: the number of the last stored attempt at each entry above its own position that has failed; a
 * first attempt that succeeded may have a row as well, as a sample.
 */
export async function failedAttemptsOf(
  sql: Sql,
  consumerIds: readonly string[],
  positions: readonly number[],
): Promise<Map<string, Map<number, number>>> {
  const { rows } = await sql.query<{ consumer_id: string; position: number; attempt: number }>({
    name: 'failed attempts of many',
    text: `
      select a.consumer_id, a.position, max(a.attempt)::int as attempt
        from unnest($1::uuid[], $2::bigint[]) i(consumer_id, position)
        join attempts a on a.consumer_id = i.consumer_id and a.position > i.position
             and (a.outcome = 'failed' or a.attempt > 1)
       group by 1, 2`,
    values: [plainArray(consumerIds), plainArray(positions)],
  });
  const all = new Map<string, Map<number, number>>();
  for (const { consumer_id: id, position, attempt } of rows) {
    const known = all.get(id) ?? new Map<number, number>();
    all.set(id, known.set(position, attempt));
  }
  return all;
}
