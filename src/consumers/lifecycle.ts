import { TROUBLED, type AlertOptions, type Troubled } from '../alerts/alertItem.ts';
import { writeAlert } from '../alerts/writeAlert.ts';
import type { Db, Sql } from '../db/db.ts';
import type { AlertKind } from '../schema/alert.ts';
import { blockConsumer, STOP, UNBLOCK, WARN } from './consumerRows.ts';

/** The turns a consumer takes by itself; each one transaction, without effect when repeated. */
export interface Lifecycle {
  /** active → blocked. The first failure starts the 24 hours. */
  block(consumerId: string, reason: string, at: Date): Promise<void>;
  /** blocked → active, after a 2xx or when nothing is left to try; whoever was warned hears of it. */
  unblock(consumerId: string, at: Date, success: boolean): Promise<void>;
  /** Tells of a consumer that has been blocked for 1/24 of the window; once an episode. */
  warn(consumerId: string, at: Date): Promise<void>;
  /** active or blocked → stopped, with its alert and the mail in the outbox. */
  stop(consumerId: string, at: Date, why: StopReason): Promise<void>;
}

/** The window has ended, the endpoint answered 410, or too many entries are parked. */
export type StopReason = 'window' | 'gone' | 'parked';

export interface LifecycleOptions extends AlertOptions {
  db: Db;
}

/** What a stop says, from which statuses it is possible, and the alert that tells of it. */
const STOPS: Record<StopReason, { reason: string; from: string[]; kind: AlertKind }> = {
  window: {
    reason: 'the endpoint failed for the whole retry window',
    from: ['blocked'],
    kind: 'stopped',
  },
  gone: { reason: 'the endpoint answered 410 Gone', from: ['active', 'blocked'], kind: 'gone' },
  parked: { reason: '10,000 entries are parked', from: ['active'], kind: 'stopped' },
};

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const { db } = options;

  async function unblock(consumerId: string, at: Date, success: boolean): Promise<void> {
    await db.transaction(async (sql) => {
      const troubled = await turn(sql, UNBLOCK, [consumerId, at]);
      if (troubled?.warned_at == null) return;
      const reason = success
        ? 'it is delivering again'
        : 'nothing is left of what failed: it was filtered out, superseded or put aside';
      await writeAlert(sql, options, { kind: 'recovered', consumerId, reason, at, troubled });
    });
  }

  async function warn(consumerId: string, at: Date): Promise<void> {
    await db.transaction(async (sql) => {
      const troubled = await turn(sql, WARN, [consumerId, at]);
      if (troubled === null) return;
      const reason = troubled.status_reason ?? 'the endpoint fails';
      await writeAlert(sql, options, { kind: 'warning', consumerId, reason, at, troubled });
    });
  }

  async function stop(consumerId: string, at: Date, why: StopReason): Promise<void> {
    const { reason, from, kind } = STOPS[why];
    await db.transaction(async (sql) => {
      const troubled = await turn(sql, STOP, [consumerId, at, reason, from]);
      if (troubled === null) return;
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
  /** As they were before the turn. */
  warned_at: string | null;
  status_reason: string | null;
}

/** Turns a consumer by a statement whose CTEs are `old` (its row before), `k` and `c`; null: no turn. */
async function turn(sql: Sql, ctes: string, values: unknown[]): Promise<Turned | null> {
  const { rows } = await sql.query<Turned>({
    text: `
      with old as (
        select * from consumers where id = $1 and deleted_at is null for update
      ), ${ctes}
      select ${TROUBLED}, old.failing_since, old.warned_at, old.status_reason
        from k
        join old on old.id = k.id
        join c on c.consumer_id = k.id
        join targets t on t.id = k.target_id
        join streams s on s.name = k.stream`,
    values,
  });
  return rows[0] ?? null;
}
