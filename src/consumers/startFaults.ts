import type { AlertOptions } from '../alerts/alertItem.ts';
import { TROUBLED, type Troubled } from '../alerts/troubled.ts';
import { writeAlert } from '../alerts/writeAlert.ts';
import type { Db, Sql } from '../db/db.ts';
import {
  isAlertDue,
  isOfAllTargets,
  startAgainInMs,
  type StartFault,
} from '../rules/startFault.ts';

/** Keeps which consumers can't send, and why; alerts report it. */
export interface StartFaults {
  /**
   * Notes that a sender met a lasting fault, in one transaction. An alert follows once the fault has lasted for
   * a few seconds: one for each reason, until the consumer has worked again. Null when the consumer is not to
   * send any more, so that nothing was noted.
   */
  note(faulty: Faulty): Promise<NotedFault | null>;
  /** Notes that the consumer sends again; an alert follows if one has reported the fault. */
  clear(consumerId: string): Promise<void>;
}

/** The fault that a sender met. */
export interface Faulty {
  consumerId: string;
  fault: StartFault;
  /** Whether sending had begun. */
  isCrash: boolean;
  /** The target that was tried; null: it is not known. */
  target: { id: string; version: number } | null;
}

/** The consequences of a noted fault. */
export interface NotedFault {
  /** Milliseconds until the next try. */
  againInMs: number;
  /** Whether the reason differs from that of the previous try. */
  isNew: boolean;
}

/** The store that owns the table `start_faults`. */
export function createStartFaults(
  options: AlertOptions & { db: Pick<Db, 'transaction'> },
): StartFaults {
  const { db } = options;

  function note(faulty: Faulty): Promise<NotedFault | null> {
    return db.transaction(async (sql) => {
      const standing = await lockConsumer(sql, faulty.consumerId);
      if (standing === null) return null;
      const { code, detail } = faulty.fault;
      const before = await read(sql, faulty.consumerId);
      const told = before?.told ?? [];
      const failingForMs = before?.failing_for_ms ?? 0;
      const againInMs = startAgainInMs(failingForMs);
      const isTold = isAlertDue(code, { failingForMs, told });
      await write(sql, faulty, { againInMs, told: isTold ? [...told, code] : told });
      if (isTold && standing.target_id !== null) {
        const { consumerId } = faulty;
        const cannotStart = { code, since: before?.since ?? standing.at };
        const alert = { consumerId, reason: detail, at: new Date(standing.at), troubled: standing };
        const key = `${standing.version}.${code}.${Date.parse(cannotStart.since)}`;
        const spansTargets = isOfAllTargets(code);
        await writeAlert(sql, options, {
          kind: 'warning',
          ...alert,
          key,
          cannotStart,
          spansTargets,
        });
      }
      const isNew = before === null || before.code !== code || before.detail !== detail;
      return { againInMs, isNew };
    });
  }

  function clear(consumerId: string): Promise<void> {
    return db.transaction(async (sql) => {
      const { rows } = await sql.query<{ told: string[]; since: string }>({
        text: 'delete from start_faults where consumer_id = $1 returning told, since',
        values: [consumerId],
      });
      const [fault] = rows;
      if (fault === undefined || fault.told.length === 0) return;
      const standing = await lockConsumer(sql, consumerId);
      if (standing === null) return;
      await writeAlert(sql, options, {
        kind: 'recovered',
        consumerId,
        reason: 'it can send again',
        at: new Date(standing.at),
        troubled: standing,
        key: `${standing.version}.start.${Date.parse(fault.since)}`,
        spansTargets: fault.told.every(isOfAllTargets),
      });
    });
  }

  return { note, clear };
}

type Standing = Troubled & { at: string };

/** Locks a consumer that is to send; null when it is not, or a command waits for its sender to end. */
async function lockConsumer(sql: Sql, consumerId: string): Promise<Standing | null> {
  const { rows } = await sql.query<Standing>({
    text: `
      with k as (
        select * from consumers
         where id = $1 and deleted_at is null and not held and status in ('active', 'blocked')
           for update
      )
      select ${TROUBLED}, k.failing_since, clock_timestamp() as at
        from k
        join cursors c on c.consumer_id = k.id
        left join targets t on t.id = k.target_id
        join streams s on s.name = k.stream`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

interface Stored {
  code: string;
  detail: string;
  since: string;
  told: string[];
  failing_for_ms: number;
}

async function read(sql: Sql, consumerId: string): Promise<Stored | null> {
  const { rows } = await sql.query<Stored>({
    text: `
      select code, detail, since, told,
             greatest(0, extract(epoch from clock_timestamp() - since) * 1000)::float8 as failing_for_ms
        from start_faults where consumer_id = $1 for update`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

async function write(
  sql: Sql,
  { consumerId, fault, isCrash, target }: Faulty,
  { againInMs, told }: { againInMs: number; told: string[] },
): Promise<void> {
  await sql.query({
    text: `
      insert into start_faults (consumer_id, code, detail, since, next_try_at, is_crash, target_id,
                                target_version, told)
      values ($1, $2, $3, clock_timestamp(), clock_timestamp() + $4 * interval '1 ms', $5, $6, $7, $8)
          on conflict (consumer_id) do update
         set code = excluded.code, detail = excluded.detail, next_try_at = excluded.next_try_at,
             is_crash = excluded.is_crash, target_id = excluded.target_id,
             target_version = excluded.target_version, told = excluded.told`,
    values: [
      consumerId,
      fault.code,
      fault.detail,
      againInMs,
      isCrash,
      target?.id ?? null,
      target?.version ?? null,
      told,
    ],
  });
}
