import { randomUUID } from 'node:crypto';

import { expect, test } from 'vitest';

import type { Db } from '../../src/db/db.ts';
import { ensurePartitions } from '../../src/db/partitions.ts';
import { createAttemptRetention } from '../../src/retention/attemptRetention.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { openStreams, silent } from '../support/streams.ts';
import { openWorld, someEvents } from '../support/world.ts';

const DAY = 86_400_000;
const ROWS = 6_000;

/** `20261123`, UTC; today's unless days ago. */
function dayOf(ago = 0): string {
  return new Date(Date.now() - ago * DAY).toISOString().slice(0, 10).replaceAll('-', '');
}

async function partitions(db: Db, parent: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>({
    text: `select inhrelid::regclass::text as name from pg_inherits
            where inhparent = $1::text::regclass order by 1`,
    values: [parent],
  });
  return rows.map(({ name }) => name);
}

/** The template has the days from when the run began, which may have been before midnight. */
function beginToday(db: Db): Promise<void> {
  return createAttemptRetention({ db, ageMs: 0, maxBytes: Infinity, log: silent }).run();
}

test('old days of attempts are dropped, partitions of coming days exist, and attempts that were stored without theirs are moved into it', async () => {
  await using streams = await openStreams();
  const { db } = streams;
  await beginToday(db);
  const insert = (at: string) =>
    db.query(
      `insert into attempt_batches values ('${randomUUID()}', ${at}, '{1}', '{1}', '{1}', '{200}', 1, 1, 1, 1)`,
    );
  await db.query(
    `create table attempt_batches_20200101 partition of attempt_batches for values from ('2020-01-01') to ('2020-01-02')`,
  );
  await insert(`'2020-01-01'`);
  await insert(`'2020-06-01'`); // no such day
  const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  await db.query(`drop table attempt_batches_${today}`);
  await insert('now()');
  await ensurePartitions(db);
  const held = await db.query<{ n: number }>(`select count(*) as n from attempt_batches_${today}`);
  expect(held.rows[0]!.n).toBe(1);
  await createAttemptRetention({ db, ageMs: 7 * DAY, maxBytes: Infinity, log: silent }).run();
  expect(await partitions(db, 'attempt_batches')).not.toContain('attempt_batches_20200101');
  const { rows } = await db.query<{ n: number }>('select count(*) as n from attempt_batches');
  expect(rows[0]!.n).toBe(1);
  expect(await partitions(db, 'attempts')).toHaveLength(4); // today, two more, and the rest
});

/** Attempts of both kinds over a part of a day, in order of time. */
async function fill(db: Db, day: string, from: number, to: number): Promise<void> {
  const at = `timestamptz '${day}' + n * interval '1 second'`;
  const series = `generate_series(${from}, ${to - 1}) n`;
  await db.query(`
    insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome)
    select gen_random_uuid(), '${CONSUMER}', n, 'm', 1, ${at}, 1, 'failed' from ${series}`);
  await db.query(`
    insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status)
    select '${CONSUMER}', ${at}, '{1,2,3}', '{1,1,1}', '{1,1,1}', '{200,200,200}' from ${series}`);
}

const CONSUMER = randomUUID();

async function bytesOf(db: Db, name = '', size = 'total_relation'): Promise<number> {
  const { rows } = await db.query<{ bytes: number }>({
    text: `select sum(pg_${size}_size(inhrelid))::bigint as bytes from pg_inherits
            where inhparent in ('attempts'::regclass, 'attempt_batches'::regclass)
              and inhrelid::regclass::text like '%' || $1`,
    values: [name],
  });
  return rows[0]!.bytes;
}

async function counts(db: Db): Promise<{ rows: number; batches: number }> {
  const { rows } = await db.query<{ rows: number; batches: number }>(
    'select (select count(*) from attempts) as rows, (select count(*) from attempt_batches) as batches',
  );
  return rows[0]!;
}

