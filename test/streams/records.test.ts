import { expect, test } from 'vitest';

import type { RecordChange } from '../../src/streams/derive.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { openWorld } from '../support/world.ts';

function change(upstreamId: string, data: string | null, deleted = false): RecordChange {
  return {
    syncId: 'crm',
    collectionId: 'hubspot:contact',
    upstreamId,
    data,
    deleted,
    upstreamCreatedAt: null,
    upstreamUpdatedAt: null,
  };
}

interface Sent {
  upstream_id: string;
  updated_idx: number;
  version_id: string;
  data: { n: number };
  deleted: boolean;
}

test('when one record is updated 1,000 times while a consumer drains, its newest version arrives and nothing else is lost', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver(
    (one, response) => void setImmediate(() => accept(one, response)),
  );
  const others = Array.from({ length: 2_000 }, (_, index) =>
    change(`c-${index}`, `{"n":${index}}`),
  );
  await world.append.records(others);
  const target = await world.target(receiver.url, { max_in_flight: 4 });
  const consumer = await world.consumer(target, { stream: 'records', start: 'beginning' });
  for (let n = 1; n <= 1_000; n += 1) await world.append.records([change('hot', `{"n":${n}}`)]);
  await world.caughtUp(consumer, 60_000);

  const { rows } = await world.db.query<{ count: number; newest: string }>(
    `select count(*)::int as count, max(data) filter (where upstream_id = 'hot') as newest from records`,
  );
  expect(rows[0]).toEqual({ count: 2_001, newest: '{"n":1000}' });
  const sent = receiver.received.map(({ body }) => (JSON.parse(body) as { record: Sent }).record);
  const last = new Map(sent.map((record) => [record.upstream_id, record]));
  expect(last.size).toBe(2_001);
  expect(last.get('hot')?.data.n).toBe(1_000);
  const hot = sent.filter((record) => record.upstream_id === 'hot').map((record) => record.data.n);
  expect(hot).toEqual([...new Set(hot)].sort((a, b) => a - b));
}, 180_000);

test('on the records stream a version that was superseded while the endpoint failed is not sent any more', async () => {
  await using world = await openWorld();
  let failing = true;
  await using receiver = await openReceiver((one, response) => {
    // Nothing is under way by itself while the version moves on.
    if (failing) response.writeHead(503, { 'retry-after': '3600' }).end();
    else accept(one, response);
  });
  await world.append.records([change('a', '{"n":1}'), change('b', '{"n":1}')]);
  const consumer = await world.consumer(await world.target(receiver.url), {
    stream: 'records',
    start: 'beginning',
  });
  await world.becomes(consumer, 'blocked');
  await world.append.records([change('a', '{"n":2}')]);
  failing = false;
  const before = receiver.received.length;
  await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
  await world.caughtUp(consumer);
  const sent = receiver.received
    .slice(before)
    .map(({ body }) => (JSON.parse(body) as { record: Sent }).record);
  expect(sent.map((record) => [record.upstream_id, record.data.n])).toEqual([
    ['b', 1],
    ['a', 2],
  ]);
});

test('a deleted record arrives as deleted, with the data it had', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  await world.consumer(await world.target(receiver.url), { stream: 'records' });
  await world.append.records([change('a', '{"n":1}')]);
  await until(() => receiver.received.length === 1);
  await world.append.records([change('a', null, true)]);
  await until(() => receiver.received.length === 2);
  const sent = receiver.received.map(({ body }) => (JSON.parse(body) as { record: Sent }).record);
  expect(sent.map((record) => [record.deleted, record.data.n])).toEqual([
    [false, 1],
    [true, 1],
  ]);
  expect(sent[0]?.version_id).not.toBe(sent[1]?.version_id);
  expect(sent[1]?.version_id).toBe(receiver.received[1]?.id);
});
