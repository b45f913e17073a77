import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import type { ParkedEntry } from '../../src/schema/deadLetter.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());

const FAILURE = {
  code: 'HTTP_4XX',
  status: 422,
  detail: 'HTTP 422',
  at: '2026-11-23T10:00:00.000Z',
  response_head: 'no such state',
};

/** Three entries of two records, as a sender parks them: at 1 due in a minute, at 2 due now, at 3 behind 1. */
async function park(id: string): Promise<void> {
  await opened.api.db.query({
    text: `
      insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
                          body, attempts, parked_at, parked_ms, failing_ms, due_ms, last_failure)
      select k.id, n, 'm' || n, 's', 'a:b', 'r' || n % 2, 'updated', '{"secret":1}', 3,
             '2026-11-23T10:00:00Z', 0, 0,
             case n when 1 then k.active_ms + 60000 when 2 then -1 end,
             case when n < 3 then $2::jsonb end
        from consumers k, generate_series(1, 3) n where k.id = $1`,
    values: [id, JSON.stringify(FAILURE)],
  });
}

async function list(id: string, query = ''): Promise<{ data: ParkedEntry[]; next_cursor: string }> {
  const { status, body } = await opened.api.request('GET', `/v1/consumers/${id}/parked?${query}`);
  expect({ query, status }).toEqual({ query, status: 200 });
  return body;
}

test('parked entries are listed by position, with record, next attempt and last failure, and without their bodies', async () => {
  const { id, created_at } = await opened.create();
  await park(id);
  const { data, next_cursor } = await list(id);
  const due = new Date(Date.parse(created_at) + 60_000).toISOString();
  const entry = {
    consumer_id: id,
    sync_id: 's',
    collection_id: 'a:b',
    event: 'updated',
    attempts: 3,
    parked_at: '2026-11-23T10:00:00Z',
    follows: false,
    last_failure: FAILURE,
  };
  expect(data.map((one) => ({ ...one, next_attempt_at: msOf(one.next_attempt_at) }))).toEqual([
    {
      ...entry,
      position: 3,
      message_id: 'm3',
      upstream_id: 'r1',
      next_attempt_at: null,
      follows: true,
      last_failure: null,
    },
    {
      ...entry,
      position: 2,
      message_id: 'm2',
      upstream_id: 'r0',
      next_attempt_at: msOf(created_at),
    },
    { ...entry, position: 1, message_id: 'm1', upstream_id: 'r1', next_attempt_at: msOf(due) },
  ]);
  expect(next_cursor).toBeNull();
  const walked: number[] = [];
  for (let cursor = ''; ;) {
    const page = await list(id, `limit=1${cursor}`);
    walked.push(...page.data.map(({ position }) => position));
    if (page.next_cursor === null) break;
    cursor = `&cursor=${page.next_cursor}`;
  }
  expect(walked).toEqual([3, 2, 1]);
});

test('while a consumer is paused none of its parked entries has a next attempt', async () => {
  const { id } = await opened.create();
  await park(id);
  await opened.api.db.query({
    text: `update consumers set status = 'paused' where id = $1`,
    values: [id],
  });
  expect((await list(id)).data.map((one) => one.next_attempt_at)).toEqual([null, null, null]);
});

test('the list of an unknown consumer is a 404, and a cursor that is not of this list is refused', async () => {
  const { id } = await opened.create();
  const status = async (path: string): Promise<number> =>
    (await opened.api.request('GET', path)).status;
  expect(await status(`/v1/consumers/${newId()}/parked`)).toBe(404);
  for (const cursor of ['x', Buffer.from('-1').toString('base64url')]) {
    expect(await status(`/v1/consumers/${id}/parked?cursor=${cursor}`)).toBe(400);
  }
  expect(await status(`/v1/consumers/${id}/parked?upstream_id=r`)).toBe(400);
  expect((await list(id)).data).toEqual([]);
});

function msOf(time: string | null): number | null {
  return time === null ? null : Date.parse(time);
}
