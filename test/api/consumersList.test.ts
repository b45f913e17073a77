import { afterAll, beforeAll, expect, test } from 'vitest';

import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
const ids: Record<'a' | 'b' | 'c' | 'd' | 'e', string> = { a: '', b: '', c: '', d: '', e: '' };
let elsewhere: string;
beforeAll(async () => {
  opened = await openConsumersApi();
  const target = { name: 'elsewhere', base_url: 'https://elsewhere.example.com' };
  elsewhere = (await opened.api.request('POST', '/v1/targets', target)).body.id;
  for (const name of ['a', 'b', 'c', 'd', 'e'] as const) {
    const more = name === 'a' || name === 'b' ? { target_id: elsewhere } : {};
    ids[name] = (await opened.create({ name, ...more })).id;
  }
});
afterAll(() => opened[Symbol.asyncDispose]());

async function page(query: string): Promise<{ names: string; next: string | null }> {
  const { status, body } = await opened.api.request('GET', `/v1/consumers?${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return {
    names: body.data.map(({ name }: { name: string }) => name).join(' '),
    next: body.next_cursor,
  };
}

/** What waited for a consumer some minutes after a time. */
async function sample(
  name: keyof typeof ids,
  entries: number,
  { at, after }: { at: string; after: number },
): Promise<void> {
  await opened.api.db.query({
    text: `insert into lag_samples (consumer_id, at, entries)
           values ($1, $2::timestamptz + $3 * interval '1 min', $4)`,
    values: [ids[name], at, after, entries],
  });
}

/** Those without figures are of equal rank, the newest first. */
function newestFirst(...names: (keyof typeof ids)[]): string {
  return names.toSorted((one, other) => (ids[one] < ids[other] ? 1 : -1)).join(' ');
}

test('consumers are listed by what waits for them, and later pages go by the same minute', async () => {
  const { rows } = await opened.api.db.query<{ at: string }>(
    `select date_trunc('minute', now()) as at`,
  );
  const { at } = rows[0]!;
  await sample('a', 100, { at, after: -10 }); // long over
  await sample('b', 5, { at, after: 0 });
  await sample('d', 9, { at, after: 0 });
  const first = await page('sort=lag&limit=1');
  expect(first.names).toBe('d');
  expect((await page('sort=lag')).names).toBe(`d b ${newestFirst('a', 'c', 'e')}`);
  expect((await page(`sort=lag&target_id=${elsewhere}`)).names).toBe('b a');
  await sample('a', 50, { at, after: 1 });
  const second = await page(`sort=lag&limit=2&cursor=${first.next}`);
  const rest = newestFirst('a', 'c', 'e').split(' ');
  expect(second.names).toBe(`b ${rest[0]}`);
  const third = await page(`sort=lag&limit=2&cursor=${second.next}`);
  expect(third).toEqual({ names: rest.slice(1).join(' '), next: null });
  expect((await page('sort=lag&limit=1')).names).toBe('a');
});

test('consumers are listed by the attempts that failed in this hour and the last', async () => {
  const failed = (name: keyof typeof ids, count: number, hoursAgo: number) =>
    opened.api.db.query({
      text: `insert into attempt_hours (at, consumer_id, delivered, failed)
             values (date_bin('1 hour', now(), timestamptz 'epoch') - $3 * interval '1 hour', $1, 7, $2)`,
      values: [ids[name], count, hoursAgo],
    });
  await failed('a', 3, 0);
  await failed('a', 3, 1);
  await failed('b', 2, 0);
  await failed('c', 100, 3);
  const { names, next } = await page('sort=failed&limit=2');
  expect(names).toBe('a b');
  const rest = await page(`sort=failed&limit=3&cursor=${next}`);
  expect(rest).toEqual({ names: newestFirst('c', 'd', 'e'), next: null });
});

test('a cursor of another order is refused, and what is no order and no text', async () => {
  const { next: newest } = await page('limit=1');
  const { next: lag } = await page('sort=lag&limit=1');
  expect(await page(`sort=newest&limit=10&cursor=${newest}`)).toMatchObject({ next: null });
  for (const query of [
    `sort=lag&cursor=${newest}`,
    `sort=failed&cursor=${lag}`,
    `cursor=${lag}`,
    'sort=lag&cursor=nonsense',
  ]) {
    const { status, body } = await opened.api.request('GET', `/v1/consumers?${query}`);
    expect({ query, status }).toEqual({ query, status: 400 });
    expect(body.errors).toEqual([{ pointer: '/cursor', detail: 'is not a cursor of this list' }]);
  }
  for (const query of ['sort=name', 'include=all', 'q=', 'q=%00']) {
    const { status } = await opened.api.request('GET', `/v1/consumers?${query}`);
    expect({ query, status }).toEqual({ query, status: 400 });
  }
});

test('the total is that of all pages, of those that match, and is answered when it is asked for', async () => {
  const total = async (query: string): Promise<unknown> =>
    (await opened.api.request('GET', `/v1/consumers?limit=1&${query}`)).body.total;
  expect(await total('include=total')).toBe(5);
  expect(await total('include=total&sort=lag')).toBe(5);
  expect(await total(`include=total&target_id=${elsewhere}`)).toBe(2);
  expect(await total('include=total&status=paused')).toBe(0);
  expect(await total('sort=lag')).toBeUndefined();
});

test('each consumer has the name of its target, as it is now', async () => {
  expect(await opened.read(ids.a)).toMatchObject({ target_name: 'elsewhere' });
  await opened.api.request('PATCH', `/v1/targets/${elsewhere}`, { name: 'renamed' });
  const { body } = await opened.api.request('GET', `/v1/consumers?target_id=${elsewhere}`);
  expect(body.data).toMatchObject([{ target_name: 'renamed' }, { target_name: 'renamed' }]);
});
