import { expect, test } from 'vitest';

import type { Attempt } from '../../src/console/api.ts';
import { newestOf, planOf } from '../../src/console/consumers/plan.ts';
import { sentenceOf } from '../../src/console/consumers/sentence.ts';
import type { Consumer } from '../../src/schema/consumer.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toISOString();

function attempt(n: number, planned: number | null, position = 7): Attempt {
  return {
    id: `${position}/${n}`,
    consumer_id: 'c',
    position,
    message_id: 'm',
    batch_size: 1,
    event_id: 'm',
    event: 'updated',
    sync_id: 's',
    collection_id: 'a:b',
    upstream_id: 'r',
    trace_id: null,
    producer_span_id: null,
    attempt: n,
    started_at: at(n - 60),
    duration_ms: 1,
    outcome: 'failed',
    status: 503,
    error_code: 'HTTP_5XX',
    response_head: null,
    next_attempt_at: planned === null ? null : at(planned),
  };
}

test('a planned next attempt is shown only while it is still planned: for the newest attempt, at the time that the consumer waits for', () => {
  const first = attempt(1, 40);
  const second = attempt(2, 2_400);
  const newest = newestOf([second, first, attempt(1, 30, 9)]);
  const of = (one: Attempt, status: Consumer['status'], next: number | null, parked = 0) =>
    planOf(one, { status, parked, next_attempt_at: next === null ? null : at(next) }, newest, NOW);
  expect(of(second, 'blocked', 2_400)).toBe(second.next_attempt_at);
  expect(of(first, 'blocked', 40), 'a later attempt was made').toBeNull();
  expect(of(second, 'blocked', 1), 'it is tried at once').toBeNull();
  for (const status of ['stopped', 'paused'] as const) {
    expect(of(second, status, null), status).toBeNull();
  }
  expect(of(second, 'active', null), 'what failed was delivered, or nothing waits').toBeNull();
  expect(of(second, 'active', 60, 2), 'parked, and not the first that is due').toBe(
    second.next_attempt_at,
  );
  expect(of(second, 'active', 3_000, 2), 'nothing is due as early').toBeNull();
  const past = attempt(3, -8);
  expect(
    planOf(past, { status: 'active', parked: 1, next_attempt_at: null }, newestOf([past]), NOW),
    'a time that is over is no plan',
  ).toBeNull();
});

test('a consumer that is caught up also shows its parked entries and dead letters', () => {
  const consumer = (parked: number, dead_letters: number): Consumer =>
    ({
      status: 'active',
      status_reason: null,
      cannot_start: null,
      lag: { entries: 0, seconds: 0, exact: true },
      parked,
      dead_letters,
    }) as Consumer;
  expect(sentenceOf(consumer(0, 0))).toBe('Caught up: every matching entry has been sent.');
  expect(sentenceOf(consumer(13, 2))).toBe(
    'Caught up: every matching entry has been sent, except 13 parked entries and 2 dead letters.',
  );
  expect(sentenceOf(consumer(0, 1))).toContain('except 1 dead letter.');
  expect(sentenceOf(consumer(0, 0), true)).toMatch(/^Nothing has matched yet: /u);
});