test('attempts beyond the size limit are dropped day by day, the oldest first, and one log line says which', async () => {
  await using streams = await openStreams();
  const { db } = streams;
  await beginToday(db);
  const days = [dayOf(3), dayOf(2), dayOf(1)];
  for (const day of days) {
    for (const parent of ['attempts', 'attempt_batches']) {
      await db.query(
        `create table ${parent}_${day} partition of ${parent}
            for values from ('${day}') to (date '${day}' + 1)
            with (autovacuum_enabled = false)`, // its maps would add to the size
      );
    }
    await fill(db, day, 0, ROWS);
  }
  const all = await bytesOf(db);
  const logged: object[] = [];
  const log = { info: (fields: object) => void logged.push(fields) };
  const retention = (maxBytes: number) =>
    createAttemptRetention({ db, ageMs: 7 * DAY, maxBytes, log });
  await retention(all).run();
  expect(logged).toEqual([]);

  const maxBytes = all - (await bytesOf(db, days[0])) - 1;
  await Promise.all([retention(maxBytes).run(), retention(maxBytes).run()]); // two servers
  const gone = days.slice(0, 2).flatMap((day) => [`attempts_${day}`, `attempt_batches_${day}`]);
  const dropped = logged.flatMap((line) => (line as { partitions: string[] }).partitions);
  expect(dropped.toSorted()).toEqual(gone.toSorted());
  for (const parent of ['attempts', 'attempt_batches']) {
    expect(await partitions(db, parent)).toHaveLength(5); // a day, today, two more, and the rest
  }
  expect(await counts(db)).toEqual({ rows: ROWS, batches: ROWS });
});

test('the older half of a day that is too large by itself is deleted, and more only once the freed room is used up', async () => {
  await using streams = await openStreams();
  const { db } = streams;
  await beginToday(db);
  const today = dayOf();
  for (const parent of ['attempts', 'attempt_batches']) {
    await db.query(`alter table ${parent}_${today} set (autovacuum_enabled = false)`);
  }
  await fill(db, today, 0, ROWS);
  const logged: object[] = [];
  const log = { info: (fields: object) => void logged.push(fields) };
  const retention = createAttemptRetention({ db, ageMs: DAY, maxBytes: 1, log });
  await retention.run();
  expect(logged).toEqual([{ partitions: [], rows: ROWS, max_bytes: 1 }]);
  const { rows } = await db.query<{ oldest: number }>(
    'select min(position) as oldest from attempts',
  );
  expect(rows[0]!.oldest).toBe(ROWS / 2);

  const bytes = await bytesOf(db, today, 'table');
  await retention.run();
  expect(logged).toHaveLength(1); // there is room for what comes
  for (const parent of ['attempts', 'attempt_batches']) await db.query(`vacuum ${parent}_${today}`);
  await fill(db, today, ROWS, ROWS + ROWS / 3);
  expect(await bytesOf(db, today, 'table')).toBeLessThan(bytes * 1.05);
  await fill(db, today, ROWS + ROWS / 3, 2 * ROWS);
  await retention.run();
  expect(logged).toHaveLength(2);
  expect((await counts(db)).rows).toBeLessThanOrEqual(ROWS);
});

test('dropping attempts does not affect a failing consumer: the number of its attempt continues', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver((_one, response) => void response.writeHead(503).end());
  const id = await world.consumer(await world.target(receiver.url));
  await world.append.events(someEvents(3));
  await world.becomes(id, 'blocked');
  await until(() => receiver.received.length >= 4);
  const dropped: object[] = [];
  await createAttemptRetention({
    db: world.db,
    ageMs: DAY,
    maxBytes: 1,
    log: { info: (fields: object) => void dropped.push(fields) },
  }).run();
  expect(dropped).toHaveLength(1);
  await world.db.query('delete from attempts');
  receiver.respond = (_one, response) => void response.writeHead(204).end();
  expect((await world.api.request('POST', `/v1/consumers/${id}/retry`)).status).toBe(200);
  await world.caughtUp(id);
  const head = receiver.received.filter(({ position }) => position === 1);
  expect(head.map(({ attempt }) => attempt)).toEqual(head.map((_, index) => index + 1));
  expect(head.at(-1)?.status).toBe(204);
  const delivered = receiver.received.filter(({ status }) => status === 204);
  expect(new Set(delivered.map(({ position }) => position))).toEqual(new Set([1, 2, 3]));
});
