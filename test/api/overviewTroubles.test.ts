import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Troubles } from '../../src/schema/overview.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function troubles(): Promise<Troubles> {
  const answer = await opened.api.request('GET', '/v1/troubles');
  expect({ status: answer.status, logged: opened.api.logged }).toEqual({ status: 200, logged: [] });
  return answer.body;
}

test('troubles are grouped by target and cause, with when the first consumer gives up', async () => {
  const made = await opened.api.request('POST', '/v1/targets', {
    name: 'Warehouse Accra',
    base_url: 'https://accra.example.com',
  });
  const target = made.body.id as string;
  const ids: string[] = [];
  for (let n = 0; n < 6; n += 1) {
    ids.push((await opened.create({ name: `accra ${n}`, target_id: target })).id as string);
  }
  const fails = (id: string, status: number, since: string): Promise<void> =>
    opened.setCursor(
      id,
      `head = 1, attempt = 2, schedule_from = '${since}', next_attempt_at = '2026-11-23T12:40:00Z',
       last_failure = '{"code":"HTTP_5XX","status":${status},"detail":"HTTP ${status}","at":"${since}","since":"${since}"}'`,
    );
  for (const [n, id] of ids.slice(0, 4).entries()) {
    await fails(id, 503, `2026-11-23T12:0${3 + n}:00Z`);
    // The last one's workflow has not been told yet.
    if (n < 3) await sql(`update consumers set status = 'blocked' where id = $1`, [id]);
  }
  await fails(ids[4]!, 500, '2026-11-23T12:10:00Z');
  await sql(
    `update consumers set status = 'stopped', status_reason = 'the endpoint answered 410 Gone', failing_since = $2
      where id = $1`,
    [ids[5], '2026-11-23T11:00:00Z'],
  );
  await sql(
    `insert into lag_samples (consumer_id, at, entries, exact)
     values ($1, date_trunc('minute', now()), 10, true), ($2, date_trunc('minute', now()), 2, false)`,
    [ids[0], ids[1]],
  );
  const group = { target_id: target, target_name: 'Warehouse Accra', of: 6 };
  expect(await troubles()).toEqual({
    total: 3,
    data: [
      {
        ...group,
        status: 'stopped',
        code: null,
        http_status: null,
        reason: 'the endpoint answered 410 Gone',
        consumers: 1,
        consumer_id: ids[5],
        consumer_name: 'accra 5',
        named: [{ consumer_id: ids[5], name: 'accra 5' }],
        since: '2026-11-23T11:00:00Z',
        next_attempt_at: null,
        waiting: { entries: 0, exact: true },
        gives_up_at: null,
      },
      {
        ...group,
        status: 'blocked',
        code: 'HTTP_5XX',
        http_status: 503,
        reason: null,
        consumers: 4,
        consumer_id: null,
        consumer_name: null,
        named: [],
        since: '2026-11-23T12:03:00Z',
        next_attempt_at: '2026-11-23T12:40:00Z',
        waiting: { entries: 12, exact: false },
        gives_up_at: '2026-11-24T12:03:00Z',
      },
      expect.objectContaining({ ...group, http_status: 500, consumers: 1, consumer_id: ids[4] }),
    ],
  });
  await sql(
    `insert into start_faults (consumer_id, code, detail, since, next_try_at, is_crash)
     values ($1, 'credentials_unreadable', 'The credentials cannot be read', now(), now(), false)`,
    [ids[4]],
  );
  const { data } = await troubles();
  expect(data.map(({ status }) => status)).toEqual(['stopped', 'cannot_start', 'blocked']);
  expect(data[1]).toMatchObject({
    code: 'credentials_unreadable',
    reason: 'The credentials cannot be read',
    http_status: null,
    consumer_id: ids[4],
  });
  await fails(ids[3]!, 500, '2026-11-23T12:10:00Z');
  expect((await troubles()).data[2]).toMatchObject({
    consumers: 3,
    named: [0, 1, 2].map((n) => ({ consumer_id: ids[n], name: `accra ${n}` })),
  });
  const those = async (query: string): Promise<string[]> => {
    const { status, body } = await opened.api.request('GET', `/v1/consumers?${query}`);
    expect(status).toBe(200);
    return body.data.map(({ id }: { id: string }) => id);
  };
  expect(await those('has=cannot_start')).toEqual([ids[4]]);
  expect(await those(`has=cannot_start&target_id=${target}&status=blocked`)).toEqual([ids[4]]);
  expect(await those('has=cannot_start&status=stopped')).toEqual([]);
  // Nobody waits for a consumer that is paused.
  await sql(`update consumers set status = 'paused' where id = $1`, [ids[4]]);
  expect(await those('has=cannot_start')).toEqual([]);
});
