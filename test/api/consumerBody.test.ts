import { afterAll, beforeAll, expect, test } from 'vitest';

import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());

const input = (body: unknown, stream = 'events') => ({
  name: 'shaped',
  target_id: opened.targetId,
  stream,
  body,
});

test.each([
  { mode: 'full' },
  { mode: 'thin' },
  { mode: 'fields', pointers: ['/data/email', '/data/a~1b/0', '/changes'] },
  { mode: 'cloudevents' },
  { mode: 'map', expression: '{"text": event.data.name}' },
])('a consumer keeps the body it is created with: $mode', async (body) => {
  const created = await opened.api.request('POST', '/v1/consumers', input(body));
  expect([created.status, created.body.body]).toEqual([201, body]);
  expect((await opened.read(created.body.id)).body).toEqual(body);
});

test('a consumer without a body sends whole entries', async () => {
  expect((await opened.create()).body).toEqual({ mode: 'full' });
});

const POINTERS = Array.from({ length: 101 }, (_, index) => `/data/f${index}`);

test.each([
  [
    'no object',
    'thin',
    '/body',
    'must be an object whose mode is full, thin, fields, cloudevents or map, such as {"mode": "thin"}',
  ],
  [
    'null in its place',
    null,
    '/body',
    'must be an object whose mode is full, thin, fields, cloudevents or map, such as {"mode": "thin"}',
  ],
  [
    'an unknown mode',
    { mode: 'slim' },
    '/body/mode',
    'must be full, thin, fields, cloudevents or map',
  ],
  ['no mode', {}, '/body/mode', 'must be full, thin, fields, cloudevents or map'],
  ['no pointers', { mode: 'fields' }, '/body/pointers', 'is required'],
  ['an empty list', { mode: 'fields', pointers: [] }, '/body/pointers', 'must not be empty'],
  [
    'too many pointers',
    { mode: 'fields', pointers: POINTERS },
    '/body/pointers',
    'must have at most 100 values',
  ],
  [
    'a pointer without a slash',
    { mode: 'fields', pointers: ['/data', '/changes/a', '/data/b', 'data/email'] },
    '/body/pointers/3',
    'must be a JSON pointer into data or changes, such as /data/email (RFC 6901)',
  ],
  [
    'a pointer that leads elsewhere than into the data',
    { mode: 'fields', pointers: ['/data/a', '/email'] },
    '/body/pointers/1',
    'must be a JSON pointer into data or changes, such as /data/email (RFC 6901)',
  ],
  [
    'a pointer with a single tilde',
    { mode: 'fields', pointers: ['/data/a~2'] },
    '/body/pointers/0',
    'must be a JSON pointer into data or changes, such as /data/email (RFC 6901)',
  ],
  [
    'a field of another mode',
    { mode: 'thin', pointers: ['/data'] },
    '/body/pointers',
    'is not a known field',
  ],
  ['no expression', { mode: 'map' }, '/body/expression', 'is required'],
])(
  'a body with %s is refused by name, when it is created and when it is changed',
  async (_what, body, pointer, detail) => {
    const { id } = await opened.create();
    for (const [method, path, sent] of [
      ['POST', '/v1/consumers', input(body)],
      ['PATCH', `/v1/consumers/${id}`, { body }],
      ['POST', '/v1/consumers/preview', { stream: 'events', body }],
    ] as const) {
      const answer = await opened.api.request(method, path, sent);
      expect([method, answer.status, answer.body.errors]).toEqual([
        method,
        422,
        [{ pointer, detail }],
      ]);
    }
  },
);

test('an expression is checked for the stream of its consumer, and what is wrong is said with its place', async () => {
  const wrong = { mode: 'map', expression: '{"a": 1,\n "b": record.data}' };
  const created = await opened.api.request('POST', '/v1/consumers', input(wrong));
  expect([created.status, created.body.code]).toEqual([422, 'invalid_request']);
  expect(created.body.errors).toMatchObject([
    { pointer: '/body/expression', line: 2, column: 7, detail: expect.stringContaining('record') },
  ]);
  const records = await opened.api.request('POST', '/v1/consumers', input(wrong, 'records'));
  expect(records.status).toBe(201);
  const { id } = await opened.create();
  const patched = await opened.api.request('PATCH', `/v1/consumers/${id}`, { body: wrong });
  expect([patched.status, patched.body.errors[0].pointer]).toEqual([422, '/body/expression']);
});

test('a preview shows what would be sent of the newest match, or why nothing would be', async () => {
  const preview = async (fields: object) => {
    const path = '/v1/consumers/preview';
    const answer = await opened.api.request('POST', path, { stream: 'events', ...fields });
    expect(answer.status).toBe(200);
    return answer.body;
  };
  const syncs = { syncs: ['preview'] };
  const thin = { mode: 'thin' };
  expect(await preview({ ...syncs, body: thin })).toMatchObject({ matched: 0, sample_body: null });
  await opened.append('preview', 2);
  const { sample } = await preview(syncs);
  expect(await preview(syncs)).not.toHaveProperty('sample_body');
  const { data, changes, ...kept } = sample[0];
  expect([data, changes]).toEqual([{}, null]);
  const shown = await preview({ ...syncs, body: thin });
  expect(shown.sample_body).toMatchObject({ content_type: 'application/json', fault: null });
  expect(JSON.parse(shown.sample_body.text)).toEqual({ event: kept });
  const whole = await preview({ ...syncs, body: { mode: 'full' } });
  expect(JSON.parse(whole.sample_body.text)).toEqual({ event: sample[0] });
  const cloud = await preview({ ...syncs, body: { mode: 'cloudevents' } });
  expect(cloud.sample_body.content_type).toBe('application/cloudevents+json; charset=utf-8');
  const failing = { mode: 'map', expression: 'event.data.email' };
  expect((await preview({ ...syncs, body: failing })).sample_body).toEqual({
    content_type: 'application/json',
    text: null,
    fault: expect.stringMatching(/^the expression of the body has no value: .*email/u),
  });
});

test('a preview with batches shows the request of one with the newest match alone, whatever its body is', async () => {
  await opened.append('batched', 2);
  const batch = { max_entries: 2 };
  const shown = async (fields: object) => {
    const asked = { stream: 'events', syncs: ['batched'], ...fields };
    const answer = await opened.api.request('POST', '/v1/consumers/preview', asked);
    expect(answer.status).toBe(200);
    const { content_type, text } = answer.body.sample_body;
    return { type: content_type, text, parsed: JSON.parse(text), newest: answer.body.sample[0] };
  };
  const whole = await shown({ batch });
  expect(whole.parsed).toEqual({ events: [whole.newest] });
  expect((await shown({ batch, body: { mode: 'full' } })).text).toBe(whole.text);
  const { data: _, changes: __, ...kept } = whole.newest;
  expect((await shown({ batch, body: { mode: 'thin' } })).parsed).toEqual({ events: [kept] });
  const cloud = await shown({ batch, body: { mode: 'cloudevents' } });
  expect(cloud.type).toBe('application/json');
  expect(cloud.parsed).toMatchObject({ events: [{ specversion: '1.0', data: whole.newest }] });
  const body = { mode: 'map', expression: '[event.upstream_id]' };
  expect((await shown({ batch, body })).text).toBe(`{"events":[["${whole.newest.upstream_id}"]]}`);
  expect((await shown({ batch: null, body })).text).toBe(`["${whole.newest.upstream_id}"]`);
});
