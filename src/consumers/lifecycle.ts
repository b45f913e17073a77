import type { AlertOptions } from '../alerts/alertItem.ts';
import { TROUBLED, type Troubled } from '../alerts/troubled.ts';
import { writeAlert } from '../alerts/writeAlert.ts';
import type { Db, Sql } from '../db/db.ts';
import type { ConsumerAlertKind } from '../schema/alert.ts';
import { noteChange } from './changes.ts';
import { blockConsumer, STOP, UNBLOCK, WARN } from './consumerRows.ts';

/** The changes of status that no command asks for. Each is one transaction, without effect when repeated. */
export interface Lifecycle {
  /** Turns a consumer from active to blocked. The first failure starts the 24 hours. */
  block(consumerId: string, reason: string, at: Date): Promise<void>;
  /**
   * Turns it back to active, after a 2xx or when nothing is left to try; an alert follows if one has warned
   * about it.
   */
  unblock(consumerId: string, at: Date, success: boolean): Promise<void>;
  /** Writes a warning that a consumer has been blocked for 1/24 of the window; once for each time it is blocked. */
  warn(consumerId: string, at: Date): Promise<void>;
  /** Turns a consumer from active or blocked to stopped, with a change, an alert and its mail in the outbox. */
  stop(consumerId: string, at: Date, why: StopReason): Promise<void>;
}

/** Why a consumer stops: the window has ended, the endpoint answered 410, or entries of too many records are parked. */
export type StopReason = 'window' | 'gone' | 'parked';

export interface LifecycleOptions extends AlertOptions {
  db: Db;
}

/** The reason that a stop gives, the statuses from which it is possible, and the kind of its alert. */
const STOPS: Record<StopReason, { reason: string; from: string[]; kind: ConsumerAlertKind }> = {
  window: {
    reason: 'the endpoint failed for the whole retry window',
    from: ['blocked'],
    kind: 'stopped',
  },
  gone: { reason: 'the endpoint answered 410 Gone', from: ['active', 'blocked'], kind: 'gone' },
  parked: { reason: 'entries of 10,000 records are parked', from: ['active'], kind: 'stopped' },
};

const UNMADE = 'entries of 10,000 records are parked, as no body could be made of them';

/** The author of changes that nobody asked for, in the log of changes. */
const AUTHOR = 'millrace';

/** Creates the lifecycle. */
export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { db } = options;

  async function unblock(consumerId: string, at: Date, success: boolean): Promise<void> {
    await db.transaction(async (sql) => {
      const troubled = await turn(sql, UNBLOCK, [consumerId, at]);
      if (troubled?.warned_at == null) return;
      const reason = success
        ? 'it is delivering again'
        : 'the failing entry was filtered out, superseded or parked';
      await writeAlert(sql, options, { kind: 'recovered', consumerId, reason, at, troubled });
    });
  }

  async function warn(consumerId: string, at: Date): Promise<void> {
    await db.transaction(async (sql) => {
      const troubled = await turn(sql, WARN, [consumerId, at]);
      if (troubled === null) return;
      const { last_failure: newest, status_reason: first } = troubled;
      const failing = newest === null ? first : `${newest.code}: ${newest.detail}`;
      const reason = failing ?? 'the endpoint fails';
      await writeAlert(sql, options, { kind: 'warning', consumerId, reason, at, troubled });
    });
  }

  async function stop(consumerId: string, at: Date, why: StopReason): Promise<void> {
    const { from, kind } = STOPS[why];
    await db.transaction(async (sql) => {
      const reason =
        why === 'parked' && (await isUnmade(sql, consumerId)) ? UNMADE : STOPS[why].reason;
      const troubled = await turn(sql, STOP, [consumerId, at, reason, from]);
      if (troubled === null) return;
      const { version } = troubled;
      const editId = `stop:${version}`;
      const noted = { consumerId, editId, action: 'stopped', actor: AUTHOR, version, at };
      await noteChange(sql, { ...noted, detail: { reason } });
      await writeAlert(sql, options, { kind, consumerId, reason, at, troubled });
    });
  }

  return {
    block: (consumerId, reason, at) => blockConsumer(db, consumerId, { reason, at }),
    unblock,
    warn,
    stop,
  };
}

interface Turned extends Troubled {
  /** Its version after the change. */
  version: number;
  /** Its values before the change. */
  warned_at: string | null;
  status_reason: string | null;
}

/** Changes a consumer by CTEs that make `k` and `c` from `old`, its previous row; null when nothing changed. */
async function turn(sql: Sql, ctes: string, values: unknown[]): Promise<Turned | null> {
  const { rows } = await sql.query<Turned>({
    text: `
      with old as (
        select * from consumers where id = $1 and deleted_at is null for update
      ), ${ctes}
      select ${TROUBLED}, k.version, old.failing_since, old.warned_at, old.status_reason
        from k
        join old on old.id = k.id
        join c on c.consumer_id = k.id
        join targets t on t.id = k.target_id
        join streams s on s.name = k.stream`,
    values,
  });
  return rows[0] ?? null;
}

/** Whether the newest of the parked entries that were tried is one of which no body could be made. */
async function isUnmade(sql: Sql, consumerId: string): Promise<boolean> {
  const { rows } = await sql.query<{ code: string }>({
    text: `
      select last_failure ->> 'code' as code from parked
       where consumer_id = $1 and last_failure is not null
       order by position desc limit 1`,
    values: [consumerId],
  });
  return rows[0]?.code === 'BODY_FAILED';
}
