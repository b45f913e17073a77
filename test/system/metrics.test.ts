import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';

import { openDb } from '../../src/db/db.ts';
import { createDatabase, PATIENT } from '../support/database.ts';
import { parseExposition, type Sample } from '../support/exposition.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster, type Running } from '../support/processes.ts';
import { answer, openReceiver } from '../support/receiver.ts';
import { addSource, addSourceTable } from '../support/sourceRow.ts';

const DOCS = resolve(import.meta.dirname, '../../docs/operating');

let scope: AsyncDisposableStack;
let cluster: Cluster;
let server: Running;
let worker: Running;
let failing: string;

beforeAll(async () => {
  scope = new AsyncDisposableStack();
  const database = scope.use(await createDatabase());
  const good = scope.use(await openReceiver());
  const bad = scope.use(await openReceiver(answer(503)));
  cluster = scope.use(
    await openCluster(database.url, {
      MILLRACE_METRICS_PORT: '0',
      MILLRACE_METRICS_CONSUMERS: '2',
    }),
  );
  server = await cluster.startServer();
  worker = await cluster.startWorker();
  const event = {
    sync_id: 's',
    collection_id: 'shop:order',
    upstream_id: 'o-1',
    event: 'created',
    data: { n: 1 },
  };
  const events = Array.from({ length: 50 }, (_, n) => ({ ...event, upstream_id: `o-${n}` }));
  await cluster.request('POST', '/v1/events', { events });
  const fine = await cluster.consumer(good.url);
  ({ id: failing } = await cluster.consumer(bad.url));
  const third = await cluster.consumer(good.url, { start: 'end' }); // it may run until it is paused
  await cluster.request('POST', `/v1/consumers/${third.id}/pause`, {});
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  const columns = { status: "'paused'", lag_bytes: '512', lag_ms: '1500' };
  const source = await addSource(db, 'Shop', { ...columns, holder: 'null', lease_until: 'null' });
  await addSourceTable(db, source, ['public', 'users'], { changes: 7 });
  await cluster.caughtUp(fine.id, 90_000);
  await until(async () => (await cluster.get(failing)).status === 'blocked', {
    timeoutMs: 90_000,
    what: 'the failing consumer is blocked',
  });
}, 240_000);
afterAll(() => scope.disposeAsync());

async function scrape(of: Running): Promise<Map<string, { type: string; samples: Sample[] }>> {
  const port = /"metrics_port":(\d+)/u.exec(of.stderr())?.[1];
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  return parseExposition(await response.text());
}

/** Both processes once what was delivered and blocked shows. */
async function scrapeBoth() {
  return until(
    async () => {
      const [api, sender] = await Promise.all([scrape(server), scrape(worker)]);
      const blocked = find(api, 'millrace_consumers', { state: 'blocked' }) === 1;
      const leads = find(sender, 'millrace_leader') === 1;
      return blocked && leads && { api, sender };
    },
    { timeoutMs: 90_000, what: 'metrics show the blocked consumer and a leader' },
  );
}

function find(
  families: Map<string, { samples: Sample[] }>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  const samples = [...families.values()].flatMap((family) => family.samples);
  return samples.find(
    (one) =>
      one.name === name &&
      Object.entries(labels).every(([label, value]) => one.labels[label] === value),
  )?.value;
}

test('appends, deliveries and refusals are counted, and each consumer has its status and its lag', async () => {
  const { api, sender } = await scrapeBoth();
  expect(find(api, 'millrace_appended_total', { stream: 'events' })).toBe(50);
  expect(find(api, 'millrace_append_duration_seconds_count')).toBe(1);
  expect(
    find(sender, 'millrace_deliveries_total', { outcome: 'delivered', code: 'HTTP_2XX' }),
  ).toBe(50);
  expect(
    find(sender, 'millrace_deliveries_total', { outcome: 'failed', code: 'HTTP_5XX' }),
  ).toBeGreaterThan(0);
  expect(find(sender, 'millrace_attempt_duration_seconds_count')).toBeGreaterThan(50);
  const state = (name: string): number | undefined =>
    find(api, 'millrace_consumer_state', { consumer: failing, state: name });
  expect(['active', 'paused', 'blocked', 'stopped'].map(state)).toEqual([0, 0, 1, 0]);
  expect(find(api, 'millrace_consumer_lag_entries', { consumer: failing })).toBe(50);
  expect(find(api, 'millrace_consumer_lag_seconds', { consumer: failing })).toBeGreaterThan(0);
  expect(find(api, 'millrace_all_lag_entries')).toBeGreaterThanOrEqual(50);
  expect(find(sender, 'millrace_in_flight_requests')).toBeGreaterThanOrEqual(0);
  expect(find(sender, 'millrace_temporal_calls_limit')).toBeGreaterThan(0);
  expect(find(sender, 'millrace_temporal_calls_waiting')).toBe(0);
  expect(find(sender, 'millrace_temporal_call_failures_total')).toBe(0);
});

