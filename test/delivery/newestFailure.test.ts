import { expect, test } from 'vitest';

import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { commit } from '../../src/progress/commit.ts';
import { amendFailure } from '../../src/progress/cursors.ts';
import type { Failure } from '../../src/rules/outcome.ts';
import { openConsumersApi } from '../support/consumers.ts';

const at = (minute: number): string => `2026-11-23T11:${minute}:00Z`;
const answered = (status: number, minute: number): Failure => ({
  code: status < 500 ? 'HTTP_4XX' : 'HTTP_5XX',
  status,
  detail: `HTTP ${status}`,
  at: at(minute),
});

test('a failure is stored with the time since which its code and status have repeated without a break', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  const { id, position } = await opened.create();
  const { rows } = await db.query<{ epoch: number }>({
    text: 'select epoch from cursors where consumer_id = $1',
    values: [id],
  });
  const epoch = rows[0]!.epoch;
  const times = { nextAttemptAt: null, askedUntil: null, scheduleAgainFrom: null };
  const plan = { attempt: 1, tries: 1, scheduleFrom: Date.parse(at(52)), ...times };
  const outcomes = { consumerId: id, epoch, position, ahead: [], batch: emptyBatch() };
  const store = async (failure: Failure | null, head = position + 1): Promise<unknown> => {
    const stored = failure === null ? null : { position: head, ...plan, failure };
    await commit(db, [{ ...outcomes, attempts: [], parked: null, head: stored }], 8_000);
    return newest();
  };
  const newest = async (): Promise<unknown> => (await opened.read(id)).last_failure;
  const seen = (failure: Failure, since: string): object => ({ ...failure, since, late: null });

  expect(await store(answered(503, 52))).toEqual(seen(answered(503, 52), at(52)));
  expect(await store(answered(503, 53))).toEqual(seen(answered(503, 53), at(52)));
  const again = { ...answered(503, 53), since: at(52) };
  expect(await store(again), 'stored once more by the next sender').toEqual({
    ...again,
    late: null,
  });
  expect(await store(answered(401, 54))).toEqual(seen(answered(401, 54), at(54)));
  expect(await store(answered(401, 55), position + 2)).toEqual(seen(answered(401, 55), at(54)));
  expect(await store(answered(404, 56)), 'of the same code').toEqual(
    seen(answered(404, 56), at(56)),
  );

  const timeout: Failure = { code: 'TIMEOUT', status: null, detail: 'no answer', at: at(57) };
  await store(timeout);
  await store({ ...timeout, at: at(58) });
  const failure = { ...timeout, at: at(58), detail: 'it answers later' };
  await amendFailure(db, { consumerId: id, epoch, failure });
  expect(await newest()).toEqual(seen(failure, at(57)));

  expect(await store(null), 'nothing fails any more').toBeNull();
  expect(await store({ ...timeout, at: at(59) }), 'a new time of failing').toMatchObject({
    since: at(59),
  });
});
