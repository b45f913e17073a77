import { rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';

import { Client as Temporal, Connection } from '@temporalio/client';
import { Client } from 'pg';
import { expect, inject, test } from 'vitest';

import { startPostgres } from '../../src/embedded/postgres.ts';
import { workflowIdOf } from '../../src/temporal/workflowClient.ts';
import { makeDataFolder } from '../support/dataFolder.ts';
import { createFeed, tally } from '../support/feed.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { accept, openReceiver } from '../support/receiver.ts';

interface OwnPostgres extends AsyncDisposable {
  url: string;
  /** Whether all lanes' leases have been over for longer than the time that a lane then has to store its outcomes. */
  lanesAreOver(): Promise<boolean>;
  /** Makes the whole server read-only, for open connections, too, as a provider does; or undoes that. */
  setReadOnly(on: boolean): Promise<void>;
}

/** A server of the test's own, as it is set for all of its sessions. */
async function openPostgres(): Promise<OwnPostgres> {
  const dataDir = await makeDataFolder('millrace-readonly-');
  const postgres = await startPostgres({ dataDir, say: () => undefined });
  async function query<T extends object>(...statements: string[]): Promise<T[]> {
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    try {
      let rows: T[] = [];
      for (const statement of statements) ({ rows } = await client.query<T>(statement));
      return rows;
    } finally {
      await client.end();
    }
  }
  return {
    url: postgres.url,
    lanesAreOver: async () => {
      const [lanes] = await query<{ over: boolean | null }>(
        `select bool_and(lease_until < clock_timestamp() - interval '5 seconds') as over from visit_lanes`,
      );
      return lanes?.over === true;
    },
    setReadOnly: async (on) => {
      await query(
        'set default_transaction_read_only = off',
        `alter system set default_transaction_read_only = ${on ? 'on' : 'off'}`,
        'select pg_reload_conf()',
      );
    },
    [Symbol.asyncDispose]: async () => {
      await postgres.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** After so many a command that is at fault itself is given up. */
const FAULTY_TRIES = 5;

interface OwnWorkflow extends AsyncDisposable {
  signal(name: string): Promise<void>;
  /** How often its activities that have not ended have been tried. */
  tries(): Promise<number>;
}

async function openWorkflow(consumerId: string): Promise<OwnWorkflow> {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  const handle = new Temporal({ connection }).workflow.getHandle(workflowIdOf(consumerId));
  return {
    signal: (name) => handle.signal(name),
    tries: async () => {
      const { pendingActivities } = (await handle.describe()).raw;
      const commands = pendingActivities?.filter((one) => one.activityType?.name === 'apply');
      return Math.max(0, ...(commands ?? []).map(({ attempt }) => attempt ?? 0));
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

test.concurrent('while Postgres is read-only appends answer 503, no process is ready, no command is given up, no endpoint is blamed, and nothing is sent again', async () => {
  await using postgres = await openPostgres();
  await using cluster = await openCluster(postgres.url);
  await using receiver = await openReceiver();
  const [worker] = await Promise.all([cluster.startWorker(), cluster.startServer()]);
  const { id } = await cluster.consumer(receiver.url);
  const feed = createFeed(cluster, 'a');
  const appending = feed.append(0, 5_000);
  await until(() => receiver.received.length > 500);

  await postgres.setReadOnly(true);
  // A drain says that sending stops, a lane that its visits were interrupted.
  await until(() => /sending stops|visits were interrupted/u.test(worker.stderr()));
  const answer = (method: string, path: string, body?: unknown) =>
    cluster.request(method, path, body).then(
      () => 'done',
      (error: Error) => error.message,
    );
  const event = { sync_id: 's', collection_id: 'z:z', upstream_id: 'x', event: 'created', data: 1 };
  expect(await answer('POST', '/v1/events', { events: [event] })).toContain('database_unavailable');
  expect(await answer('GET', '/readyz')).toContain('"missing":["database"]');
  expect(await answer('GET', `/v1/consumers/${id}`)).toBe('done');
  expect(await answer('POST', `/v1/consumers/${id}/pause`)).toContain('503');
  await using workflow = await openWorkflow(id);
  await workflow.signal('pause');
  await until(async () => (await workflow.tries()) > FAULTY_TRIES);
  expect(await cluster.get(id)).toMatchObject({ status: 'active', failing_since: null });

  await postgres.setReadOnly(false);
  await appending;
  await until(async () => (await cluster.get(id)).status === 'paused');
  await cluster.request('POST', `/v1/consumers/${id}/resume`);
  await cluster.caughtUp(id, 60_000);
  const { missing, repeated, outOfOrder } = tally(receiver, [feed]);
  expect({ missing, repeated, outOfOrder }).toEqual({ missing: [], repeated: [], outOfOrder: [] });
}, 240_000);

const VISITED = 40;

test.concurrent('what lanes sent before Postgres took no writes is not sent again, even if their leases are long over', async () => {
  await using postgres = await openPostgres();
  await using receiver = await openReceiver();
  await using cluster = await openCluster(postgres.url, { MILLRACE_VISIT_LANES: '2' });
  await cluster.startServer();
  await cluster.startWorker();
  const ids: string[] = [];
  for (let index = 0; index < VISITED; index += 1) {
    ids.push((await cluster.consumer(receiver.url, { syncs: [`s-${index}`], start: 'end' })).id);
  }
  const append = (data: string) =>
    cluster.request('POST', '/v1/events', {
      events: ids.map((id, index) => ({
        sync_id: `s-${index}`,
        collection_id: 'shop:order',
        upstream_id: id,
        event: 'updated',
        data,
      })),
    });
  await append('first');
  await until(() => receiver.received.length === VISITED, { timeoutMs: 60_000 });

  const held: ServerResponse[] = [];
  receiver.respond = (_one, response) => void held.push(response);
  await append('second');
  await until(() => held.length === VISITED);
  await postgres.setReadOnly(true);
  receiver.respond = accept;
  for (const response of held) response.writeHead(204).end();
  await until(() => postgres.lanesAreOver(), { timeoutMs: 60_000 });
  await postgres.setReadOnly(false);

  for (const id of ids) await cluster.caughtUp(id, 60_000);
  expect(receiver.received).toHaveLength(2 * VISITED);
}, 240_000);
