import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import type { SearchHit } from '../../src/schema/search.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { addSource } from '../support/sourceRow.ts';

let opened: ConsumersApi;
let crm: string;
let prices: string;
let warehouse: string;
beforeAll(async () => {
  opened = await openConsumersApi();
  const target = await opened.api.request('POST', '/v1/targets', {
    name: 'Warehouse Accra',
    base_url: 'https://accra.example.com/hooks',
  });
  warehouse = target.body.id;
  crm = (await opened.create({ name: 'CRM of ACME', target_id: warehouse })).id as string;
  prices = (await opened.create({ name: 'Prices to the CRM' })).id as string;
  await opened.create({ name: '50% off' });
  await opened.api.request('POST', '/v1/records', {
    records: [
      { sync_id: 'shop-1', collection_id: 'stripe:customer', upstream_id: 'cus_1', data: { n: 1 } },
      { sync_id: 'shop-2', collection_id: 'stripe:customer', upstream_id: 'cus_1', data: { n: 1 } },
      { sync_id: 'shop-2', collection_id: 'stripe:charge', upstream_id: 'cus_10', data: {} },
    ],
  });
  await opened.api.request('PUT', '/v1/syncs/shop-1', { name: 'Online shop' });
});
afterAll(() => opened[Symbol.asyncDispose]());

async function find(q: string, more = ''): Promise<SearchHit[]> {
  const answer = await opened.api.request('GET', `/v1/search?q=${encodeURIComponent(q)}${more}`);
  expect(answer.status, opened.api.logged.join('\n')).toBe(200);
  return answer.body.data;
}

/** What was found, a word for each. */
async function named(q: string): Promise<string[]> {
  return (await find(q)).map((hit) => {
    if (hit.kind === 'batch') return `batch ${hit.message_id}`;
    if ('upstream_id' in hit) return `${hit.kind} ${hit.upstream_id}`;
    return `${hit.kind} ${hit.kind === 'sync' ? (hit.name ?? hit.sync_id) : hit.name}`;
  });
}

test('consumers and targets are found by the beginning of their name, then of a word in it, in any case', async () => {
  expect(await named('crm')).toEqual(['consumer CRM of ACME', 'consumer Prices to the CRM']);
  expect(await named('PRICES to')).toEqual(['consumer Prices to the CRM']);
  expect(await named('crm acm')).toEqual(['consumer CRM of ACME']);
  expect(await named('accra')).toEqual(['target Warehouse Accra']);
  expect(await named('ware')).toEqual(['target Warehouse Accra']);
  expect(await named('50%')).toEqual(['consumer 50% off']);
  expect(await named('%')).toEqual([]);
  expect(await find('crm of')).toEqual([
    {
      kind: 'consumer',
      id: crm,
      name: 'CRM of ACME',
      status: 'active',
      target_id: warehouse,
      target_name: 'Warehouse Accra',
    },
  ]);
  expect(await find('warehouse')).toEqual([
    {
      kind: 'target',
      id: warehouse,
      name: 'Warehouse Accra',
      base_url: 'https://accra.example.com/hooks',
    },
  ]);
});

test('consumers in trouble come before others', async () => {
  const stop = `update consumers set status = $2 where id = $1`;
  await opened.api.db.query({ text: stop, values: [prices, 'stopped'] });
  expect(await named('crm')).toEqual(['consumer Prices to the CRM', 'consumer CRM of ACME']);
  await opened.api.db.query({ text: stop, values: [prices, 'active'] });
  expect(await named('crm')).toEqual(['consumer CRM of ACME', 'consumer Prices to the CRM']);
});

test('an id, or the beginning of one, finds the thing that has it', async () => {
  expect(await named(crm)).toEqual(['consumer CRM of ACME']);
  expect(await named(crm.toUpperCase().slice(0, 35))).toContain('consumer CRM of ACME');
  expect(await named(warehouse)).toEqual(['target Warehouse Accra']);
  const all = await named(prices.slice(0, 6));
  expect(all).toContain('consumer Prices to the CRM');
  expect(all).toContain('consumer CRM of ACME');
});

test('a consumer of which only its sender knows that it fails is shown as failing, and a deleted one is not found', async () => {
  const { id } = await opened.create({ name: 'short-lived' });
  await opened.setCursor(id, 'head = 1');
  expect(await find('short-lived')).toMatchObject([{ id, status: 'blocked' }]);
  await opened.api.db.query({
    text: 'update consumers set deleted_at = now() where id = $1',
    values: [id],
  });
  expect(await find('short-lived')).toEqual([]);
});

test('syncs are found by the beginning of their id or name', async () => {
  expect(await named('ONLINE')).toEqual(['sync Online shop']);
  expect(await named('shop-')).toEqual(['sync Online shop', 'sync shop-2']);
});

test('sources are found by the beginning of their id, their name or a word in it, those that have failed first', async () => {
  const { db } = opened.api;
  const shop = await addSource(db, 'Database of the shop', { sync_id: "'shop-db'" });
  await addSource(db, 'Tills, a database', { status: "'failed'" });
  expect(await named('DATAB')).toEqual(['source Tills, a database', 'source Database of the shop']);
  expect(await named(shop)).toEqual(['source Database of the shop']);
  expect(await find('of the shop')).toEqual([
    {
      kind: 'source',
      id: shop,
      name: 'Database of the shop',
      status: 'active',
      sync_id: 'shop-db',
    },
  ]);
});

