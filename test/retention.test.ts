import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Db } from '../src/db.ts';
import { ensurePartitions, EVENTS_A_PARTITION } from '../src/partitions.ts';
import { createRetention } from '../src/retention.ts';
import { anEvent, EVERYTHING, openStreams, silent } from './support/streams.ts';

const DAY = 86_400_000;

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

test('a partition of old events goes whole, and who had still to pass some of them is told how many', async () => {
  await using streams = await openStreams();
  const { db, appender, pages } = streams;
  const old = ['a', 'b', 'a', 'a'].map((syncId) => anEvent({ syncId }));
  await appender.events([...old, anEvent({ syncId: 'a', event: 'deleted' })]);
  await db.query(`update events set event_inserted_at = now() - interval '31 days'`);
  const retention = createRetention({ db, eventMs: 30 * DAY, attemptMs: 7 * DAY, log: silent });
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
  const { rows: alerts } = await db.query('select consumer_id, kind, detail from alerts');
  expect(alerts).toEqual([
    { consumer_id: behind, kind: 'retention', detail: { count: 1, first: 4, last: 4 } },
  ]);
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

test('a partition whose newest event is young stays', async () => {
  await using streams = await openStreams();
  const { db, appender } = streams;
  await appender.events([anEvent(), anEvent()]);
  await db.query(
    `update events set event_inserted_at = now() - interval '31 days' where position = 1`,
  );
  await db.query(`update streams set last_position = ${EVENTS_A_PARTITION} where name = 'events'`);
  await createRetention({ db, eventMs: 30 * DAY, attemptMs: DAY, log: silent }).run();
  expect(await partitions(db, 'events')).toContain('events_0');
});
