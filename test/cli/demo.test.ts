import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { readDemoData } from '../../src/cli/demoData.ts';
import { createExpectation } from '../../src/cli/demoExpectation.ts';
import { openMirror } from '../../src/cli/demoMirror.ts';
import { type DemoChange, type Step, planDemo, STOCKS } from '../../src/cli/demoPlan.ts';
import { COMPILE_CACHE } from '../support/compileCache.ts';
import { makeDataFolder } from '../support/dataFolder.ts';

const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';
const CLEAN = { duplicates: 0, missing: 0, out_of_order: 0 };

let steps: Step[];
/** Where a demo makes the folder of its servers. */
let temporary: string;
beforeAll(async () => {
  steps = planDemo(await readDemoData());
  temporary = await makeDataFolder('millrace-temporary-');
});
afterAll(() => rm(temporary, { recursive: true }));

function demoEnv(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { ...COMPILE_CACHE, PATH, HOME, TMPDIR: temporary, DATABASE_URL: 'not used' };
}

function change(id: string, n: number, more: Partial<DemoChange> = {}): DemoChange {
  return { sync_id: 's', collection_id: 'a:b', upstream_id: id, data: { n }, ...more };
}

function event(id: string, kind: string, n: number, changes: object | null = null): object {
  const fields = { collection_id: 'a:b', upstream_id: id, data: { n } };
  return { event: { ...fields, event: kind, changes } };
}

function record(id: string, n: number, deleted = false): object {
  return { record: { collection_id: 'a:b', upstream_id: id, data: { n }, deleted } };
}

function step(appends: DemoChange[][], filter?: Step['filter']): Step {
  return { title: '', live: false, appends, ...(filter && { filter }) };
}

test('the demo reads quoted names, numbers and joined departures from its files', () => {
  const airports = steps[0]!.appends[0]!;
  expect(airports).toHaveLength(3_376);
  const named = new Map(airports.map(({ upstream_id, data }) => [upstream_id, data]));
  expect(named.get('DBN')).toEqual({
    iata: 'DBN',
    name: 'W. H. "Bud" Barron',
    city: 'Dublin',
    state: 'GA',
    country: 'USA',
    latitude: 32.56445806,
    longitude: -82.98525556,
  });
  const later = steps.flatMap(({ appends }) => appends.flat()).slice(3_376);
  expect(later.filter((one) => one.collection_id === STOCKS)).toHaveLength(560);
  expect(later.find((one) => one.upstream_id === 'ATL')?.data).toMatchObject({
    departures: 414_513,
  });
  expect(later.filter((one) => one.deleted)).toHaveLength(12);
});

test('a demo with all events in order and the last version of each record is reported as clean', () => {
  const expectation = createExpectation([
    step([[change('1', 1)], [change('1', 2)], [change('2', 3)]]),
    step([[change('2', 3, { deleted: true })]]),
  ]);
  expect([expectation.total(0), expectation.total(1), expectation.remaining(1)]).toEqual([5, 2, 7]);
  const webhooks = [
    event('1', 'created', 1),
    event('2', 'created', 3),
    event('1', 'updated', 2, { n: 1 }),
    event('2', 'deleted', 3),
  ];
  for (const webhook of webhooks) expect(expectation.check('events', webhook)).toBeNull();
  for (const webhook of [record('1', 2), record('2', 3)]) {
    expect(expectation.check('records', webhook)).toBeNull();
  }
  expect(expectation.remaining(0)).toBe(0);
  expect(expectation.counts()).toMatchObject({ expected: 7, missing: 1 });
  expect(expectation.check('records', record('2', 3, true))).toBeNull();
  expect(expectation.counts()).toEqual({ expected: 7, delivered: 7, verified: 7, ...CLEAN });
  expect(expectation.superseded()).toBe(1);
});

test('a version of a record that arrives before it is superseded is expected, and one that arrives late is out of order', () => {
  const plan = [step([[change('1', 1)], [change('1', 2)]])];
  const early = createExpectation(plan);
  early.check('records', record('1', 1));
  early.check('records', record('1', 2));
  expect(early.counts()).toMatchObject({ expected: 4, verified: 2, out_of_order: 0, missing: 2 });
  const late = createExpectation(plan);
  late.check('records', record('1', 2));
  expect(late.check('records', record('1', 1))).toBe('arrived after a later change of its record');
  expect(late.counts()).toMatchObject({ out_of_order: 1 });
});

