import { HTTP, type CloudEvent } from 'cloudevents';
import { describe, expect, test, vi } from 'vitest';

import type { ConsumerBody } from '../../src/schema/body.ts';
import { createPages } from '../../src/streams/pages.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type Received } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

vi.setConfig({ testTimeout: 120_000 });

const DATA = '{"email":"ada@example.com","n":9007199254740993,"tags":["vip","eu"],"name":"Ada"}';
const JSON_TYPE = 'application/json';

/** A body, and what arrives for an event whose whole body this is. */
const SHAPES: { body: ConsumerBody; type: string; sends: (whole: string) => string }[] = [
  { body: { mode: 'full' }, type: JSON_TYPE, sends: (whole) => whole },
  {
    body: { mode: 'thin' },
    type: JSON_TYPE,
    sends: (whole) => whole.replace(`"data":${DATA},"changes":{"name":"A"},`, ''),
  },
  {
    body: { mode: 'fields', pointers: ['/data/n', '/data/tags/0'] },
    type: JSON_TYPE,
    sends: (whole) =>
      whole.replace(
        `"data":${DATA},"changes":{"name":"A"},`,
        '"data":{"n":9007199254740993,"tags":["vip"]},',
      ),
  },
  {
    body: { mode: 'map', expression: '{"text": event.data.name, "n": event.data.n}' },
    type: JSON_TYPE,
    sends: () => '{"text":"Ada","n":9007199254740993}',
  },
];

