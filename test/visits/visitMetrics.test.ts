import type { ServerResponse } from 'node:http';

import { expect, test } from 'vitest';

import { createMetrics } from '../../src/telemetry/metrics.ts';
import { countVisits } from '../../src/telemetry/visitMetrics.ts';
import { whyAfter } from '../../src/visits/visitCounts.ts';
import { parseExposition } from '../support/exposition.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

/** Metrics of visits, and a reader of their series. */
function openMetrics(lanes: number) {
  const metrics = createMetrics();
  const visitCounts = countVisits(metrics, { region: 'test', lanes });
  async function read(series: string): Promise<number | undefined> {
    const [name = '', value] = series.split(' ');
    const families = parseExposition(await metrics.text());
    const samples = [...families.values()].flatMap((family) => family.samples);
    const found = samples.find(
      (one) =>
        one.name === name && (value === undefined || Object.values(one.labels).includes(value)),
    );
    return found?.value;
  }
  return { visitCounts, read };
}

/** A consumer of one sync that the leader watches. */
async function quiet(world: World, target: string, sync: string, more = {}): Promise<string> {
  const id = await world.consumer(target, { syncs: [sync], start: 'end', ...more });
  await until(async () => {
    const { rows } = await world.db.query<{ watched: boolean }>({
      text: 'select indexed_epoch is not null as watched from cursors where consumer_id = $1',
      values: [id],
    });
    return rows[0]?.watched;
  });
  return id;
}

test('lanes, visits and their waits are counted, and consumers that are handed over are counted by reason', async () => {
  const { visitCounts, read } = openMetrics(2);
  await using world = await openWorld({ visitLanes: 2, visitRetriesMs: 0, visitCounts });
  await using receiver = await openReceiver((one, response) => {
    response.writeHead(one.path.endsWith('/down') ? 503 : 204).end();
  });
  const target = await world.target(receiver.url);
  const down = await world.target(`${receiver.url}/down`);
  await until(async () => (await read('millrace_visit_lanes test')) === 2);
  expect(await read('millrace_visit_lanes_wanted test')).toBe(2);
  expect(await read('millrace_visits_total')).toBe(0);
  expect(await read('millrace_visit_handovers_total busy')).toBe(0);

  const calm = await quiet(world, target, 'calm');
  await world.append.events(someEvents(1, { syncId: 'calm' }));
  await world.caughtUp(calm);
  await until(async () => (await read('millrace_visited_consumers')) === 1);
  expect(await read('millrace_visits_total')).toBe(1);
  expect(await read('millrace_visit_wait_seconds_count')).toBe(1);
  expect(await read('millrace_visit_wait_seconds_sum')).toBeLessThan(60);

  const failing = await quiet(world, down, 'failing');
  await world.append.events(someEvents(1, { syncId: 'failing' }));
  await world.becomes(failing, 'blocked');
  await until(async () => (await read('millrace_visit_handovers_total blocked')) === 1);

  await quiet(world, target, 'busy');
  await world.append.events(someEvents(3_000, { syncId: 'busy', records: 50 }));
  await until(async () => (await read('millrace_visit_handovers_total busy')) === 1);
  expect(await read('millrace_visits_total')).toBe(3);

  await world.stopWorker();
  expect(await read('millrace_visit_lanes test')).toBe(0);
  expect(await read('millrace_visited_consumers')).toBe(0);
});

test('a visit that ends because its endpoint is gone, or by a fault, a command, a parked entry or an error is counted as such', async () => {
  const { visitCounts, read } = openMetrics(1);
  await using world = await openWorld({ visitLanes: 1, idleAfterMs: 300, visitCounts });
  const hanging: ServerResponse[] = [];
  await using receiver = await openReceiver((one, response) => {
    if (one.path.endsWith('/gone')) answer(410)(one, response);
    else if (one.path.endsWith('/hangs')) hanging.push(response);
    else if (one.body.includes('refused')) answer(400)(one, response);
    else accept(one, response);
  });
  const target = await world.target(receiver.url);
  const append = (syncId: string) => world.append.events(someEvents(1, { syncId }));
  const isCounted = (reason: string) =>
    until(async () => ((await read(`millrace_visit_handovers_total ${reason}`)) ?? 0) > 0, {
      what: `a consumer is handed over: ${reason}`,
    });

  await quiet(world, target, 'parked');
  await world.append.events([
    ...someEvents(1, { syncId: 'parked', data: '{"refused":true}' }),
    ...someEvents(1, { syncId: 'parked', upstreamId: 'another' }), // speaks for the endpoint
  ]);

  await quiet(world, target, 'gone', { path: '/gone' });
  await append('gone');
  await isCounted('gone');

  const unreadable = await quiet(world, target, 'unreadable');
  await world.db.query({
    text: 'update filter_versions set collections = array[null] where consumer_id = $1',
    values: [unreadable],
  });
  await append('unreadable');
  await isCounted('unstartable');

  const paused = await quiet(world, target, 'paused', { path: '/hangs' });
  await append('paused');
  await until(() => hanging.length === 1);
  expect((await world.api.request('POST', `/v1/consumers/${paused}/pause`)).status).toBe(200);
  hanging[0]?.writeHead(204).end();
  await isCounted('changed');

  const refused = await quiet(world, target, 'not stored');
  for (const table of ['attempts', 'attempt_batches']) {
    await world.db.query(
      `alter table ${table} add constraint not_stored check (consumer_id <> '${refused}')`,
    );
  }
  await append('not stored');
  await isCounted('failed');

  await isCounted('parked'); // idle after its next attempt, which is 5 s after the first
});

test('each end of a visit that hands its consumer over has a reason', () => {
  expect(whyAfter('yielded')).toBe('busy');
  expect(whyAfter('idle')).toBe('parked');
  for (const same of ['blocked', 'gone', 'changed', 'parked'] as const) {
    expect(whyAfter(same)).toBe(same);
  }
});
