import pino from 'pino';
import { expect, test } from 'vitest';

import { createChangedTargetRetry } from '../../src/consumers/retryChangedTargets.ts';
import { openDb } from '../../src/db/db.ts';
import { claim } from '../../src/progress/leases.ts';
import { createLeaderStore } from '../../src/wake/leaderStore.ts';
import { createDatabase, PATIENT } from '../support/database.ts';
import { manyConsumers, manyTargets, plansOf } from '../support/plans.ts';

const MANY = 3_000;
const CLAIM = { holder: 'lane', region: 'r', limit: 500, number: 1 };

/** Consumers that have just been created: Postgres knows nothing about how many there are. */
async function openNew(cursors: string) {
  const database = await createDatabase();
  const db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  await db.query('alter table cursors set (autovacuum_enabled = false)');
  await db.query('alter table consumers set (autovacuum_enabled = false)');
  await db.query(`
    insert into visit_lanes (id, region, lease_until) values ('lane', 'r', now() + interval '1 minute');
    ${manyTargets(1)}
    ${manyConsumers(MANY, { target: '1', cursors })}`);
  const close = async (): Promise<void> => {
    await db.close();
    await database[Symbol.asyncDispose]();
  };
  return { db, [Symbol.asyncDispose]: close };
}

const VISITED = `insert into cursors (consumer_id, position, visited, holder) select id, 0, true, 'lane' from consumers`;
const WATCHED =
  'insert into cursors (consumer_id, position, idle, indexed_epoch) select id, 0, true, 1 from consumers';
const UNWATCHED =
  'insert into cursors (consumer_id, position, idle) select id, 0, true from consumers';
const WANTING =
  'insert into cursors (consumer_id, position, idle, wanted) select id, 0, true, 1 from consumers';
const LOST = `
  insert into cursors (consumer_id, position, visited, holder) select id, 0, true, 'lost' from consumers`;

type Work = Parameters<typeof plansOf>[1];
const claimSome: Work = (db) => claim(db.pipe, { ...CLAIM, lost: false });
const claimLost: Work = (db) => claim(db.pipe, { ...CLAIM, lost: true });
const lookWhoWants: Work = (db) => createLeaderStore(db, 'visit').wanting(500);
const retryChanged: Work = (db) =>
  createChangedTargetRetry({
    sql: db,
    give: () => Promise.reject(new Error('none has changed')),
    holder: 'leader',
    log: pino({ level: 'silent' }),
  })();
const lookWhoIsIdle: Work = (db) => createLeaderStore(db, 'visit').unwatched(500);

/** How many rows of consumers a plan has looked at, those that a join left out included. */
function lookedAt(plans: string): number {
  let sum = 0;
  for (const { groups = {} } of plans.matchAll(
    / on consumers.*actual rows=(?<rows>[\d.]+) loops=(?<loops>\d+)/gu,
  )) {
    sum += Number(groups['rows']) * Number(groups['loops']);
  }
  return sum;
}

test.each([
  ['a lane claims and nothing wants an entry', WATCHED, claimSome, 1],
  ['a lane claims and all want an entry', WANTING, claimSome, 2 * MANY],
  ['a lane claims the consumers of a dead one', LOST, claimLost, 2 * MANY],
  ['a lane looks for consumers of a dead one and there are none', VISITED, claimLost, 1],
  ['a leader looks and all are visited', VISITED, lookWhoWants, 1],
  ['a leader looks and nothing wants an entry', WATCHED, lookWhoWants, 1],
  ['a leader looks and all want an entry', WANTING, lookWhoWants, 2 * MANY],
  ['a leader looks for changed targets and none fails', WATCHED, retryChanged, 1],
  ['a leader looks and all are newly idle', UNWATCHED, lookWhoIsIdle, 2 * MANY],
])(
  'where %s, no more consumers are read than necessary, even before Postgres has statistics about them',
  async (_what, cursors, work, most) => {
    await using many = await openNew(cursors);
    const plans = await plansOf(many.db, work);
    expect(lookedAt(plans), plans).toBeLessThanOrEqual(most);
  },
);
