// what the overview says adds up: its series and its lists have the same attempts
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Overview } from '../../src/schema/overview.ts';
import { countAttempts } from '../../src/telemetry/attemptTotals.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function overview(range: string): Promise<Overview> {
  const { status, body } = await opened.api.request('GET', `/v1/overview?range=${range}`);
  expect({ status, logged: opened.api.logged }).toEqual({ status: 200, logged: [] });
  return body;
}

test('the series and the lists have the same attempts: those since the same full hour, up to now', async () => {
  const { id: one } = await opened.create({ name: 'one' });
  const { id: other } = await opened.create({ name: 'other' });
  await sql(
    `insert into attempt_minutes (at, delivered, failed, steps, counts, events_to, lag)
     values (date_trunc('minute', now()) - interval '150 min', 0, 0, '{}', '{}', 0, 0)`,
  );
  // Each minute has some, so that wherever the hour begins, some are before it.
  await sql(
    `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
     select $1, date_trunc('minute', now()) - n * interval '1 min', '{1}', '{0}', '{5}', '{200}', 1, 1, 1, 0
       from generate_series(0, 139) n`,
    [one],
  );
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, stored_at)
     select gen_random_uuid(), $1, 1, 'm', 1, at, 5, 'failed', at
       from generate_series(0, 139, 2) n, lateral (select date_trunc('minute', now()) - n * interval '1 min' as at) t`,
    [other],
  );
  await countAttempts(opened.api.db); // all but those of the last two minutes
  for (const range of ['1h', '6h', '24h', '7d']) {
    const { series, top } = await overview(range);
    const sum = (of: 'delivered' | 'failed'): number =>
      series.reduce((total, point) => total + (point[of] ?? 0), 0);
    expect(Date.parse(series[0]!.at)).toBe(Date.parse(top.since));
    expect(top.busiest).toMatchObject([{ name: 'one', delivered: sum('delivered'), failed: 0 }]);
    expect(top.failing).toMatchObject([{ name: 'other', delivered: 0, failed: sum('failed') }]);
    expect(top.slowest).toMatchObject([{ attempts: sum('delivered') + sum('failed') }]);
    expect(sum('delivered')).toBeGreaterThan(0);
  }
});
