import { setTimeout as sleep } from 'node:timers/promises';

import type { Db, Sql } from '../db/db.ts';
import { SLOWEST } from '../progress/lease.ts';
import type { Row } from './lockedConsumer.ts';

/** A sender that found its consumer `blocked` starts its request within this time, or looks again. */
export const SEND_WITHIN_MS = 250;

/** Returns once the sender has taken `version`, or there is none any more that could act on an older one. */
export async function untilInForce(
  db: Db,
  consumerId: string,
  version: number,
  row: Row,
): Promise<void> {
  if (!row.live) {
    // One that was frozen beyond its lease would renew it when it wakes, and send by what it knows.
    await takeForNobody(db, consumerId);
    return;
  }
  if (row.status === 'blocked') {
    await sleep(SEND_WITHIN_MS);
    return;
  }
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 100)) {
    const { rows } = await db.query<{ seen: boolean; live: boolean }>({
      text: `
        select seen_version >= $2 as seen,
               holder is not null and lease_until > clock_timestamp() as live
          from cursors where consumer_id = $1`,
      values: [consumerId, version],
    });
    const state = rows[0];
    if (state === undefined || state.seen) return;
    if (!state.live) {
      await takeForNobody(db, consumerId);
      return;
    }
    await sleep(waitMs);
  }
}

/** The sender is gone: its epoch ends, and filter versions it did not take apply above what is stored. */
async function takeForNobody(sql: Sql, consumerId: string): Promise<void> {
  await sql.query({
    text: `
      with fenced as (
        update cursors set epoch = epoch + 1, holder = null, lease_until = null,
                           paced_until = coalesce(lease_until + ${SLOWEST}, paced_until)
         where consumer_id = $1 and (holder is null or lease_until <= clock_timestamp())
        returning position, ahead
      )
      update filter_versions f
         set filter_from = greatest(fenced.position, (select max(a) from unnest(fenced.ahead) a))
        from fenced
       where f.consumer_id = $1 and f.filter_from is null`,
    values: [consumerId],
  });
}
