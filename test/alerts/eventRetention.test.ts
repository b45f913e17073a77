import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import type { Db } from '../../src/db/db.ts';
import { ensurePartitions, EVENTS_A_PARTITION } from '../../src/db/partitions.ts';
import { createRetention } from '../../src/retention/eventRetention.ts';
import { createPasses } from '../../src/streams/passes.ts';
import { aChange, anEvent, EVERYTHING, openStreams, silent } from '../support/streams.ts';

const DAY = 86_400_000;
const alerts = {
  alertEmails: ['ops@example.com'],
  publicUrl: 'http://127.0.0.1:4600',
  alertWebhook: true,
  retryWindowMs: DAY,
  eventRetentionMs: 30 * 86_400_000,
};

async function partitions(db: Db, parent: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>({
    text: `select inhrelid::regclass::text as name from pg_inherits
            where inhparent = $1::text::regclass order by 1`,
    values: [parent],
  });
  return rows.map(({ name }) => name);
}

async function insertConsumer(
  db: Db,
  position: number,
  ahead: number[],
  syncs: string[],
): Promise<string> {
  const id = randomUUID();
  await db.query(
    `insert into targets (id, name, kind, base_url, credentials, headers, signing_secret, timeout_ms,
                          max_in_flight, metadata, created_at, updated_at)
     values ('${id}', 't', 'webhook', 'http://x', '', '{}', '', 1000, 1, '{}', now(), now())`,
  );
  await db.query(
    `insert into consumers (id, name, target_id, stream, path, ordering, alert_emails, metadata, region,
                            status, filter_version, version, created_at, updated_at)
     values ('${id}', 'c', '${id}', 'events', '', 'record', '{}', '{}', 'r', 'paused', 1, 1, now(), now())`,
  );
  await db.query({
    text: `insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types)
           values ($1, 1, 0, $2, '{*}', '{created}')`,
    values: [id, syncs],
  });
  await db.query({
    text: 'insert into cursors (consumer_id, position, ahead) values ($1, $2, $3)',
    values: [id, position, ahead],
  });
  return id;
}

test('a partition of old events is dropped as a whole, and an alert counts them for each consumer that had not passed them', async () => {
  await using streams = await openStreams();
  const { db, appender, pages } = streams;
  const old = ['a', 'b', 'a', 'a'].map((syncId) => anEvent({ syncId }));
  await appender.events([...old, anEvent({ syncId: 'a', event: 'deleted' })]);
  await db.query(`update events set event_inserted_at = now() - interval '31 days'`);
  const retention = createRetention({
    db,
    eventMs: 30 * DAY,
    attemptMs: 7 * DAY,
    alerts,
    log: silent,
  });
  await retention.run();
  expect(await partitions(db, 'events')).toContain('events_0'); // more may still be appended to it

  await db.query(
    `update streams set last_position = ${EVENTS_A_PARTITION - 1} where name = 'events'`,
  );
  await appender.events([anEvent()]);
  await ensurePartitions(db);
  const behind = await insertConsumer(db, 1, [3], ['a']);
  await insertConsumer(db, 4, [], ['a']);
  await insertConsumer(db, 0, [], ['c']);
  await retention.run();

  expect(await partitions(db, 'events')).toEqual([
    `events_${EVENTS_A_PARTITION}`,
    `events_${2 * EVENTS_A_PARTITION}`,
    `events_${3 * EVENTS_A_PARTITION}`,
  ]);
  const { rows: told } = await db.query('select id, consumer_id, kind, detail from alerts');
  const reason = '1 event (position 4) was older than 30 days and dropped before it was sent';
  expect(told).toMatchObject([
    { consumer_id: behind, kind: 'retention', detail: { reason, count: 1, first: 4, last: 4 } },
  ]);
  const { rows: outbox } = await db.query<{ body: string }>(
    'select channel, recipients, subject, body, headers from outbox order by channel',
  );
  expect(outbox).toMatchObject([
    {
      channel: 'mail',
      recipients: ['ops@example.com'],
      subject: 'Events lost: c → t',
      headers: { 'X-Millrace-Alert': 'warning', 'X-Millrace-Consumer': behind },
      body: expect.stringContaining(`Consumer "c" has lost events: ${reason}.`),
    },
    { channel: 'webhook' },
  ]);
  expect(outbox[0]!.body).not.toContain('Nothing is lost');
  expect(JSON.parse(outbox[1]!.body)).toMatchObject({
    alert: { id: told[0]!['id'], kind: 'retention', consumer_id: behind, reason, count: 1 },
  });
  const page = await pages.read({
    stream: 'events',
    after: 0,
    filter: EVERYTHING,
    limit: 10,
    maxBytes: 1e6,
    scanRows: 10,
  });
  expect(page).toMatchObject({
    first: EVENTS_A_PARTITION,
    entries: [{ position: EVENTS_A_PARTITION }],
  });
  const { rows: ids } = await db.query<{ n: number }>('select count(*) as n from event_ids');
  expect(ids[0]!.n).toBe(1);
  expect((await appender.events([old[0]!])).accepted).toBe(1); // its id is free again
});

