// a webhook is in the trace of the append that caused it
import { describe, expect, test, vi } from 'vitest';

import { readTraceparent } from '../../src/schema/traceparent.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver, type Received, type TestReceiver } from '../support/receiver.ts';
import { openWorld, type World } from '../support/world.ts';

/** They run side by side, so each takes its time. */
vi.setConfig({ testTimeout: 180_000 });

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const OTHER = '0af7651916cd43dd8448eb211c80319c';
const SPAN = '00f067aa0ba902b7';
const HEADER = { traceparent: `00-${TRACE}-${SPAN}-01` };

const record = (upstream_id: string, more: object = {}) => ({
  sync_id: 's',
  collection_id: 'shop:order',
  upstream_id,
  data: { total: 1 },
  ...more,
});

async function put(world: World, records: object[], headers: Record<string, string> = HEADER) {
  const { status } = await world.api.request('POST', '/v1/records', { records }, headers);
  expect(status).toBe(200);
}

/** The parts of the traceparent of what was received. */
function partsOf(one: Received | undefined): { trace: string; span: string; flags: string } {
  const text = String(one?.headers['traceparent']);
  expect(readTraceparent(text)).toBe(text);
  return { trace: text.slice(3, 35), span: text.slice(36, 52), flags: text.slice(53) };
}

const of = ({ received }: TestReceiver, record: string): Received[] =>
  received.filter(({ body }) => body.includes(`"upstream_id":"${record}"`));

const refusing =
  (record: string, status: number) =>
  (one: Received, response: Parameters<typeof accept>[1]): void => {
    if (one.body.includes(`"upstream_id":"${record}"`)) response.writeHead(status).end('no');
    else accept(one, response);
  };

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.concurrent('a webhook is in the trace of its append, on both streams, and in one of its own without', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    await using records = await openReceiver();
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.consumer(await world.target(records.url), { stream: 'records' });
    await put(world, [
      record('header'),
      record('field', { traceparent: `00-${OTHER}-${SPAN}-00` }),
      record('none', { traceparent: null }),
    ]);
    const lines = JSON.stringify(record('line'));
    const ndjson = { ...HEADER, 'content-type': 'application/x-ndjson' };
    await world.api.request('POST', '/v1/records', lines, ndjson);
    await put(world, [record('invalid')], { traceparent: 'invalid' });
    for (const one of [receiver, records]) {
      await until(() => one.received.length === 5);
      const spans = one.received.map((each) => partsOf(each).span);
      expect(new Set([...spans, SPAN]).size).toBe(6);
      for (const name of ['header', 'line'])
        expect(partsOf(of(one, name)[0])).toMatchObject({ trace: TRACE, flags: '01' });
      expect(partsOf(of(one, 'field')[0])).toMatchObject({ trace: OTHER, flags: '00' });
      for (const name of ['none', 'invalid']) {
        const { trace, flags } = partsOf(of(one, name)[0]);
        expect([TRACE, OTHER]).not.toContain(trace);
        expect(flags).toBe('01');
      }
      expect(of(one, 'header')[0]?.headers).not.toHaveProperty('tracestate');
    }
    await world.caughtUp(consumer);
    const { body } = await world.api.request('GET', `/v1/consumers/${consumer}/attempts`);
    const shown = new Map<string, unknown[]>(
      body.data.map((one: Record<string, string>) => [
        one['upstream_id'],
        [one['trace_id'], one['producer_span_id']],
      ]),
    );
    expect(Object.fromEntries(shown)).toEqual({
      header: [TRACE, SPAN],
      field: [OTHER, SPAN],
      none: [null, null],
      line: [TRACE, SPAN],
      invalid: [null, null],
    });
  });

  test.concurrent('all attempts at an entry are in its trace, each as a span of its own, while the endpoint fails', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(refusing('a', 503));
    const consumer = await world.consumer(await world.target(receiver.url));
    await put(world, [record('a', { traceparent: `00-${TRACE}-${SPAN}-00` })], {});
    await until(() => receiver.received.length >= 3);
    receiver.respond = accept;
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await world.becomes(consumer, 'active');
    await world.caughtUp(consumer);
    const parts = receiver.received.map(partsOf);
    for (const { trace, flags } of parts) expect([trace, flags]).toEqual([TRACE, '00']);
    expect(new Set([...parts.map(({ span }) => span), SPAN]).size).toBe(parts.length + 1);
    const path = `/v1/consumers/${consumer}/attempts?include=trace&outcome=failed`;
    const { body } = await world.api.request('GET', path);
    for (const { trace, trace_id } of body.data) {
      expect(trace_id).toBe(TRACE);
      const sent = trace.request_headers.find(
        ({ name }: { name: string }) => name === 'traceparent',
      );
      expect(receiver.received.map(({ headers }) => headers['traceparent'])).toContain(sent.value);
    }
  });

  test.concurrent('an entry that is parked, dies, is sent again and is sent once more stays in its trace', async () => {
    await using world = await openWorld({ ...options, retryWindowMs: 4_000 });
    await using receiver = await openReceiver(refusing('bad', 400));
    const consumer = await world.consumer(await world.target(receiver.url, { max_in_flight: 1 }));
    await put(world, [record('bad'), record('good')], HEADER);
    const path = `/v1/consumers/${consumer}`;
    await until(async () => {
      if (of(receiver, 'good').length === 0) return false;
      await put(world, [record('good', { data: { at: performance.now() } })], {}); // speaks for the endpoint
      const { body } = await world.api.request('GET', `${path}/dead-letters`);
      return body.data.length === 1;
    });
    receiver.respond = accept;
    await world.api.request('POST', `${path}/dead-letters/replay`, { all: true });
    await until(() => of(receiver, 'bad').some(({ status }) => status === 204));
    await until(async () => (await world.db.query('select from parked')).rows.length === 0);
    const { status } = await world.api.request('POST', `${path}/resend`, { position: 1 });
    expect(status).toBe(202);
    await until(() => of(receiver, 'bad').filter((one) => one.status === 204).length === 2);
    const parts = of(receiver, 'bad').map(partsOf);
    expect(parts.length).toBeGreaterThan(3);
    for (const { trace, flags } of parts) expect([trace, flags]).toEqual([TRACE, '01']);
    expect(new Set(parts.map(({ span }) => span)).size).toBe(parts.length);
  });
});
