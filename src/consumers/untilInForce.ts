import { setTimeout as sleep } from 'node:timers/promises';

import type { Db } from '../db/db.ts';
import { takeForNobody } from '../progress/filterRows.ts';
import { endLapsedLaneLeases } from '../progress/laneLeases.ts';
import { MAY_STORE } from '../rules/leaseSql.ts';
import type { Row } from './lockedConsumer.ts';

/** A sender that has found its consumer `blocked` starts its request within this time, ms, or looks it up again. */
export const SEND_WITHIN_MS = 250;

/** Waits until the sender has released its lease, or its lease is over. */
export async function untilReleased(db: Db, consumerId: string): Promise<void> {
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 100)) {
    await endLapsedLaneLeases(db);
    const { rows } = await db.query<{ live: boolean }>({
      text: `
        select ${MAY_STORE} as live
          from cursors c where consumer_id = $1`,
      values: [consumerId],
    });
    if (rows[0]?.live !== true) return;
    await sleep(waitMs);
  }
}

/** Waits until the sender has confirmed `version`, or no sender is left that could use an older one. */
export async function untilInForce(
  db: Db,
  consumerId: string,
  version: number,
  row: Pick<Row, 'status' | 'live'>,
): Promise<void> {
  if (!row.live) {
    // A sender frozen beyond its lease would otherwise renew it when it wakes, and send with an older version.
    await takeForNobody(db, [consumerId]);
    return;
  }
  if (row.status === 'blocked') {
    await sleep(SEND_WITHIN_MS);
    return;
  }
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 100)) {
    await endLapsedLaneLeases(db);
    const { rows } = await db.query<{ seen: boolean; live: boolean }>({
      text: `
        select seen_version >= $2 as seen,
               ${MAY_STORE} as live
          from cursors c where consumer_id = $1`,
      values: [consumerId, version],
    });
    const state = rows[0];
    if (state === undefined || state.seen) return;
    if (!state.live) {
      await takeForNobody(db, [consumerId]);
      return;
    }
    await sleep(waitMs);
  }
}