test('a duplicate, a wrong value, a wrong order and an entry that the filter excludes are told apart', () => {
  const hidden = { signal: 'removeCollections', collection: 'a:b' } as const;
  const expectation = createExpectation([
    step([[change('1', 1)], [change('1', 2)]]),
    step([[change('1', 3)]], hidden),
  ]);
  expectation.check('events', event('1', 'updated', 2, { n: 1 }));
  expect(expectation.check('events', event('1', 'created', 1))).toMatch('after a later change');
  expect(expectation.check('events', event('1', 'created', 1))).toBe('arrived before');
  expect(expectation.check('events', event('1', 'created', 7))).toBe('is not in the data file');
  const filtered = event('1', 'updated', 3, { n: 2 });
  expect(expectation.check('events', filtered)).toBe('the filter leaves it out');
  expectation.refuse();
  expect(expectation.counts()).toEqual({
    expected: 4, // two events and a version of the record in each step
    delivered: 6,
    verified: 2,
    duplicates: 1,
    out_of_order: 1,
    missing: 2,
  });
});

test('the receiver of the demo builds tables from signed webhooks alone, and tells what is missing or different', async () => {
  const signer = new Webhook(SECRET);
  await using mirror = await openMirror({
    onTold: () => undefined,
    signal: new AbortController().signal,
  });
  const send = async (
    id: string,
    kind: string,
    data: object | null,
    by = signer,
  ): Promise<number> => {
    const fields = { collection_id: 'postgres:public.airports', upstream_id: 'ATL', data };
    const body = JSON.stringify({ event: { ...fields, event: kind } });
    const now = new Date();
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      'webhook-signature': by.sign(id, now, body),
    };
    return (await fetch(mirror.url, { method: 'POST', headers, body })).status;
  };
  const rows = new Map([['postgres:public.airports ATL', { iata: 'ATL', name: 'Atlanta' }]]);
  expect(await send('1', 'created', { iata: 'ATL', name: 'Atlanta' })).toBe(401); // no secret is known
  mirror.trust(SECRET);
  const other = new Webhook('whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q=');
  expect(await send('2', 'created', { iata: 'ATL', name: 'Atlanta' }, other)).toBe(401);
  expect(mirror.differences(rows)).toBe(1);
  expect(await send('3', 'created', { iata: 'ATL', name: 'Atlanta', city: null })).toBe(204);
  await mirror.arrived(1);
  expect(mirror.differences(rows)).toBe(0);
  await send('4', 'updated', { iata: 'ATL', name: 'Hartsfield' });
  await send('4', 'updated', { iata: 'ATL', name: 'Hartsfield' });
  expect(mirror.differences(rows)).toBe(1);
  await send('5', 'deleted', { iata: 'ATL', name: 'Hartsfield' });
  expect(mirror.differences(new Map())).toBe(0);
  expect(mirror.counts).toEqual({ delivered: 6, verified: 4, duplicates: 1 });
});

test('npm run demo -- --postgres --once follows the tables of a second Postgres, and the receiver has the same rows in the end', async () => {
  const child = spawn('npm', ['run', '--silent', 'demo', '--', '--postgres', '--once'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: demoEnv(),
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  expect(code, stderr).toBe(0);
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>;
  expect(result).toMatchObject({ duplicates: 0, missing: 0, different: 0 });
  expect(result['delivered']).toBe(result['expected']);
  expect(result['verified']).toBe(result['expected']);
  expect(result['expected']).toBeGreaterThan(3_376 + 560);
  expect(stderr).toContain('deleted  postgres:public.airports JFK ');
  expect(stderr).toMatch(/workflows\/source%2F[\da-f-]{36}/u);
}, 240_000);

test('npm run demo -- --once delivers and verifies everything, exits with 0 and leaves nothing behind', async () => {
  const child = spawn('npm', ['run', '--silent', 'demo', '--', '--once'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: demoEnv(),
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  expect(code, stderr).toBe(0);
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>;
  expect(result).toMatchObject({ ...CLEAN, delivered: result['expected'] });
  expect(result['verified']).toBe(result['delivered']);
  expect(result['delivered']).toBeGreaterThan(7_000);
  expect(stderr).toMatch(/http:\/\/127\.0\.0\.1:\d+\/v1\/openapi\.json/u);
  const page =
    /http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows\/consumer%2F[\da-f-]{36}/gu;
  expect(new Set(stderr.match(page)).size).toBe(2);
  const folder = /in (\S*millrace-demo-\w+)/u.exec(stderr)?.[1] ?? '';
  expect(folder).not.toBe('');
  expect(folder).toContain(temporary);
  expect(await readdir(temporary)).toEqual([]);
}, 240_000);
