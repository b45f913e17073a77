import { setTimeout as pause } from 'node:timers/promises';

import type { Sql } from './db.ts';
import { isConflict, isLockTimeout } from './errors.ts';

/** How a transaction waits for locks that other transactions hold. */
export interface LockPatience {
  /** How long it waits for one lock, ms. Meanwhile all others that need the same table wait behind it. */
  waitMs: number;
  /** The pause before it is tried again, in which the others can proceed, ms. */
  pauseMs: number;
  /** Called after each try that did not get its locks. */
  onLocked: (locked: Locked) => void;
  /** Ends the pauses, and with them the tries: the transaction then rejects. */
  signal?: AbortSignal | undefined;
}

/** A try that could not get its locks. */
export interface Locked {
  /** How many tries there have been. */
  tries: number;
  /** The transactions of others that have been open for longest, and may hold the locks. */
  open: OpenTransaction[];
}

/** A transaction of another session. */
export interface OpenTransaction {
  pid: number;
  application: string;
  /** When it began, RFC 3339. */
  since: string;
}

/**
 * Runs `work` in a transaction on one connection, again and again until no lock that it needs is held by
 * others for longer than it waits. It is rolled back before each pause, and holds nothing meanwhile. Any
 * other error is thrown, with everything rolled back.
 */
export async function transactionWithLocks<T>(
  sql: Sql,
  { waitMs, pauseMs, onLocked, signal }: LockPatience,
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    await sql.query('begin');
    try {
      await sql.query(`set local lock_timeout = ${waitMs}`);
      const result = await work();
      await sql.query('commit');
      return result;
    } catch (error) {
      await sql.query('rollback').catch(() => undefined); // the connection is lost, and the transaction with it
      if (!isLockTimeout(error) && !isConflict(error)) throw error;
      onLocked({ tries, open: await oldestTransactions(sql) });
    }
    await pause(pauseMs, undefined, signal === undefined ? {} : { signal });
  }
}

/** The transactions of other sessions in this database, the one that has been open for longest first. */
async function oldestTransactions(sql: Sql): Promise<OpenTransaction[]> {
  const { rows } = await sql.query<OpenTransaction>(`
    select pid, application_name as application, xact_start as since
      from pg_stat_activity
     where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
     order by xact_start limit 3`);
  return rows;
}
