import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { commandLine } from '../../src/embedded/processes.ts';
import { startStack, type Stack } from '../../src/embedded/stack.ts';
import type { Consumer } from '../../src/schema/consumer.ts';
import type { Target } from '../../src/schema/target.ts';
import { COMPILE_CACHE } from '../support/compileCache.ts';
import { makeDataFolder } from '../support/dataFolder.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type TestReceiver } from '../support/receiver.ts';
let dataDir: string;
beforeEach(async () => {
  dataDir = await makeDataFolder('millrace-restart-');
});
afterEach(() => rm(dataDir, { recursive: true }));

/** A stack on the data folder; it stops when it is disposed of, with nothing left running. */
async function up(): Promise<AsyncDisposable & Api & { stack: Stack }> {
  const stack = await startStack({
    env: {
      ...COMPILE_CACHE,
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      MILLRACE_DATA_DIR: dataDir,
      MILLRACE_PORT: '0',
      MILLRACE_ALERT_EMAIL: 'ops@example.com',
      LOG_LEVEL: 'error',
    },
    receiver: false,
    say: () => undefined,
  });
  const stop = async (): Promise<void> => {
    const pids = Object.values(stack.processes());
    await stack.stop();
    expect(pids.filter((pid) => pid !== null && commandLine(pid) !== null)).toEqual([]);
  };
  return { stack, ...openApi(stack), [Symbol.asyncDispose]: stop };
}

interface Api {
  request<T>(method: string, path: string, body?: object): Promise<T>;
  consumer(path: string, input?: object): Promise<Consumer>;
  get(id: string): Promise<Consumer>;
  becomes(id: string, holds: (one: Consumer) => boolean): Promise<Consumer>;
  append(from: number, to: number): Promise<void>;
}

function openApi(stack: Stack): Api {
  async function request<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${stack.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }
  const get = (id: string): Promise<Consumer> => request('GET', `/v1/consumers/${id}`);
  return {
    request,
    get,
    consumer: async (url, input = {}) => {
      const target = await request<Target>('POST', '/v1/targets', { name: 'r', base_url: url });
      const fields = { name: 'all', target_id: target.id, stream: 'events', start: 'beginning' };
      return request('POST', '/v1/consumers', { ...fields, ...input });
    },
    becomes: (id, holds) =>
      until(
        async () => {
          const one = await get(id);
          return holds(one) && one;
        },
        { timeoutMs: 60_000, what: `consumer ${id} becomes as ${holds.toString()}` },
      ),
    append: async (from, to) => {
      const events = Array.from({ length: to - from }, (_, index) => ({
        sync_id: 's',
        collection_id: index % 2 === 0 ? 'shop:order' : 'shop:item',
        upstream_id: `r-${index % 10}`,
        event: 'updated',
        event_id: `e-${from + index}`,
        data: { n: from + index },
      }));
      await request('POST', '/v1/events', { events });
    },
  };
}

const caughtUp = (one: Consumer): boolean => one.lag.entries === 0;

function idsOf(receiver: TestReceiver): string[] {
  return receiver.received.map((one) => one.id);
}

function ids(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `e-${from + index}`);
}

test('a restart of everything keeps positions, filters and statuses, and sends nothing twice', async () => {
  await using receiver = await openReceiver();
  await using failing = await openReceiver(answer(503));
  const made = await (async () => {
    await using first = await up();
    const active = await first.consumer(receiver.url, { collections: ['shop:order'] });
    const paused = await first.consumer(receiver.url, { ordering: 'stream', path: '/paused' });
    const blocked = await first.consumer(failing.url);
    await first.append(0, 1_000);
    for (const { id } of [active, paused]) await first.becomes(id, caughtUp);
    await first.request('POST', `/v1/consumers/${active.id}/filter`, {
      add: { collections: ['shop:item'] },
      remove: { collections: ['shop:order'] },
    });
    await first.request('POST', `/v1/consumers/${paused.id}/pause`);
    await first.append(1_000, 2_000);
    await first.becomes(active.id, caughtUp);
    await first.becomes(blocked.id, (one) => one.status === 'blocked');
    return { active: await first.get(active.id), paused, blocked: await first.get(blocked.id) };
  })();
  expect(receiver.received).toHaveLength(2_000);

  await using second = await up();
  const active = await second.get(made.active.id);
  expect(active).toMatchObject({
    collections: ['shop:item'],
    position: made.active.position,
    filter_version: made.active.filter_version,
  });
  await second.append(2_000, 3_000);
  await second.becomes(active.id, caughtUp);
  const sent = receiver.received.filter((one) => one.path === '/hook').slice(1_000);
  expect(sent.map((one) => one.position).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 500 }, (_, index) => 2_002 + 2 * index),
  );

  expect((await second.get(made.paused.id)).status).toBe('paused');
  await second.request('POST', `/v1/consumers/${made.paused.id}/resume`);
  await second.becomes(made.paused.id, caughtUp);
  const resumed = receiver.received.filter((one) => one.path === '/hook/paused');
  expect(resumed.map((one) => one.id)).toEqual(ids(0, 3_000));

  const { status, failing_since } = await second.get(made.blocked.id);
  expect({ status, failing_since }).toEqual({
    status: 'blocked',
    failing_since: made.blocked.failing_since,
  });
  failing.respond = accept;
  failing.received.length = 0;
  await second.request('POST', `/v1/consumers/${made.blocked.id}/retry`);
  await second.becomes(made.blocked.id, caughtUp);
  expect(new Set(idsOf(failing))).toEqual(new Set(ids(0, 3_000)));
}, 300_000);

test("after the loss of Temporal's data file every consumer continues, without a gap and without a repetition", async () => {
  await using receiver = await openReceiver();
  const made = await (async () => {
    await using first = await up();
    const active = await first.consumer(receiver.url);
    const paused = await first.consumer(receiver.url, { path: '/paused' });
    await first.append(0, 1_000);
    for (const { id } of [active, paused]) await first.becomes(id, caughtUp);
    await first.request('POST', `/v1/consumers/${paused.id}/pause`);
    await first.append(1_000, 1_500);
    await first.becomes(active.id, caughtUp);
    return { active, paused };
  })();
  const lost = (await readdir(dataDir)).filter((name) => name.startsWith('temporal.db'));
  expect(lost).toContain('temporal.db');
  for (const name of lost) await rm(join(dataDir, name));

  await using second = await up();
  await second.append(1_500, 2_000);
  await second.becomes(made.active.id, caughtUp);
  await second.request('POST', `/v1/consumers/${made.paused.id}/resume`);
  await second.becomes(made.paused.id, caughtUp);
  for (const path of ['/hook', '/hook/paused']) {
    const got = receiver.received.filter((one) => one.path === path).map((one) => one.id);
    expect(got).toHaveLength(2_000);
    expect(new Set(got)).toEqual(new Set(ids(0, 2_000)));
  }
  const connection = await Connection.connect({ address: second.stack.temporal.address });
  const client = new Client({ connection });
  for (const { id } of [made.active, made.paused]) {
    const { status } = await client.workflow.getHandle(`consumer/${id}`).describe();
    expect(status.name).toBe('RUNNING');
  }
  await connection.close();
}, 300_000);
