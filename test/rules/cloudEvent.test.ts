import { expect, test } from 'vitest';

import { toCloudEvent } from '../../src/rules/cloudEvent.ts';
import { ENTRY_OF } from '../../src/streams/entry.ts';

const AT = '2026-11-28T14:14:54.549977Z';

const eventOf = (upstreamId: string, data = '{"total":9007199254740993}'): string =>
  ENTRY_OF.events(
    [3, 'e-1', 'deleted', 'crm 1/ü', 'shop:order', upstreamId, data, 26, AT, null, null, null],
    0,
  ).body;

const recordOf = (deleted: boolean): string =>
  ENTRY_OF.records(
    [4, 'v-1', deleted, 's1', 'shop:order', 'o1', 'null', 4, AT, null, null, AT, null],
    0,
  ).body;

test('a CloudEvent of an event has the attributes of that specification, and the event as its data, byte for byte', () => {
  const body = eventOf('o1');
  const entry = body.slice('{"event":'.length, -1);
  expect(toCloudEvent(body)).toBe(
    '{"specversion":"1.0","id":"e-1","source":"/v1/records/crm%201%2F%C3%BC/shop%3Aorder"' +
      `,"type":"millrace.event.deleted","subject":"o1","time":"${AT}"` +
      `,"datacontenttype":"application/json","data":${entry}}`,
  );
});

test.each([
  [false, 'millrace.record.updated'],
  [true, 'millrace.record.deleted'],
])('a CloudEvent of a record whose deleted is %s has the type %s', (deleted, type) => {
  expect(JSON.parse(toCloudEvent(recordOf(deleted)))).toMatchObject({
    id: 'v-1',
    source: '/v1/records/s1/shop%3Aorder',
    type,
    subject: 'o1',
    time: AT,
    data: { version_id: 'v-1', deleted, data: null },
  });
});

test.each(['a\nb', '\u0085', '\ufdd0', '\u{1ffff}'])(
  'an id of a record with characters that a CloudEvent may not have is no subject: %j',
  (upstreamId) => {
    const event = JSON.parse(toCloudEvent(eventOf(upstreamId))) as {
      data: { upstream_id: string };
    };
    expect(event).not.toHaveProperty('subject');
    expect(event.data.upstream_id).toBe(upstreamId);
  },
);

test('data that has the names of an entry does not change what the attributes say', () => {
  const data =
    '{"event":{"event_id":"x","event":"created"},"collection_id":"a:b","upstream_id":"x"}';
  expect(JSON.parse(toCloudEvent(eventOf('o1', data)))).toMatchObject({
    id: 'e-1',
    type: 'millrace.event.deleted',
    subject: 'o1',
    data: { data: JSON.parse(data) as unknown },
  });
});
