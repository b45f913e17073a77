import { expect, test } from 'vitest';

import { Moment } from '../../src/api/timeQuery.ts';
import { Timestamp } from '../../src/schema/fields.ts';
import { anEvent, openStreams, post } from '../support/streams.ts';

test.each([
  ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'],
  ['2026-01-01t00:00:00z', '2026-01-01T00:00:00Z'],
  ['2026-01-01t00:00:00.5+02:00', '2026-01-01T00:00:00.5+02:00'],
  ['2026-01-01T00:00:00-00:00', '2026-01-01T00:00:00-00:00'],
  ['2026-01-01T00:00:00+23:59', '2025-12-31T00:01:00Z'],
  ['1970-01-01T00:00:00.000000000000001Z', '1970-01-01T00:00:00.000000000000001Z'],
  // Leap seconds, which are only at the end of a month, UTC.
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z'],
  ['2016-12-31t23:59:60.75z', '2017-01-01T00:00:00.75Z'],
  ['1990-12-31T15:59:60-08:00', '1991-01-01T00:00:00Z'],
  ['2012-06-30T23:59:60+00:00', '2012-07-01T00:00:00Z'],
])('%s is a valid time: %s', (text, expected) => {
  expect(Timestamp.parse(text)).toBe(expected);
});

test.each([
  '2016-12-30T23:59:60Z',
  '2016-12-31T22:59:60Z',
  '2016-12-31T23:59:60+01:00',
  '2016-12-31T23:59:61Z',
  '9999-12-31T23:59:60Z',
  '2026-02-30T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01 00:00:00Z',
  '2026-01-01T00:00:00',
  '2026-01-01T00:00:00+24:00',
  '0000-01-01T00:00:00Z',
  ' 2026-01-01T00:00:00Z',
])('%j is not a time', (text) => {
  expect(Timestamp.safeParse(text).success).toBe(false);
});

test('times with a leap second or in lower case are stored as Postgres counts them, and may be asked for', async () => {
  await using streams = await openStreams();
  const { syncId, collectionId, upstreamId } = anEvent();
  const entry = { sync_id: syncId, collection_id: collectionId, upstream_id: upstreamId };
  const events = [
    { ...entry, event: 'created', data: 1, upstream_updated_at: '2016-12-31t23:59:60.5z' },
  ];
  const appended = await post(streams.app, '/v1/events', { events });
  expect(appended.status).toBe(200);
  const response = await streams.app.request('/v1/events');
  expect(await response.json()).toMatchObject({
    events: [{ upstream_updated_at: '2017-01-01T00:00:00.5Z' }],
  });
  expect(Moment.parse('2016-12-31t23:59:60z')).toBe(Date.parse('2017-01-01T00:00:00Z'));
});
