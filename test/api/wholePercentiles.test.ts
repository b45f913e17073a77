import { afterAll, beforeAll, expect, test } from 'vitest';

import { countAttempts } from '../../src/telemetry/attemptTotals.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

const MINUTE_MS = 60_000;

let opened: ConsumersApi;
let consumer: string;
beforeAll(async () => {
  opened = await openConsumersApi();
  consumer = (await opened.create()).id;
});
afterAll(() => opened[Symbol.asyncDispose]());

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

/** Attempts that took 1, 2, 3 … ms. */
async function delivered(at: number, many: number): Promise<void> {
  await sql(
    `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
     select $1, $2, array_agg(n), array_agg(1::bigint), array_agg(n::int), array_agg(200), $3, 1, $3, 0
       from generate_series(1, $3::int) n`,
    [consumer, new Date(at).toISOString(), many],
  );
}

async function read(path: string): Promise<{ p50_ms: number | null; p95_ms: number | null }> {
  const { status, body } = await opened.api.request('GET', path);
  expect(status).toBe(200);
  return { p50_ms: body.p50_ms, p95_ms: body.p95_ms };
}

/** Whether two times are the same on the logarithmic scale. */
const near = (one: number | null, other: number): boolean =>
  one !== null && Math.abs(one / other - 1) < 0.06;

test('the response times of the whole range are those of all its attempts, and not a mean of its steps', async () => {
  const of = [
    `/v1/consumers/${consumer}/metrics`,
    `/v1/targets/${opened.targetId}/metrics`,
    '/v1/overview',
  ];
  for (const path of of.slice(0, 2)) {
    expect(await read(path), path).toEqual({ p50_ms: null, p95_ms: null });
  }
  const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  // The mean of the medians of these two steps would be 175.
  await delivered(now - 20 * MINUTE_MS + 1_000, 600);
  await delivered(now - 10 * MINUTE_MS + 1_000, 100);
  await sql(`insert into attempt_minutes values ($1, 0, 0, '{}', '{}', 0, 0, true)`, [
    new Date(now - 30 * MINUTE_MS).toISOString(),
  ]);
  await countAttempts(opened.api.db);
  expect(await read(of[0]!)).toEqual({ p50_ms: 250, p95_ms: 565 });
  for (const path of of.slice(1)) {
    const { p50_ms, p95_ms } = await read(path);
    expect(near(p50_ms, 250), `${path} ${p50_ms}`).toBe(true);
    expect(near(p95_ms, 565), `${path} ${p95_ms}`).toBe(true);
  }
});
