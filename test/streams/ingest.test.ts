import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

import { serve, type ServerType } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openStreams, post, type Streams } from '../support/streams.ts';
let streams: Streams;
let server: ServerType;
let base: string;

beforeAll(async () => {
  streams = await openStreams();
  server = serve({ fetch: streams.app.fetch, port: 0, hostname: '127.0.0.1' });
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.close();
  await streams[Symbol.asyncDispose]();
});

const event = (fields: object = {}): Record<string, unknown> => ({
  sync_id: 's',
  collection_id: 'stripe:customer',
  upstream_id: 'u',
  event: 'created',
  data: { a: 1 },
  ...fields,
});
const record = (fields: object = {}): Record<string, unknown> => {
  const { event: _, ...rest } = event(fields);
  return rest;
};

async function ndjson(path: string, body: string | ReadableStream): Promise<[number, object]> {
  const response = await fetch(`${base}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
    duplex: 'half',
  });
  return [response.status, (await response.json()) as object];
}

async function count(syncId: string): Promise<number> {
  const { rows } = await streams.db.query<{ n: number }>({
    text: 'select count(*) as n from events where sync_id = $1',
    values: [syncId],
  });
  return rows[0]!.n;
}

describe('JSON', () => {
  test('records and events are appended and counted', async () => {
    const records = [
      record(),
      record({ upstream_id: 'v', data: undefined, deleted: true }),
      record(),
    ];
    const response = await post(streams.app, '/v1/records', { records });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      accepted: 3,
      created: 1,
      updated: 0,
      deleted: 1,
      unchanged: 1,
      position: 2,
    });
    const events = [event({ event_id: 'x1' }), event({ event_id: 'x1' }), event()];
    const answer = await post(streams.app, '/v1/events', { events });
    expect(await answer.json()).toMatchObject({ accepted: 2, duplicates: 1 });
  });

  test('numbers, keys and odd strings arrive as they were sent', async () => {
    const data =
      '{"n":9007199254740993,"e":1e400,"__proto__":{"x":0.10000000000000000001},"s":"\\u0000"}';
    const entry = JSON.stringify(event({ event_id: 'odd', data: 0, changes: 0 }))
      .replace('"data":0', `"data":${data}`)
      .replace('"changes":0', `"changes":${data}`);
    expect((await post(streams.app, '/v1/events', `{"events":[${entry}]}`)).status).toBe(200);
    const text = await (await streams.app.request('/v1/events/odd')).text();
    expect(text).toContain(`"data":${data},"changes":${data},`);
  });

  test('a merge keeps stored fields exactly, and several of one record apply in order', async () => {
    const entry = (data: string, more: object = {}): string =>
      JSON.stringify(record({ sync_id: 'merged', data: 0, ...more })).replace(
        '"data":0',
        `"data":${data}`,
      );
    const merge = { merge: true };
    await post(streams.app, '/v1/records', `{"records":[${entry('{"n":9007199254740993}')}]}`);
    const parts = [entry('{"a":1e400}', merge), entry('{"b":1}', merge), entry('{"b":2}', merge)];
    const response = await post(streams.app, '/v1/records', `{"records":[${parts.join(',')}]}`);
    expect(await response.json()).toMatchObject({ accepted: 3, updated: 3 });
    const again = await post(streams.app, '/v1/records', `{"records":[${parts[2]}]}`);
    expect(await again.json()).toMatchObject({ updated: 0, unchanged: 1 });
    const page = await (await streams.app.request('/v1/records?sync_id=merged')).text();
    expect(page).toContain('"data":{"n":9007199254740993,"a":1e400,"b":2}');
    const events = await (await streams.app.request('/v1/events?sync_id=merged')).text();
    expect([...events.matchAll(/"changes":(null|\{[^}]*\})/gu)].map(([, one]) => one)).toEqual([
      'null',
      '{"a":null}',
      '{"b":null}',
      '{"b":1}',
    ]);
  });

  test.each([
    ['merge', { merge: true, deleted: true }, 'must not be true when deleted is true'],
    ['data', { merge: true, data: [1] }, 'must be a JSON object when merge is true'],
    ['data', { merge: true, data: null }, 'must be a JSON object when merge is true'],
    ['data', { merge: true, data: undefined }, 'is required unless deleted is true'],
    ['merge', { merge: 1 }, 'must be true or false'],
  ])('a merge that can not be is refused at its field %s: %j', async (field, fields, detail) => {
    const records = [record(), record(fields)];
    const response = await post(streams.app, '/v1/records', { records });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      code: 'invalid_request',
      errors: [{ pointer: `/records/1/${field}`, detail }],
    });
  });

  test('a merge that makes a record too large is refused at its entry, and nothing is kept', async () => {
    const half = 'x'.repeat(600_000);
    const records = [
      record({ sync_id: 'large' }),
      record({ sync_id: 'large', data: { a: half } }),
      record({ sync_id: 'large', data: { b: half }, merge: true }),
    ];
    const response = await post(streams.app, '/v1/records', { records });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ pointer: '/records/2/data' }] });
    expect(await count('large')).toBe(0);
  });

  test.each([
    ['{"events":[', 400, 'malformed_json'],
    ['\u0000', 400, 'malformed_json'],
    ['[]', 422, 'invalid_request'],
    ['{}', 422, 'invalid_request'],
    ['{"events":{}}', 422, 'invalid_request'],
    ['{"events":[],"more":1}', 422, 'invalid_request'],
  ])('%j is refused with %i', async (body, status, code) => {
    const response = await post(streams.app, '/v1/events', body);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status, code });
  });

  test('each fault is pointed at, and nothing of the request is kept', async () => {
    const before = await count('faulty');
    const events = [
      event({ sync_id: 'faulty' }),
      event({ sync_id: '', collection_id: 'nocolon' }),
      event({ 'a/b~c': 1 }),
      event({ data: 'x'.repeat(1024 * 1024) }),
      event({ sync_id: 'nul\u0000', event: 'changed', event_id: 'a.b' }),
      7,
    ];
    const response = await post(streams.app, '/v1/events', { events });
    expect(response.status).toBe(422);
    const { errors } = (await response.json()) as { errors: { pointer: string }[] };
    expect(errors.map(({ pointer }) => pointer)).toEqual([
      '/events/1/sync_id',
      '/events/1/collection_id',
      '/events/2/a~1b~0c',
      '/events/3/data',
      '/events/4/sync_id',
      '/events/4/event',
      '/events/4/event_id',
      '/events/5',
    ]);
    expect(await count('faulty')).toBe(before);
  });

  test('data that is nested too deeply is refused, and does not crash the process', async () => {
    for (const levels of [501, 100_000]) {
      const data = '['.repeat(levels) + ']'.repeat(levels);
      const entry = JSON.stringify(event({ data: 0 })).replace('"data":0', `"data":${data}`);
      const response = await post(streams.app, '/v1/events', `{"events":[${entry}]}`);
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({ errors: [{ pointer: '/events/0/data' }] });
    }
  });

  test('ids that are too long for an index are refused', async () => {
    const wide = record({
      upstream_id: '\u{1f600}'.repeat(512),
      collection_id: `x:${'é'.repeat(250)}`,
    });
    const response = await post(streams.app, '/v1/records', { records: [wide] });
    expect(response.status).toBe(422);
    const fits = record({
      upstream_id: 'u'.repeat(1024),
      collection_id: `x:${'y'.repeat(509)}`,
      sync_id: 's'.repeat(255),
    });
    expect((await post(streams.app, '/v1/records', { records: [fits] })).status).toBe(422);
    const largest = record({
      upstream_id: 'u'.repeat(1024),
      collection_id: `x:${'y'.repeat(255)}`,
      sync_id: 's'.repeat(255),
    });
    expect((await post(streams.app, '/v1/records', { records: [largest] })).status).toBe(200);
  });

  test('a body above 10 MiB is refused, with a declared length or without one', async () => {
    const large = JSON.stringify({ events: [event({ data: 'x'.repeat(11 * 1024 * 1024) })] });
    const declared = await fetch(`${base}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: large,
    });
    expect(declared.status).toBe(413);
    expect(await declared.json()).toMatchObject({ code: 'too_large' });
    const status = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(
        `${base}/v1/events`,
        { method: 'POST', headers: { 'content-type': 'application/json' } }, // chunked
        (answer) => resolve(answer.statusCode ?? 0),
      );
      sent.on('error', reject);
      sent.write(large.slice(0, 10 * 1024 * 1024));
      sent.write(large.slice(10 * 1024 * 1024));
    });
    expect(status).toBe(413);
  });

  test('other media types and encodings are refused', async () => {
    const send = (headers: Record<string, string>) =>
      streams.app.request('/v1/events', { method: 'POST', headers, body: '{"events":[]}' });
    expect((await send({ 'content-type': 'text/plain' })).status).toBe(415);
    expect(
      (await send({ 'content-type': 'application/json', 'content-encoding': 'gzip' })).status,
    ).toBe(415);
    expect((await send({ 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(200);
  });

  test('bytes that are not UTF-8 are refused, not replaced', async () => {
    const body = Buffer.concat([
      Buffer.from('{"events":['),
      Buffer.from(JSON.stringify(event({ data: '@' }))).map((byte) =>
        byte === 0x40 ? 0xff : byte,
      ),
      Buffer.from(']}'),
    ]);
    const headers = { 'content-type': 'application/json' };
    const response = await streams.app.request('/v1/events', { method: 'POST', headers, body });
    expect(response.status).toBe(400);
  });
});

describe('NDJSON', () => {
  test('lines are appended in order, blank ones are skipped, and the last one needs no newline', async () => {
    const lines = ['a', 'b', 'c'].map((id) =>
      JSON.stringify(event({ sync_id: 'lines', upstream_id: id })),
    );
    const body = `${lines[0]}\r\n\n  \n${lines[1]}\n${lines[2]}`;
    expect(await ndjson('/v1/events', body)).toEqual([
      200,
      { accepted: 3, duplicates: 0, position: expect.any(Number) },
    ]);
    const page = await streams.app.request('/v1/events?sync_id=lines');
    const { events } = (await page.json()) as { events: { upstream_id: string }[] };
    expect(events.map((one) => one.upstream_id)).toEqual(['a', 'b', 'c']);
  });

  test('from an empty body nothing is appended', async () => {
    const [status, body] = await ndjson('/v1/events', '\n');
    expect([status, body]).toMatchObject([200, { accepted: 0, duplicates: 0 }]);
  });

  test('when line 1,500 is broken, the 1,499 before it are kept and the answer says so, however much follows', async () => {
    const line = (n: number): string =>
      JSON.stringify(event({ sync_id: 'broken', upstream_id: `u${n}` }));
    const lines = Array.from({ length: 60_000 }, (_, index) =>
      index === 1_499 ? '{"sync_id":' : line(index),
    );
    expect(await ndjson('/v1/events', lines.join('\n'))).toMatchObject([
      422,
      {
        code: 'invalid_line',
        line: 1_500,
        committed: 1_499,
        errors: [{ pointer: '', detail: 'is not JSON' }],
      },
    ]);
    expect(await count('broken')).toBe(1_499);
  });

  test('the fault of an entry that violates the schema is pointed at within its line', async () => {
    const body = [record({ sync_id: 'schema' }), record({ sync_id: 'schema', collection_id: 'no' })]
      .map((entry) => JSON.stringify(entry))
      .join('\n\n');
    expect(await ndjson('/v1/records', body)).toMatchObject([
      422,
      { line: 3, committed: 1, errors: [{ pointer: '/collection_id' }] },
    ]);
    expect(await count('schema')).toBe(1);
  });

  test('a merge that makes a record too large ends the lines there, and those before it are kept', async () => {
    const half = 'x'.repeat(400_000);
    const entries = [
      record({ sync_id: 'grown', data: { a: half } }),
      record({ sync_id: 'grown', data: { b: half }, merge: true }),
      record({ sync_id: 'grown', data: { c: half }, merge: true }),
      record({ sync_id: 'grown', upstream_id: 'after' }),
    ];
    const body = entries.map((entry) => JSON.stringify(entry)).join('\n\n');
    expect(await ndjson('/v1/records', body)).toMatchObject([
      422,
      { code: 'invalid_line', line: 5, committed: 2, errors: [{ pointer: '/data' }] },
    ]);
    expect(await count('grown')).toBe(2);
  });

  test('a line without an end is refused before it fills the memory', async () => {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(Buffer.alloc(65_536, 0x20));
        if (sent > 64 * 1024 * 1024) controller.close(); // nor may it fill ours
      },
    });
    expect(await ndjson('/v1/events', body)).toMatchObject([422, { line: 1, committed: 0 }]);
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  test('the counts of 50,000 lines are added up', async () => {
    const line = (n: number): string =>
      JSON.stringify(record({ sync_id: 'many', upstream_id: `u${n % 40_000}` }));
    const body = Array.from({ length: 50_000 }, (_, index) => line(index)).join('\n');
    expect(await ndjson('/v1/records', body)).toMatchObject([
      200,
      { accepted: 50_000, created: 40_000, unchanged: 10_000 },
    ]);
    expect(await count('many')).toBe(40_000);
  });
});