test('a record is found by its upstream id in every collection, with its events, the newest first', async () => {
  await opened.api.request('POST', '/v1/records', {
    records: [
      { sync_id: 'shop-1', collection_id: 'stripe:customer', upstream_id: 'cus_1', data: { n: 2 } },
    ],
  });
  const found = await find('cus_1');
  expect(found.map(({ kind }) => kind)).toEqual(['record', 'record', 'event', 'event', 'event']);
  expect(found[0]).toMatchObject({ sync_id: 'shop-1', deleted: false, position: 4 });
  expect(found[1]).toMatchObject({ sync_id: 'shop-2', position: 2 });
  expect(found[2]).toMatchObject({ event: 'updated', sync_id: 'shop-1', upstream_id: 'cus_1' });
  const [record] = found as [Extract<SearchHit, { kind: 'record' }>];
  const read = await opened.api.request('GET', `/v1/records?after_cursor=${record.cursor}&limit=1`);
  expect(read.body.records[0]).toMatchObject({ version_id: record.version_id, data: { n: 2 } });
});

test('a record of a collection that was never seen before is found immediately', async () => {
  const record = { sync_id: 'new', collection_id: 'new:thing', upstream_id: 'thing-1', data: {} };
  await opened.api.request('POST', '/v1/records', { records: [record] });
  expect((await find('thing-1'))[0]).toMatchObject({ kind: 'record', collection_id: 'new:thing' });
});

test('a webhook-id finds the event of that id, and on the records stream the version of that id', async () => {
  const event = await opened.api.request('POST', '/v1/events', {
    events: [
      {
        event_id: 'evt_own_1',
        event: 'created',
        sync_id: 'shop-1',
        collection_id: 'a:b',
        upstream_id: 'x',
        data: {},
      },
    ],
  });
  expect(event.status).toBe(200);
  expect(await find('evt_own_1')).toMatchObject([
    { kind: 'event', event_id: 'evt_own_1', position: event.body.position },
  ]);
  for (const line of ['webhook-id: evt_own_1', ' Webhook-Id:evt_own_1 ']) {
    expect(await find(line)).toMatchObject([{ kind: 'event', event_id: 'evt_own_1' }]);
  }
  const { body } = await opened.api.request('GET', '/v1/records?limit=1000');
  const { version_id: version } = body.records.at(-1);
  expect(await find(version)).toMatchObject([{ kind: 'record', version_id: version }]);
  const replaced = body.records.find(
    ({ upstream_id, sync_id }: Record<string, string>) =>
      upstream_id === 'cus_1' && sync_id === 'shop-2',
  );
  await opened.api.request('POST', '/v1/records', { records: [changed(replaced)] });
  expect(await find(replaced.version_id)).toEqual([]);
});

function changed({ sync_id, collection_id, upstream_id }: Record<string, string>): object {
  return { sync_id, collection_id, upstream_id, data: { changed: true } };
}

test('a trace finds the entries of both streams that were appended in it, by its id or a traceparent, the newest first', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const append = (upstream_id: string, span: string) =>
    opened.api.request('POST', '/v1/records', {
      records: [
        {
          sync_id: 'shop-3',
          collection_id: 'a:b',
          upstream_id,
          data: {},
          traceparent: `00-${trace}-${span}-01`,
        },
      ],
    });
  await append('traced-1', '00f067aa0ba902b7');
  await append('traced-2', '00f067aa0ba902b8');
  const expected = ['record traced-2', 'record traced-1', 'event traced-2', 'event traced-1'];
  for (const q of [
    trace,
    trace.toUpperCase(),
    `00-${trace}-1111111111111111-00`,
    `traceparent: 00-${trace}-1111111111111111-01`,
  ]) {
    expect(await named(q), q).toEqual(expected);
  }
  expect(await find(trace, '&limit=1')).toMatchObject([
    { kind: 'record', upstream_id: 'traced-2' },
    { kind: 'event', upstream_id: 'traced-2' },
  ]);
});

test('a trace in which nothing was appended lately has an answer that says where it was looked for', async () => {
  const other = 'f'.repeat(32);
  for (const q of [other, `00-${other}-00f067aa0ba902b7-01`]) {
    const { body } = await opened.api.request('GET', `/v1/search?q=${q}`);
    expect(body).toEqual({
      data: [],
      note: expect.stringMatching(/^No entry .* newest 10,000 of its stream .* trace ffff/u),
    });
  }
  const none = await opened.api.request('GET', `/v1/search?q=${'0'.repeat(32)}`);
  expect(none.body).toEqual({ data: [] });
});

test('at most as many things of each kind are listed as were asked for', async () => {
  for (let n = 0; n < 7; n += 1) await opened.create({ name: `many ${n}` });
  expect(await find('many')).toHaveLength(5);
  expect((await find('many', '&limit=2')).map((hit) => 'name' in hit && hit.name)).toEqual([
    'many 0',
    'many 1',
  ]);
});

test('a search without matches has an empty answer, and an empty search text is refused', async () => {
  expect(await find('nobody has this')).toEqual([]);
  expect(await find(newId())).toEqual([]);
  expect(await find('長'.repeat(600))).toEqual([]);
  expect(await named('  crm of ')).toEqual(['consumer CRM of ACME']);
  for (const query of ['', '?q=', '?q=%20', '?q=a%00b', '?q=a&limit=21', '?q=a&kind=event']) {
    const answer = await opened.api.request('GET', `/v1/search${query}`);
    expect(answer.status, query).toBe(400);
  }
});

test.each([
  `o'neil`,
  String.raw`back\slash`,
  '"quoted"',
  ':*',
  '!& |',
  '<->',
  '(',
  '日本'.repeat(20),
])('characters with a meaning in queries are searched for as plain text: %s', async (text) => {
  const name = `Signs ${text} x`;
  const { id } = await opened.create({ name });
  expect((await find(name))[0]).toMatchObject({ id });
  await find(text); // answers 200
});
