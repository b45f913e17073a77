import { afterAll, beforeAll, expect, test } from 'vitest';

import { openDb } from '../../src/db/db.ts';
import type { Source } from '../../src/schema/source.ts';
import { createDatabase, PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { openReceiver } from '../support/receiver.ts';
import { holdRecord } from '../support/recordGate.ts';
import { openSourcePostgres, type SourcePostgres } from '../support/sourcePostgres.ts';
import { eventFaults, tableDifferences } from '../support/sourceRecords.ts';

const ROWS = 60_000;
/** A killed worker is replaced after its heartbeat timeout of 15 s and its lease of 8 s. */
const TAKEOVER = { timeoutMs: 90_000 };

let postgres: SourcePostgres;

beforeAll(async () => {
  postgres = await openSourcePostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

test('after a kill -9 of the worker in the middle of reading a table, another one goes on exactly there, and webhooks arrive', async () => {
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url);
  await using receiver = await openReceiver();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  const url = await postgres.createDatabase();
  await using session = await postgres.connect(url);
  await session.run(
    'create sequence s',
    'create table t (id int primary key, seq bigint, v text)',
    `insert into t select g, nextval('s'), 'v' from generate_series(1, ${ROWS}) g`,
  );
  await using held = await holdRecord(database.url, '30000'); // or all might be read before the kill
  const [worker] = await Promise.all([cluster.startWorker(), cluster.startServer()]);
  const { id } = await cluster.request<Source>('POST', '/v1/sources', {
    name: 'Shop',
    kind: 'postgres',
    url,
    tables: ['public.t'],
  });
  const get = (): Promise<Source> => cluster.request('GET', `/v1/sources/${id}`);
  await until(async () => ((await get()).tables[0]?.rows ?? 0) > 0, TAKEOVER);
  await worker.killHard();
  const { tables } = await get();
  expect(tables[0]?.state).toBe('reading');
  expect(tables[0]?.rows).toBeLessThan(ROWS);
  await held[Symbol.asyncDispose]();
  await session.run(
    `update t set seq = nextval('s'), v = 'after the kill' where id % 1000 = 0`,
    'delete from t where id % 1000 = 1',
  );
  const next = await cluster.startWorker();
  await until(async () => (await get()).tables[0]?.state === 'following', TAKEOVER);
  await session.run(`insert into t values (0, nextval('s'), 'last')`);
  const differences = (): Promise<string[]> =>
    tableDifferences(db, session, { syncId: id, table: 't', key: 'id' });
  await until(async () => (await differences()).length === 0, {
    ...TAKEOVER,
    what: 'the records are the rows',
  });
  expect(await eventFaults(db, id)).toEqual([]);

  const consumer = await cluster.consumer(receiver.url, { syncs: [id], start: 'end' });
  await cluster.caughtUp(consumer.id, 60_000);
  await session.run(`update t set seq = nextval('s'), v = 'a webhook' where id = 0`);
  const body = await until(() => receiver.received[0]?.body);
  expect(JSON.parse(body)).toMatchObject({
    event: {
      event: 'updated',
      sync_id: id,
      collection_id: 'postgres:public.t',
      upstream_id: '0',
      data: { v: 'a webhook' },
      changes: { v: 'last' },
    },
  });

  await cluster.request('DELETE', `/v1/sources/${id}`);
  await until(
    async () =>
      (await session.rows('select from pg_replication_slots where database = current_database()'))
        .length === 0,
  );
  const { password } = new URL(url);
  expect(password.length).toBeGreaterThan(10);
  for (const said of [worker.stderr(), next.stderr()]) expect(said).not.toContain(password);
}, 240_000);
