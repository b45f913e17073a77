import { afterAll, beforeAll, expect, test } from 'vitest';

import { openOwnApp, type Answer, type OwnApp } from '../support/app.ts';

let api: OwnApp;

beforeAll(async () => {
  api = await openOwnApp();
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const unknown = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';
const of = (syncId: string) => ({ sync_id: syncId, collection_id: 'shop:customer' });

function append(syncId: string, names: string[], more: object = {}): Promise<Answer> {
  const records = names.map((name) => ({
    ...of(syncId),
    upstream_id: name,
    data: { name },
    ...more,
  }));
  return api.request('POST', '/v1/records', { records });
}

async function begin(syncId: string, headers?: Record<string, string>): Promise<Answer> {
  return api.request('POST', '/v1/passes', of(syncId), headers);
}

async function liveOf(syncId: string): Promise<string[]> {
  const { body } = await api.request('GET', `/v1/records?sync_id=${syncId}`);
  const records = body.records as { upstream_id: string; deleted: boolean }[];
  return records.filter(({ deleted }) => !deleted).map((record) => record.upstream_id);
}

test('a pass goes from its start to its completion', async () => {
  await append('whole', ['a', 'b', 'c', 'd', 'e', 'f']);
  const begun = await begin('whole');
  const { id } = begun.body as { id: string };
  expect([begun.status, begun.headers.get('location')]).toEqual([201, `/v1/passes/${id}`]);
  expect(begun.body).toEqual({
    id,
    ...of('whole'),
    status: 'running',
    deleted: 0,
    seen: null,
    created_at: expect.stringMatching(/Z$/u),
    ended_at: null,
  });
  const line = { ...of('whole'), upstream_id: 'a', data: { name: 'a' }, pass_id: id };
  const lines = ['a', 'b', 'c', 'd'].map((name) =>
    JSON.stringify({ ...line, upstream_id: name, data: { name } }),
  );
  const ndjson = { 'content-type': 'application/x-ndjson' };
  const came = await api.request('POST', '/v1/records', lines.join('\n'), ndjson);
  expect(came.body).toMatchObject({ accepted: 4, unchanged: 4 });
  const asked = await api.request('POST', `/v1/passes/${id}/complete`);
  expect([asked.status, asked.body]).toMatchObject([
    409,
    { code: 'too_many_deletes', count: 2, records: 6 },
  ]);
  await append('whole', ['e'], { pass_id: id });
  const completed = await api.request('POST', `/v1/passes/${id}/complete`);
  expect([completed.status, completed.body]).toEqual([200, { deleted: 1, seen: 5 }]);
  const again = await api.request('POST', `/v1/passes/${id}/complete`, { confirm: true });
  expect(again.body).toEqual({ deleted: 1, seen: 5 });
  const got = await api.request('GET', `/v1/passes/${id}`);
  expect(got.body).toMatchObject({ id, status: 'completed', deleted: 1, seen: 5 });
  expect(await liveOf('whole')).not.toContain('f');
});

test('confirm lets a pass delete more than a fifth', async () => {
  await append('confirmed', ['a', 'b']);
  const { id } = (await begin('confirmed')).body as { id: string };
  const { body } = await api.request('POST', `/v1/passes/${id}/complete`, { confirm: true });
  expect(body).toEqual({ deleted: 2, seen: 0 });
  const { body: page } = await api.request('GET', '/v1/events?sync_id=confirmed&event=deleted');
  expect(page.events).toHaveLength(2);
});

test('a superseded pass is refused with its reason, and its records still append', async () => {
  await append('twice', ['a']);
  const first = (await begin('twice')).body.id as string;
  await begin('twice');
  const refused = await api.request('POST', `/v1/passes/${first}/complete`, { confirm: true });
  expect([refused.status, refused.body.code]).toEqual([409, 'pass_superseded']);
  expect((await append('twice', ['b'], { pass_id: first })).body).toMatchObject({ created: 1 });
  expect(await liveOf('twice')).toEqual(['a', 'b']);
});

test('a record of a pass that is not known, or is one of another collection, is refused at its field', async () => {
  const { id } = (await begin('mine')).body as { id: string };
  const cases = [
    [unknown, 'is not the id of a pass'],
    [id, 'is a pass of the collection shop:customer of the sync mine'],
    ['x', 'must be a UUID'],
  ];
  for (const [passId, detail] of cases) {
    const good = { ...of('other'), upstream_id: 'a', data: 1 };
    const records = [good, { ...good, upstream_id: 'b', pass_id: passId }];
    const { status, body } = await api.request('POST', '/v1/records', { records });
    expect([status, body]).toMatchObject([
      422,
      { code: 'invalid_request', errors: [{ pointer: '/records/1/pass_id', detail }] },
    ]);
  }
  expect(await liveOf('other')).toEqual([]);
  const named = await append('mine', ['a'], { pass_id: id.toUpperCase() });
  expect(named.status).toBe(200);
});

test.each([
  ['POST', '/v1/passes', { sync_id: 's' }, 422, 'invalid_request'],
  ['POST', '/v1/passes', { ...of('s'), more: 1 }, 422, 'invalid_request'],
  ['POST', '/v1/passes', { sync_id: 's', collection_id: 'no' }, 422, 'invalid_request'],
  ['POST', '/v1/passes', undefined, 415, 'unsupported_media_type'],
  ['GET', `/v1/passes/${unknown}`, undefined, 404, 'not_found'],
  ['GET', '/v1/passes/1', undefined, 404, 'not_found'],
  ['POST', `/v1/passes/${unknown}/complete`, undefined, 404, 'not_found'],
  ['POST', `/v1/passes/${unknown}/complete`, { confirm: 'yes' }, 422, 'invalid_request'],
  ['POST', `/v1/passes/${unknown}/complete`, { confirmed: true }, 422, 'invalid_request'],
  ['DELETE', `/v1/passes/${unknown}`, undefined, 405, 'method_not_allowed'],
])('%s %s with %j is refused with %i', async (method, path, body, status, code) => {
  const answer = await api.request(method, path, body);
  expect([answer.status, answer.body.code]).toEqual([status, code]);
});

test('a start that is repeated with its Idempotency-Key returns its pass and ends none', async () => {
  const headers = { 'idempotency-key': 'pass-1' };
  const first = await begin('repeated', headers);
  const second = await begin('repeated', headers);
  expect(second.body).toEqual(first.body);
  expect((await begin('repeated')).body.id).not.toBe(first.body.id);
});

test('a key that may only append begins and completes passes, and one that may only read sees them', async () => {
  const asKey = async (scope: string): Promise<Record<string, string>> => {
    const made = await api.request('POST', '/v1/api-keys', { name: scope, scopes: [scope] });
    return { authorization: `Bearer ${made.body.key as string}` };
  };
  const [ingest, read] = [await asKey('ingest'), await asKey('read')];
  const { id } = (await begin('keys', ingest)).body as { id: string };
  const path = `/v1/passes/${id}`;
  expect((await api.request('GET', path, undefined, read)).status).toBe(200);
  expect((await api.request('GET', path, undefined, ingest)).status).toBe(403);
  expect((await begin('keys', read)).status).toBe(403);
  expect((await api.request('POST', `${path}/complete`, undefined, read)).status).toBe(403);
  expect((await api.request('POST', `${path}/complete`, undefined, ingest)).status).toBe(200);
});