/** The whole body of an event, as it is stored. */
async function wholeBody(world: World, id: string): Promise<string> {
  const entry = await createPages(world.db).event(id);
  if (entry === null) throw new Error(`there is no event ${id}`);
  return entry.body;
}

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.concurrent.each(SHAPES)(
    'a consumer with the body $body.mode sends exactly that, byte for byte',
    async ({ body, type, sends }) => {
      await using world = await openWorld(options);
      await using receiver = await openReceiver();
      const consumer = await world.consumer(await world.target(receiver.url), { body });
      await world.append.events(someEvents(1, { data: DATA, changes: '{"name":"A"}' }));
      await world.caughtUp(consumer);
      const [one] = receiver.received as [Received];
      expect(one.body).toBe(sends(await wholeBody(world, one.id)));
      expect(one.headers['content-type']).toBe(type);
      expect(one.headers['content-length']).toBe(String(Buffer.byteLength(one.body)));
      expect(one.position).toBe(1);
      expect((await world.get(consumer)).body).toEqual(body);
    },
  );

  test.concurrent('a consumer with the body cloudevents sends what a CloudEvents SDK reads from the request', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url);
    const consumer = await world.consumer(target, { body: { mode: 'cloudevents' } });
    const events = someEvents(1, { data: '{"text":"ü😀","nothing":null}' });
    await world.append.events(events);
    await world.caughtUp(consumer);
    const [one] = receiver.received as [Received];
    expect(one.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    const event = HTTP.toEvent<{ position: number }>({
      headers: one.headers,
      body: one.body,
    }) as CloudEvent<{ position: number }>;
    expect(event.validate()).toBe(true);
    const whole = JSON.parse(await wholeBody(world, one.id)) as {
      event: { event_inserted_at: string };
    };
    expect(event).toMatchObject({
      specversion: '1.0',
      id: events[0]!.eventId,
      source: '/v1/records/sync-1/shop%3Aorder',
      type: 'millrace.event.updated',
      subject: 'o-0',
      datacontenttype: 'application/json',
      data: whole.event,
    });
    expect(Date.parse(event.time ?? '')).toBe(Date.parse(whole.event.event_inserted_at));
    expect(one.id).toBe(event.id);
  });

  test.concurrent('an edit of the body while 3,000 entries drain: each webhook has the old or the new shape, and none is lost', async () => {
    await using world = await openWorld(options);
    let slow = true;
    await using receiver = await openReceiver((one, response) => {
      if (slow && one.position > 300) setTimeout(() => accept(one, response), 20);
      else accept(one, response);
    });
    await world.append.events(someEvents(3_000));
    const target = await world.target(receiver.url, { max_in_flight: 8 });
    const consumer = await world.consumer(target, { start: 'beginning', body: { mode: 'thin' } });
    await until(() => receiver.received.length > 300);
    const path = `/v1/consumers/${consumer}`;
    const body = { mode: 'map', expression: '{"n": event.data.n}' };
    const { status } = await world.api.request('PATCH', path, { body });
    expect(status).toBe(200);
    const answeredAt = performance.now();
    slow = false;
    await world.caughtUp(consumer);
    const isThin = (one: Received): boolean => /^\{"event":\{(?!.*"data").*\}\}$/u.test(one.body);
    const isMapped = (one: Received): boolean => one.body === `{"n":${one.position - 1}}`;
    expect(receiver.received.filter((one) => !isThin(one) && !isMapped(one))).toEqual([]);
    expect(new Set(receiver.received.map((one) => one.position)).size).toBe(3_000);
    expect(receiver.received).toHaveLength(3_000);
    const late = receiver.received.filter((one) => one.at > answeredAt && !isMapped(one));
    expect(late.length).toBeLessThanOrEqual(8); // those that were in flight
    expect(receiver.received.filter(isThin).length).toBeGreaterThan(300);
    const { body: changes } = await world.api.request('GET', `/v1/changes?consumer_id=${consumer}`);
    expect(changes.data[0]).toMatchObject({ action: 'changed', detail: { fields: ['body'] } });
  });

  test.concurrent('retries of a blocked head, parked entries, replays and resends go out in the shape that is in force by then', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver((one, response) => {
      if (one.position === 1) response.writeHead(400).end();
      else accept(one, response);
    });
    const target = await world.target(receiver.url, { max_in_flight: 1 });
    const body = { mode: 'map', expression: '{"v": 1}' } as const;
    const consumer = await world.consumer(target, { body });
    const path = `/v1/consumers/${consumer}`;
    const change = async (version: number): Promise<void> => {
      const next = { mode: 'map', expression: `{"v": ${version}}` };
      expect((await world.api.request('PATCH', path, { body: next })).status).toBe(200);
    };
    const bodiesOf = (position: number): string[] =>
      receiver.received.filter((one) => one.position === position).map((one) => one.body);
    await world.append.events(someEvents(2));
    await until(async () => (await world.get(consumer)).parked === 1);
    await change(2);
    await world.api.request('POST', `${path}/retry`);
    await until(() => bodiesOf(1).at(-1) === '{"v":2}');
    await world.stopWorker();
    await world.startWorker(1_000); // a window that is over
    await until(async () => (await world.get(consumer)).dead_letters === 1);

    const letters = await world.api.request('GET', `${path}/dead-letters`);
    const letter = await world.api.request(
      'GET',
      `${path}/dead-letters/${letters.body.data[0].id}`,
    );
    expect(letter.body.body).toBe(await wholeBody(world, letter.body.message_id));

    receiver.respond = accept;
    await change(3);
    await world.api.request('POST', `${path}/dead-letters/replay`, { all: true });
    await until(() => bodiesOf(1).at(-1) === '{"v":3}');
    await world.api.request('POST', `${path}/resend`, { position: 2 });
    await until(() => bodiesOf(2).length === 2);
    expect(bodiesOf(2)).toEqual(['{"v":1}', '{"v":3}']);
  });

  test.concurrent('what a blocked consumer retries has the shape of the newest edit, and the attempts say how much was sent', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(answer(503));
    const body = { mode: 'thin' } as const;
    const consumer = await world.consumer(await world.target(receiver.url), { body });
    const path = `/v1/consumers/${consumer}`;
    await world.append.events(someEvents(1));
    await world.becomes(consumer, 'blocked');
    await world.api.request('PATCH', path, { body: { mode: 'map', expression: '"now"' } });
    await world.api.request('POST', `${path}/retry`);
    await until(() => receiver.received.at(-1)?.body === '"now"');
    receiver.respond = accept;
    await world.api.request('POST', `${path}/retry`);
    await world.caughtUp(consumer);
    expect(receiver.received.at(-1)).toMatchObject({ body: '"now"', status: 204 });
    expect(new Set(receiver.received.map((one) => one.id)).size).toBe(1);
    const { body: attempts } = await world.api.request('GET', `${path}/attempts?include=trace`);
    const sizes = attempts.data.map(
      (one: { trace: { request_bytes: number } }) => one.trace.request_bytes,
    );
    expect(sizes).toEqual(receiver.received.map((one) => Buffer.byteLength(one.body)).toReversed());
  });
});

test('a consumer of the records stream sends versions in its shape, and reads of a record by its key follow them', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const consumer = await world.consumer(target, { stream: 'records', body: { mode: 'thin' } });
  const key = { sync_id: 's/1', collection_id: 'shop:order', upstream_id: 'o 1%' };
  await world.api.request('POST', '/v1/records', { records: [{ ...key, data: { total: 3 } }] });
  await world.caughtUp(consumer);
  const [one] = receiver.received as [Received];
  const { record } = JSON.parse(one.body) as { record: Record<string, string> };
  expect(record).toMatchObject({ ...key, version_id: one.id, updated_idx: 1, deleted: false });
  expect(record).not.toHaveProperty('data');
  const parts = [record['sync_id'], record['collection_id'], record['upstream_id']];
  const path = `/v1/records/${parts.map((part) => encodeURIComponent(part ?? '')).join('/')}`;
  const read = await world.api.request('GET', path);
  expect(read.body).toEqual({ ...record, data: { total: 3 } });
});
