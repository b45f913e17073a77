import { expect, test } from 'vitest';

import type { Db } from '../../src/db/db.ts';
import { claim } from '../../src/progress/leases.ts';
import { createLeaderStore } from '../../src/wake/leaderStore.ts';
import { manyConsumers, manyRowsOfFile, manyTargets, plansOf } from '../support/plans.ts';

const MANY = 5_000;
const LANES = `
  insert into visit_lanes (id, region, lease_until)
  select 'lane ' || n, 'r', clock_timestamp() + interval '1 hour' from generate_series(1, 4) n`;
const VISITED = `
  update cursors c set visited = true, holder = 'lane ' || 1 + k.n % 4
    from (select id, row_number() over () as n from consumers) k where k.id = c.consumer_id`;

const rows = manyRowsOfFile({ fill: manyTargets(1, {}) + manyConsumers(MANY, { target: '1' }) });

/** How many rows of cursors the scans of a plan have found. */
function foundBy(plan: string): number {
  const scans = plan.matchAll(/Scan.* on cursors.*actual rows=([\d.]+) loops=(\d+)/gu);
  return scans.reduce((sum, [, found, loops]) => sum + Number(found) * Number(loops), 0);
}

test('while all lanes live, nothing reads the cursors of the consumers that they visit to find lost ones, even if statistics are old', async () => {
  // As after a storm: when the statistics were taken, no consumer was visited.
  await rows.db.query(LANES);
  await rows.db.query(VISITED);
  const of = { holder: 'lane 1', region: 'r', limit: 500, lost: true, number: 1 };
  const claims = await plansOf(rows.db, (sql: Db) => claim(sql, of));
  const wants = await plansOf(rows.db, (sql: Db) => createLeaderStore(sql, 'visit').wanting(500));
  for (const plan of [claims, wants]) {
    const found = foundBy(plan);
    expect(found, plan).toBeGreaterThan(1); // one row for each holder
    expect(found, plan).toBeLessThan(20);
  }

  await rows.db.query(`delete from visit_lanes where id = 'lane 3'`);
  const lost = await claim(rows.db, of);
  expect(lost.map(({ consumerId }) => consumerId)).toHaveLength(500);
});