test('events count as lost if the filter in force lets them through: an addition applies above its position, a removal everywhere', async () => {
  await using streams = await openStreams();
  const { db, appender } = streams;
  await appender.events(['b', 'a', 'b', 'a', 'b', 'c'].map((syncId) => anEvent({ syncId })));
  await db.query(`update events set event_inserted_at = now() - interval '31 days'`);
  await db.query(
    `update streams set last_position = ${EVENTS_A_PARTITION - 1} where name = 'events'`,
  );
  await appender.events([anEvent()]);
  const added = await insertConsumer(db, 0, [], ['a']);
  const removed = await insertConsumer(db, 0, [], ['a', 'b']);
  const both = await insertConsumer(db, 0, [], ['a', 'b']);
  const idle = await insertConsumer(db, 0, [], ['a']);
  const change = (id: string, version: number, from: number | null, syncs: string[]) =>
    db.query({
      text: `insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types)
             values ($1, $2, $3, $4, '{*}', '{*}')`,
      values: [id, version, from, syncs],
    });
  await change(added, 2, 2, ['a', 'b']);
  await change(removed, 2, 3, ['b']);
  await change(both, 2, 1, ['b']);
  await change(both, 3, null, ['b', 'c']); // its sender has not taken it yet
  await db.query({
    text: `update filter_versions set condition = 'event.data.n > 1' where consumer_id = $1`,
    values: [removed],
  });
  await db.query(`update tails set position = ${EVENTS_A_PARTITION} where stream = 'events'`);
  await db.query({
    text: `update cursors set idle = true, indexed_epoch = (select epoch from leader) where consumer_id = $1`,
    values: [idle],
  });
  await createRetention({ db, eventMs: 30 * DAY, attemptMs: DAY, alerts, log: silent }).run();
  const { rows } = await db.query<{ consumer_id: string; detail: { reason: string } }>(
    'select consumer_id, detail from alerts',
  );
  // A condition is not evaluated any more, so what it lets through is an upper bound.
  const upTo = rows.filter(({ detail }) =>
    detail.reason.startsWith('up to 3 events (positions 1 to 5)'),
  );
  expect(upTo.map(({ consumer_id }) => consumer_id)).toEqual([removed]);
  const missed = Object.fromEntries(rows.map(({ consumer_id, detail }) => [consumer_id, detail]));
  expect(missed).toMatchObject({
    [added]: { count: 4, first: 2, last: 5 },
    [removed]: { count: 3, first: 1, last: 5 },
    [both]: { count: 3, first: 1, last: 5 },
  });
  expect(Object.keys(missed)).toHaveLength(3);
});

test('a partition whose newest event is young stays', async () => {
  await using streams = await openStreams();
  const { db, appender } = streams;
  await appender.events([anEvent(), anEvent()]);
  await db.query(
    `update events set event_inserted_at = now() - interval '31 days' where position = 1`,
  );
  await db.query(`update streams set last_position = ${EVENTS_A_PARTITION} where name = 'events'`);
  await createRetention({ db, eventMs: 30 * DAY, attemptMs: DAY, alerts, log: silent }).run();
  expect(await partitions(db, 'events')).toContain('events_0');
});

test('passes that have ended go with other traces of the past, and those that nobody completes after 30 days', async () => {
  await using streams = await openStreams();
  const { db } = streams;
  const passes = createPasses({ db });
  const begin = (syncId: string) => passes.begin({ id: randomUUID(), syncId, collectionId: 'a:b' });
  const superseded = await begin('one');
  const completed = await begin('one');
  await passes.complete(completed.id, false);
  const forgotten = await begin('one');
  const running = await begin('two');
  const noting = aChange({ syncId: 'one', collectionId: 'a:b', passId: forgotten.id });
  await streams.appender.records([noting]);
  await streams.appender.records([noting]);
  const retention = createRetention({ db, eventMs: 30 * DAY, attemptMs: DAY, alerts, log: silent });
  const left = async () => {
    await retention.run();
    const { rows } = await db.query<{ id: string }>('select id from passes');
    return rows.map(({ id }) => id).sort();
  };
  const all = [superseded, completed, forgotten, running].map(({ id }) => id).sort();
  expect(await left()).toEqual(all);
  await db.query(`update passes set ended_at = ended_at - interval '25 hours',
                                    created_at = created_at - interval '29 days'`);
  expect(await left()).toEqual([forgotten.id, running.id].sort());
  await db.query({
    text: `update passes set created_at = created_at - interval '2 days' where id = $1`,
    values: [forgotten.id],
  });
  expect(await left()).toEqual([running.id]);
  expect((await db.query('select from pass_seen')).rows).toEqual([]);
});