test('a source has its lag and its changes', async () => {
  const { api, sender } = await scrapeBoth();
  expect(find(api, 'millrace_source_lag_bytes')).toBe(512);
  expect(find(api, 'millrace_source_changes_total')).toBe(7);
  expect(find(api, 'millrace_sources', { state: 'paused' })).toBe(1);
  expect(find(sender, 'millrace_append_duration_seconds_count')).toBe(0); // of sources that are followed
});

test('no more consumers than allowed have series of their own, those in trouble first, and totals include all', async () => {
  const { api } = await scrapeBoth();
  const consumers = api.get('millrace_consumer_lag_entries')?.samples ?? [];
  expect(consumers.map(({ labels }) => labels['consumer'])).toHaveLength(2);
  expect(consumers[0]?.labels['consumer']).toBe(failing);
  expect(find(api, 'millrace_consumers', { state: 'paused' })).toBe(1);
});

test('every series that the dashboard and the alert rules name exists', async () => {
  const { api, sender } = await scrapeBoth();
  const there = new Set(
    [...api.values(), ...sender.values()].flatMap(({ samples }) => samples.map(({ name }) => name)),
  );
  for (const { from, expression } of await expressions()) {
    const names = namesOf(expression);
    expect({ from, names: names.length > 0 }).toEqual({ from, names: true });
    for (const name of names)
      expect({ from, name, there: there.has(name) }).toEqual({ from, name, there: true });
  }
});

test('metrics on the port of the API require a key', async () => {
  const url = /"port":(\d+)/u.exec(server.stderr())?.[1];
  const response = await fetch(`http://127.0.0.1:${url}/metrics`);
  expect(response.status).toBe(401);
});

test('names carry their unit and counters end in _total', async () => {
  const { api, sender } = await scrapeBoth();
  for (const [name, { type }] of [...api, ...sender]) {
    if (!name.startsWith('millrace_')) continue;
    expect({ name, total: name.endsWith('_total') }).toEqual({ name, total: type === 'counter' });
    if (type === 'histogram') expect(name).toMatch(/_seconds$/u);
    expect(name).not.toMatch(/_(ms|milliseconds|minutes)$/u);
  }
});

test.each([
  ['a\n', 'not a sample'],
  ['# TYPE a counter\na{b="1",b="2"} 1\n', 'bad labels'],
  ['# TYPE a counter\na 1\na 1\n', 'twice'],
  ['# TYPE a counter\na 1\n# TYPE a counter\n', 'comes twice'],
  ['a 1\n', 'outside of its family'],
  ['# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n', 'add up'],
])('the format check of this test refuses %j', (text, why) => {
  expect(() => parseExposition(text)).toThrow(why);
});

async function expressions(): Promise<{ from: string; expression: string }[]> {
  const rules = parse(await readFile(join(DOCS, 'alerts.yml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const dashboard = JSON.parse(await readFile(join(DOCS, 'grafana.json'), 'utf8')) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  return [
    ...rules.groups.flatMap((group) =>
      group.rules.map(({ alert, expr }) => ({ from: alert, expression: expr })),
    ),
    ...dashboard.panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ from: title, expression: expr })),
    ),
  ];
}

/** Metric names of an expression: what is left without strings, label matchers, ranges and functions. */
function namesOf(expression: string): string[] {
  const bare = expression
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]|"[^"]*"/gu, '')
    .replaceAll(/\b(by|on|without|ignoring) \([^)]*\)/gu, '');
  return [...bare.matchAll(/\b[a-z][a-z0-9_]*\b(?! ?\()/gu)]
    .map(([name]) => name)
    .filter((name) => name.includes('_'));
}
