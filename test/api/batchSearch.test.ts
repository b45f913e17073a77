// a batch and its attempts, found by the webhook-id that its endpoint has logged
import { afterAll, beforeAll, expect, test } from 'vitest';

import { batchId } from '../../src/delivery/batchMessage.ts';
import type { Attempt } from '../../src/schema/attempt.ts';
import type { SearchResult } from '../../src/schema/search.ts';
import {
  createBatchSender,
  DELIVERED,
  REFUSED,
  TRACED,
  type BatchSender,
} from '../support/batchSender.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());

const sender = (name: string): Promise<BatchSender> => createBatchSender(opened, name);

async function find(text: string): Promise<SearchResult> {
  const answer = await opened.api.request('GET', `/v1/search?q=${encodeURIComponent(text)}`);
  expect(answer.status, opened.api.logged.join('\n')).toBe(200);
  return answer.body;
}

/** All attempts of a list, read in pages of this size. */
async function walk(path: string, limit = 100): Promise<Attempt[]> {
  const found: Attempt[] = [];
  let cursor = '';
  do {
    const { status, body } = await opened.api.request('GET', `${path}&limit=${limit}${cursor}`);
    expect(status).toBe(200);
    found.push(...body.data);
    cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
  } while (cursor !== '');
  return found;
}

const ascending = (a: number, b: number): number => a - b;

/** The attempts by their entries, a word for each. */
const shown = (made: Attempt[]): string[] =>
  made
    .map(({ position, attempt, outcome }) => `${position} attempt ${attempt} ${outcome}`)
    .toSorted((a, b) => (a < b ? -1 : 1));

test('the webhook-id of a batch that was delivered finds its consumer and all of its attempts, whether a trace was kept or not', async () => {
  const at = Math.floor(Date.now() / 1_000) * 1_000 - 5_000 + 120; // of which Postgres says .12
  const one = await sender('Orders');
  const plain = await one.sent([11, 14, 15], at, [DELIVERED, DELIVERED, DELIVERED]);
  const traced = await one.sent([21, 22, 23], at + 50, [TRACED, DELIVERED, DELIVERED]);
  await one.sent([16, 24], at + 90, [DELIVERED, DELIVERED]);
  expect(plain).toMatch(/^batch_11_[\da-f]{24}$/u);
  expect(await find(` webhook-id: ${plain} `)).toEqual({
    data: [
      {
        kind: 'batch',
        message_id: plain,
        consumer_id: one.id,
        consumer_name: 'Orders',
        batch_size: 3,
        position: 11,
        started_at: new Date(at).toISOString(),
        outcome: 'delivered',
        status: 204,
        error_code: null,
      },
    ],
  });
  expect((await find(traced)).data).toMatchObject([{ message_id: traced, position: 21 }]);
  for (const [id, positions] of [
    [plain, [11, 14, 15]],
    [traced, [21, 22, 23]],
  ] as const) {
    const path = `/v1/consumers/${one.id}/attempts?batch_id=${id}`;
    const whole = await walk(path);
    expect(whole.map(({ position }) => position).toSorted(ascending)).toEqual(positions);
    expect(whole.every((made) => made.message_id === id && made.batch_size === 3)).toBe(true);
    expect(await walk(path, 1)).toEqual(whole);
  }
});

test('a batch that was refused and taken later is shown as it was sent last, with every attempt, newest first', async () => {
  const at = Date.now() - 5_000;
  const [one, other] = [await sender('Refused'), await sender('Other')];
  const failing = [REFUSED, REFUSED];
  const id = await one.sent([31, 32], at, failing);
  await other.sent([31, 32], at, failing);
  expect((await find(id)).data).toMatchObject([
    { consumer_id: one.id, outcome: 'failed', status: 500, error_code: 'HTTP_5XX' },
  ]);
  await one.sent([31, 32], at + 1_000, [REFUSED]); // while its endpoint fails: a row of its first entry alone
  expect(await one.sent([31, 32], at + 2_000, [DELIVERED, DELIVERED])).toBe(id);
  expect((await find(id)).data).toMatchObject([{ consumer_id: one.id, outcome: 'delivered' }]);
  const { body: consumer } = await opened.api.request('GET', `/v1/consumers/${one.id}`);
  const paths = [`/v1/consumers/${one.id}`, `/v1/targets/${consumer.target_id}`];
  for (const path of paths.map((of) => `${of}/attempts?batch_id=${id}`)) {
    const made = await walk(path, 2);
    expect(new Set(made.map(({ consumer_id }) => consumer_id))).toEqual(new Set([one.id]));
    expect(shown(made.slice(0, 2))).toEqual(['31 attempt 3 delivered', '32 attempt 2 delivered']);
    expect(shown(made.slice(2, 3))).toEqual(['31 attempt 2 failed']);
    expect(shown(made.slice(3))).toEqual(['31 attempt 1 failed', '32 attempt 1 failed']);
    expect(shown(await walk(`${path}&outcome=failed`))).toHaveLength(3);
  }
});

test('of a batch of which nothing is stored the search says so, and why, and of one whose consumer is gone that it is', async () => {
  const at = Date.now() - 5_000;
  const one = await sender('Short-lived');
  const id = await one.sent([41, 42], at, [DELIVERED, DELIVERED]);
  const other = batchId(one.id, [
    { position: 41, messageId: 'm41' },
    { position: 43, messageId: 'm43' },
  ]);
  const { data, note } = await find(other);
  expect(data).toEqual([]);
  expect(note).toMatch(
    /^Of this batch, whose first entry is at position 41, no attempt is stored\./u,
  );
  expect(await walk(`/v1/consumers/${one.id}/attempts?batch_id=${other}`)).toEqual([]);
  expect(await walk(`/v1/consumers/${one.id}/attempts?batch_id=m41`)).toEqual([]);
  expect(await find('batch_41')).toEqual({ data: [] });

  const gone = 'update consumers set deleted_at = now() where id = $1';
  await opened.api.db.query({ text: gone, values: [one.id] });
  const found = await find(id);
  expect(found.data).toEqual([]);
  expect(found.note).toMatch(
    /^The consumer “Short-lived” sent it last at .+, and has been deleted/u,
  );
});

test('attempts of a batch and of an event are not asked for at once', async () => {
  const one = await sender('Both');
  const path = `/v1/consumers/${one.id}/attempts?batch_id=a&event_id=b`;
  const { status, body } = await opened.api.request('GET', path);
  expect([status, body.errors[0].pointer]).toEqual([400, '/batch_id']);
});
