import { setTimeout as sleep } from 'node:timers/promises';

import type { Sql } from '../db/db.ts';
import { takeForNobody } from '../progress/filterRows.ts';
import { endLapsedLaneLeases } from '../progress/laneLeases.ts';
import { MAY_STORE } from '../rules/leaseSql.ts';
import { Unavailable } from './commands.ts';
import { HAS_OLDER_TARGET } from './outdatedSenders.ts';
import { SEND_WITHIN_MS } from './untilInForce.ts';

/** How long senders are waited for, ms: longer than a drain (8 s) or a lane (13 s) may store without renewing its lease. */
const WAIT_MS = 16_000;
const FIRST_PAUSE_MS = 5;
const LAST_PAUSE_MS = 100;

/**
 * Waits until no request can start any more that uses an older version of the target. Each drain that sends to
 * it has confirmed the newest version, or its lease is over and it is fenced; an attempt at a blocked consumer
 * starts within 250 ms of its last look-up or looks it up again. Consumers without a sender cost nothing.
 * Throws `Unavailable` when a sender does not confirm in time; the edit is stored.
 */
export async function untilTargetInForce(sql: Sql, targetId: string): Promise<void> {
  const until = performance.now() + WAIT_MS;
  let senders = await sendersOf(sql, targetId);
  if (senders.trying) await sleep(SEND_WITHIN_MS);
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    if (senders.lost.length > 0) await takeForNobody(sql, senders.lost);
    if (senders.behind === 0) return;
    if (performance.now() > until) throw new Unavailable();
    await sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS);
    senders = await sendersOf(sql, targetId);
  }
}

/** The senders that have not confirmed the target's newest version, of all consumers that use the target. */
interface Senders {
  /** How many drains hold a lease. */
  behind: number;
  /** Whether an attempt at a blocked consumer is in progress. */
  trying: boolean;
  /** The consumers of senders that were frozen or died: each would renew its lease when it wakes. */
  lost: string[];
}

async function sendersOf(sql: Sql, targetId: string): Promise<Senders> {
  await endLapsedLaneLeases(sql);
  const { rows } = await sql.query<Senders>({
    name: 'target-senders',
    text: `
      select count(*) filter (where live and status = 'active') as behind,
             coalesce(bool_or(live and status = 'blocked'), false) as trying,
             coalesce(array_agg(id::text) filter (where not live), '{}') as lost
        from (
          select k.id, k.status, ${MAY_STORE} as live
            from consumers k
            join cursors c on c.consumer_id = k.id and c.holder is not null
            join targets t on t.id = k.target_id
           where k.target_id = $1 and k.deleted_at is null and k.status in ('active', 'blocked')
             and ${HAS_OLDER_TARGET}
        ) sending`,
    values: [targetId],
  });
  return rows[0]!;
}
