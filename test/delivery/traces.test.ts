import { expect, test } from 'vitest';

import { openDrain } from '../../src/delivery/openDrain.ts';
import type { Attempt } from '../../src/schema/attempt.ts';
import { HOLDER, openBlockedConsumer, type BlockedConsumer } from '../support/blocked.ts';
import { until } from '../support/poll.ts';
import { accept, answer } from '../support/receiver.ts';

/** Drains the consumer until so many requests have come, and stores what came of them. */
async function drain(blocked: BlockedConsumer, count: number): Promise<void> {
  await blocked.api.api.db.query(`update consumers set status = 'active'`);
  const { consumerId, context, receiver } = blocked;
  const { signal: cancelled } = new AbortController();
  const own = { consumerId, context, holder: HOLDER, leaseMs: 8_000, nowMs: Date.now, cancelled };
  const running = await openDrain(own);
  if ('reason' in running) throw new Error(running.reason);
  const ticking = setInterval(() => running.tick(performance.now()), 20);
  await until(() => receiver.received.length >= count);
  running.stop('yielded');
  await running.ended;
  clearInterval(ticking);
}

async function list({ api, consumerId }: BlockedConsumer, query: string): Promise<Attempt[]> {
  const { status, body } = await api.api.request(
    'GET',
    `/v1/consumers/${consumerId}/attempts?${query}`,
  );
  expect(status).toBe(200);
  return body.data;
}

test('the first successes are listed with their traces if these are requested, and each attempt is listed once', async () => {
  await using blocked = await openBlockedConsumer(accept, { events: 30 });
  await drain(blocked, 30);
  const plain = await list(blocked, 'limit=100');
  expect(plain.map(({ position }) => position).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 30 }, (_, at) => at + 1),
  );
  expect(plain.filter((one) => 'trace' in one)).toEqual([]);

  const traced = await list(blocked, 'limit=100&include=trace');
  expect(traced.map(({ trace: _, ...one }) => one)).toEqual(plain);
  const [only, ...more] = traced.filter(({ trace }) => trace !== null);
  expect(more).toEqual([]); // a consumer has one a minute
  const [received] = blocked.receiver.received.filter(({ id }) => id === only?.message_id);
  expect(only?.trace).toMatchObject({
    url: blocked.receiver.url,
    request_bytes: Buffer.byteLength(received?.body ?? ''),
    timings: { lane: expect.any(Number), pace: expect.any(Number), first_byte: expect.any(Number) },
  });
  expect(only?.trace?.request_headers).toContainEqual({
    name: 'webhook-signature',
    value: received?.headers['webhook-signature'],
  });
});

test('a failure has a trace, which holds the answer of the endpoint', async () => {
  await using blocked = await openBlockedConsumer(answer(503, { 'x-why': 'busy' }));
  await blocked.attempt();
  const [failed] = await list(blocked, 'include=trace&outcome=failed');
  expect(failed?.trace?.response_headers).toContainEqual({ name: 'x-why', value: 'busy' });
  const { event_id } = failed!;
  const path = `/v1/attempts?event_id=${event_id}&include=trace`;
  const { body } = await blocked.api.api.request('GET', path);
  expect(body.data).toEqual([failed]);
});

test('a sampled success does not count as a failed attempt: sending its entry again is attempt 1', async () => {
  await using blocked = await openBlockedConsumer(accept, { events: 3 });
  await drain(blocked, 3);
  await blocked.api.setCursor(blocked.consumerId, "position = 0, ahead = '{}'");
  await drain(blocked, 6);
  expect(blocked.receiver.received.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1]);
});

test('`include` takes nothing but `trace`', async () => {
  await using blocked = await openBlockedConsumer(accept);
  const path = `/v1/consumers/${blocked.consumerId}/attempts?include=body`;
  const { status, body } = await blocked.api.api.request('GET', path);
  expect([status, body.code]).toEqual([400, 'invalid_query']);
  expect(JSON.stringify(body)).toContain('include');
});
