// what one `npm start` does while it runs
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Client } from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { choosePort } from '../../src/embedded/state.ts';
import { openDevRuns, readyRun, type DevRun, type DevRuns } from '../support/devRuns.ts';
import { until } from '../support/poll.ts';

// It starts everything, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let runs: DevRuns;
let run: DevRun;
let pids: Record<string, number>;

beforeAll(async () => {
  runs = await openDevRuns();
  run = runs.start();
  pids = await readyRun(run);
});
afterAll(() => runs[Symbol.asyncDispose]());

test('its receiver gets, verifies and shows what a consumer delivers', async () => {
  const key = await runs.key();
  async function call<T>(path: string, body?: unknown): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${runs.port}/v1${path}`, {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    });
    expect(response.status).toBeLessThan(300);
    return (await response.json()) as T;
  }
  const { dev_receiver_url: base_url } = await call<{ dev_receiver_url: string }>('/info');
  const target = await call<{ id: string }>('/targets', { name: 'receiver', base_url });
  await call('/consumers', { name: 'all', target_id: target.id, stream: 'events' });
  const entry = { sync_id: 's', collection_id: 'stripe:customer', upstream_id: 'c', data: {} };
  await call('/events', { events: [{ ...entry, event: 'created', event_id: 'evt_1' }] });
  const shown = await until(async () => {
    const page = await fetch(new URL('/deliveries', base_url));
    const { deliveries } = (await page.json()) as { deliveries: Record<string, unknown>[] };
    return deliveries[0];
  });
  expect(shown).toMatchObject({ verdict: 'verified', webhook_id: 'evt_1', attempt: 1 });
});

test('a second npm start on the same data folder says that the first is running, and exits with 1', async () => {
  const second = runs.start({ MILLRACE_PORT: String(await choosePort(undefined)) });
  expect(await second.exit).toBe(1);
  expect(second.stderr()).toBe(
    `Millrace already runs on ${runs.dataDir}: process ${run.child.pid}, http://127.0.0.1:${runs.port}. Stop it first, or set MILLRACE_DATA_DIR to another folder.\n`,
  );
  expect(await runs.isReady()).toBe(true);
});

test('each of its processes is restarted when it is killed, on the same ports and data', async () => {
  const database = await readFile(join(runs.dataDir, 'postgres.json'), 'utf8');
  const { password, port: postgresPort } = JSON.parse(database) as Record<string, string>;
  for (const name of ['worker', 'API', 'Temporal', 'Postgres']) {
    process.kill(pids[name]!, 'SIGKILL');
    await until(() => new RegExp(`${name}.* ended`, 'u').test(run.stderr()), { what: name });
  }
  await until(runs.isReady, { timeoutMs: 60_000 });
  const url = `postgres://millrace:${password}@127.0.0.1:${postgresPort}/millrace`;
  await until(() => connects(url), { timeoutMs: 60_000 });
  expect(run.child.exitCode).toBeNull();
});

async function connects(url: string): Promise<true> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.end();
  return true;
}
