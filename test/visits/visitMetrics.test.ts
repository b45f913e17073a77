import { expect, test } from 'vitest';

import { createMetrics } from '../../src/telemetry/metrics.ts';
import { countVisits } from '../../src/telemetry/visitMetrics.ts';
import { whyAfter } from '../../src/visits/visitCounts.ts';
import { parseExposition } from '../support/exposition.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
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
async function quiet(world: World, target: string, sync: string): Promise<string> {
  const id = await world.consumer(target, { syncs: [sync], start: 'end' });
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

test('each end of a visit that hands its consumer over has a reason', () => {
  expect(whyAfter('yielded')).toBe('busy');
  expect(whyAfter('idle')).toBe('parked');
  for (const same of ['blocked', 'gone', 'changed', 'parked'] as const) {
    expect(whyAfter(same)).toBe(same);
  }
});
