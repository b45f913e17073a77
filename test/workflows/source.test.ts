// the workflow of a source, from its creation to its end
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { newSeed } from '../../src/db/seed.ts';
import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import type { Source } from '../../src/schema/source.ts';
import { createSources, type Sources } from '../../src/sources/sources.ts';
import { createInspectDatabase } from '../../src/sources/testDatabase.ts';
import { sourceWorkflowId } from '../../src/temporal/sourceKeeper.ts';
import { LOOPBACK } from '../support/app.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';
import {
  openSourcePostgres,
  type SourcePostgres,
  type SourceSession,
} from '../support/sourcePostgres.ts';
import { eventNames } from '../support/sourceRecords.ts';
import { openWorld, type World } from '../support/world.ts';

const ROOT = join(import.meta.dirname, '../..');
const STORED = join(import.meta.dirname, '../histories');

let postgres: SourcePostgres;

beforeAll(async () => {
  postgres = await openSourcePostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

interface Shop extends AsyncDisposable {
  sources: Sources;
  session: SourceSession;
  create(): Promise<Source>;
  get(id: string): Promise<Source>;
  isFollowed(id: string): Promise<Source>;
}

/** A database with a table that can be followed, and Millrace's sources. */
async function openShop(world: World): Promise<Shop> {
  const url = await postgres.createDatabase();
  const session = await postgres.connect(url);
  await session.run('create table t (id int primary key, v text)', `insert into t values (1, 'a')`);
  const sockets = createDatabaseSockets({ allowCidrs: LOOPBACK });
  const sources = createSources({
    db: world.db,
    vault: world.vault,
    region: 'test',
    sockets,
    inspect: createInspectDatabase(sockets.open),
    removeMs: 30_000,
  });
  const get = async (id: string): Promise<Source> => {
    const source = await sources.get(id);
    if (source === null) throw new Error(`there is no source ${id}`);
    return source;
  };
  return {
    sources,
    session,
    create: () => {
      const more = { ca: null, expect_within: null, tables: ['public.t'] };
      return sources.create({ name: 'Shop', kind: 'postgres', url, ...more }, newSeed());
    },
    get,
    isFollowed: (id) =>
      until(async () => {
        const source = await get(id);
        return source.tables.every(({ state }) => state === 'following') && source;
      }),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

test('a source is followed from its creation to its end, whoever runs its workflow, and its history replays and holds no data', async () => {
  await using world = await openWorld();
  await using shop = await openShop(world);
  await using receiver = await openReceiver();
  const { id, slot } = await shop.create();
  const target = await world.target(receiver.url);
  await world.consumer(target, { syncs: [id], start: 'beginning' });
  await shop.isFollowed(id);
  await until(() => receiver.received.length === 1);
  await shop.session.run(`update t set v = 'secret of a row' where id = 1`);
  await until(() => receiver.received.length === 2);
  expect(receiver.received[1]?.body).toContain('secret of a row');

  await shop.sources.pause(id);
  const handle = world.client.workflow.getHandle(sourceWorkflowId(id));
  await until(async () => (await isRead(shop.session, slot)) === 'f');
  await shop.session.run(`insert into t values (2, 'b')`);
  await shop.sources.resume(id);
  await until(() => receiver.received.length === 3);

  await world.stopWorker();
  await shop.session.run(`insert into t values (3, 'c')`);
  await world.startWorker();
  await until(() => receiver.received.length === 4);
  expect(await eventNames(world.db, id)).toEqual([
    'created 1',
    'updated 1',
    'created 2',
    'created 3',
  ]);

  // A workflow that has died is started again.
  const first = await handle.fetchHistory();
  await handle.terminate('as by mistake');
  await until(async () => (await handle.describe()).status.name === 'RUNNING', {
    timeoutMs: 60_000,
  });
  await shop.session.run(`insert into t values (4, 'd')`);
  await until(() => receiver.received.length === 5, { timeoutMs: 60_000 });

  expect(await shop.sources.remove(id)).toBe('deleted');
  await until(async () => (await handle.describe()).status.name === 'COMPLETED');
  expect(
    await shop.session.rows('select slot_name from pg_replication_slots where slot_name = $1', [
      slot,
    ]),
  ).toEqual([]);
  for (const history of [first, await handle.fetchHistory()]) {
    const workflowBundle = { codePath: inject('workflowBundle') };
    const replayed = Worker.runReplayHistory({ workflowBundle }, history, 'just lived');
    await expect(replayed).resolves.toBeUndefined();
    for (const { data } of payloadsOf(history)) expect(data).not.toContain('secret of a row');
    await record(history);
  }
}, 180_000);

test('a webhook endpoint that is dead does not make the log of the database grow', async () => {
  await using world = await openWorld();
  await using shop = await openShop(world);
  await using receiver = await openReceiver(answer(503));
  const { id, slot } = await shop.create();
  const consumer = await world.consumer(await world.target(receiver.url), {
    syncs: [id],
    start: 'beginning',
  });
  await shop.isFollowed(id);
  await world.becomes(consumer, 'blocked');
  const kept = async (): Promise<number> => {
    const [[bytes] = []] = await shop.session.rows(
      'select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) from pg_replication_slots where slot_name = $1',
      [slot],
    );
    return Number(bytes);
  };
  const [[start] = []] = await shop.session.rows('select pg_current_wal_lsn()');
  for (let nth = 0; nth < 20; nth += 1) {
    await shop.session.run(
      `insert into t select g, repeat('x', 200) from generate_series(${nth * 2_000 + 10}, ${nth * 2_000 + 2_009}) g`,
    );
  }
  await until(async () => (await eventNames(world.db, id)).length === 40_001, {
    timeoutMs: 90_000,
  });
  await shop.session.run('checkpoint');
  const [[written] = []] = await shop.session.rows(
    'select pg_wal_lsn_diff(pg_current_wal_lsn(), $1)',
    [start],
  );
  expect(Number(written)).toBeGreaterThan(10_000_000);
  await until(async () => (await kept()) < 1_000_000, { what: 'the slot keeps little of the log' });
  expect(await world.get(consumer)).toMatchObject({ status: 'blocked', position: 0 });
  receiver.respond = accept;
  await shop.sources.remove(id);
}, 180_000);

/** All data of a history, readable. */
function payloadsOf(history: object): { data: string }[] {
  return [...historyToJSON(history).matchAll(/"data": ?"([^"]*)"/gu)].map(([, data = '']) => ({
    data: Buffer.from(data, 'base64').toString('utf8'),
  }));
}

async function isRead(session: SourceSession, slot: string): Promise<string | null | undefined> {
  const [[active] = []] = await session.rows(
    'select active from pg_replication_slots where slot_name = $1',
    [slot],
  );
  return active;
}

/** With `RECORD_HISTORIES=1`: beside those of earlier versions, which stay and are replayed with all others. */
async function record(history: Parameters<typeof historyToJSON>[0]): Promise<void> {
  if (process.env['RECORD_HISTORIES'] !== '1') return;
  const taken = (await readdir(STORED)).filter((name) => name.startsWith('source-')).length;
  const json = historyToJSON(history).replaceAll(`${ROOT}/`, '');
  await writeFile(join(STORED, `source-${taken + 1}.json`), `${json}\n`, { flag: 'wx' });
}
