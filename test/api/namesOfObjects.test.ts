// names that every JavaScript object has are names like any others
import { afterAll, beforeAll, expect, test } from 'vitest';

import { KEY, openOwnApp, type OwnApp } from '../support/app.ts';
import { openReceiver } from '../support/receiver.ts';

const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'valueOf'];

let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

test('a header named __proto__ is refused when a target is saved, changed or tested', async () => {
  const headers = '"headers":{"x-a":"1","__proto__":"v"}';
  const target = `{"name":"t","base_url":"https://example.com",${headers}}`;
  const made = await api.request('POST', '/v1/targets', {
    name: 't',
    base_url: 'https://example.com',
  });
  for (const [method, path, body] of [
    ['POST', '/v1/targets', target],
    ['POST', '/v1/targets/test', target],
    ['PATCH', `/v1/targets/${made.body.id}`, `{${headers}}`],
  ] as const) {
    const answer = await api.request(method, path, body);
    expect([path, answer.status, answer.body.errors]).toEqual([
      path,
      422,
      [{ pointer: '/headers/__proto__', detail: 'must not be the name of a header' }],
    ]);
  }
});

test('headers with names of other object properties are sent', async () => {
  await using receiver = await openReceiver();
  const names = NAMES.filter((name) => name !== '__proto__');
  const headers = Object.fromEntries(names.map((name) => [name, `the ${name}`]));
  const target = { name: 't', base_url: receiver.url, headers };
  const { body: made } = await api.request('POST', '/v1/targets', target);
  expect(made.headers).toEqual(headers);
  const tested = await api.request('POST', `/v1/targets/${made.id}/test`);
  expect(tested.body.outcome).toBe('delivered');
  for (const name of names) {
    expect(Object.entries(receiver.received[0]!.headers)).toContainEqual([
      name.toLowerCase(),
      `the ${name}`,
    ]);
  }
});

test('metadata keeps names of object properties as they were sent, at any depth', async () => {
  const inner = NAMES.map((name) => `"${name}":{"x":1}`).join(',');
  const metadata = `{${inner},"deeper":{${inner}}}`;
  const target = `{"name":"t","base_url":"https://example.com","metadata":${metadata}}`;
  const { status, body } = await api.request('POST', '/v1/targets', target);
  expect(status).toBe(201);
  expect(JSON.stringify(body.metadata)).toBe(metadata);
  const consumer = `{"name":"c","target_id":"${body.id}","stream":"events","metadata":${metadata}}`;
  const made = await api.request('POST', '/v1/consumers', consumer);
  expect(JSON.stringify(made.body.metadata)).toBe(metadata);
  const sync = await api.request('PUT', '/v1/syncs/s', `{"metadata":${metadata}}`);
  // It is kept in an order of its own.
  const { deeper, ...rest } = sync.body.metadata;
  for (const one of [deeper, rest]) expect(Object.keys(one).sort()).toEqual(NAMES.toSorted());
  for (const wrong of ['[]', 'null', '"x"', '1']) {
    const refused = await api.request('PUT', '/v1/syncs/s', `{"metadata":${wrong}}`);
    expect([wrong, refused.status]).toEqual([wrong, 422]);
  }
});

test('entries keep names of object properties byte for byte, in their data and as ids', async () => {
  const inner = NAMES.map((name) => `"${name}":{"${name}":1}`).join(',');
  const data = `{${inner}}`;
  const records = NAMES.map(
    (name) =>
      `{"sync_id":"${name}","collection_id":"${name}:${name}","upstream_id":"${name}","data":${data}}`,
  );
  const body = `{"records":[${records.join(',')}]}`;
  const put = await api.request('POST', '/v1/records', body);
  expect([put.status, put.body.created]).toEqual([200, NAMES.length]);
  expect((await api.request('POST', '/v1/records', body)).body.unchanged).toBe(NAMES.length);
  for (const name of NAMES) {
    const response = await api.app.request(`/v1/events?sync_id=${name}`, {
      headers: { authorization: `Bearer ${KEY}` },
    });
    const text = await response.text();
    expect(text).toContain(`"upstream_id":"${name}"`);
    expect(text).toContain(`"data":${data}`);
  }
  const { body: syncs } = await api.request('GET', '/v1/syncs');
  const names = syncs.data.map(({ sync_id }: { sync_id: string }) => sync_id);
  expect(names).toEqual(expect.arrayContaining(NAMES));
});
