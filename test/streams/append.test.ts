import { expect, test } from 'vitest';

import { openDb } from '../../src/db/db.ts';
import { isDatabaseAway } from '../../src/db/errors.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import { createAppender } from '../../src/streams/append.ts';
import { createPages, type Pages } from '../../src/streams/pages.ts';
import { PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { createProxy } from '../support/proxy.ts';
import { watchSlowness } from '../support/slowness.ts';
import { aChange, anEvent, EVERYTHING, openStreams, silent } from '../support/streams.ts';

const PAGE = { filter: EVERYTHING, limit: 100, maxBytes: 1e6, scanRows: 1_000 };

/** Follows a stream page by page until `done`, as a consumer does; what it sees, in order. */
async function follow(pages: Pages, stream: StreamName, done: () => boolean): Promise<string[]> {
  const seen: string[] = [];
  for (let after = 0; ;) {
    const finished = done(); // before the page: what came while it was read is on the next one
    const page = await pages.read({ ...PAGE, stream, after });
    seen.push(...page.entries.map((entry) => entry.messageId));
    after = page.scannedTo;
    if (finished && after >= page.last) return seen;
  }
}

test('a reader that reads page by page while two processes append skips nothing and sees nothing twice', async () => {
  await using streams = await openStreams();
  const { db, url, pages } = streams;
  const other = createAppender({ db, url, ...PATIENT, log: silent });
  let done = false;
  const seen = follow(pages, 'events', () => done);
  const appended: string[] = [];
  const writers = Array.from({ length: 40 }, async (_, writer) => {
    const appender = writer % 2 === 0 ? streams.appender : other;
    for (let n = 0; n < 25; n++) {
      const events = Array.from({ length: 1 + (n % 3) }, () => anEvent());
      await appender.events(events);
      appended.push(...events.map(({ eventId }) => eventId));
      if (writer % 8 === 0) await appender.records([aChange({ upstreamId: `r${writer}-${n}` })]);
    }
  });
  await Promise.all(writers);
  done = true;
  const got = await seen;
  await other.close();
  expect(new Set(got).size).toBe(got.length);
  expect(got.length).toBe(appended.length + 5 * 25); // and one derived event a record
  expect(appended.filter((id) => !got.includes(id))).toEqual([]);
});

test('each request gets its own counts and the position of its last entry', async () => {
  await using streams = await openStreams();
  const { appender, pages } = streams;
  const known = anEvent();
  await appender.events([known]);
  const answers = await Promise.all([
    appender.events([anEvent(), known, anEvent()]),
    appender.events([known]),
    appender.events([anEvent({ eventId: 'twice' }), anEvent({ eventId: 'twice' })]),
  ]);
  expect(answers.map(({ accepted, duplicates }) => [accepted, duplicates])).toEqual([
    [2, 1],
    [0, 1],
    [1, 1],
  ]);
  const { entries } = await pages.read({ ...PAGE, stream: 'events', after: 0 });
  expect(entries).toHaveLength(4);
  expect(entries[2]!.position).toBe(answers[0].position);
  expect(entries[3]!.position).toBe(answers[2].position);
});

test('a record that is updated 1,000 times is in the stream once, with its newest version, and is never lost to a reader', async () => {
  await using streams = await openStreams();
  const { appender, pages, db } = streams;
  const others = Array.from({ length: 50 }, (_, n) => aChange({ upstreamId: `other-${n}` }));
  await appender.records(others);
  let done = false;
  const newest = new Map<string, string>();
  const reader = (async () => {
    for (let after = 0; ;) {
      const finished = done; // before the page: what came while it was read is on the next one
      const page = await pages.read({ ...PAGE, stream: 'records', after, limit: 7 });
      for (const entry of page.entries) newest.set(entry.upstreamId, entry.body);
      after = page.scannedTo;
      if (finished && after >= page.last) return;
    }
  })();
  for (let n = 1; n <= 1_000; n += 4) {
    // four in one group: the last one wins
    await Promise.all(
      [0, 1, 2, 3].map((i) => appender.records([aChange({ data: `{"n":${n + i}}` })])),
    );
  }
  done = true;
  await reader;
  expect(newest.size).toBe(51);
  expect(newest.get('cus_1')).toContain('"data":{"n":1000}');
  const { entries } = await pages.read({ ...PAGE, stream: 'records', after: 0 });
  expect(entries.map((entry) => entry.upstreamId)).toEqual([
    ...others.map((change) => change.upstreamId),
    'cus_1',
  ]);
  const { rows } = await db.query<{ event: string; data: string; changes: string | null }>(
    `select event, data, changes from events where upstream_id = 'cus_1' order by position`,
  );
  expect(rows).toEqual(
    Array.from({ length: 1_000 }, (_, n) => ({
      event: n === 0 ? 'created' : 'updated',
      data: `{"n":${n + 1}}`,
      changes: n === 0 ? null : `{"n":${n}}`,
    })),
  );
});

test('an unchanged record writes nothing, not even a position', async () => {
  await using streams = await openStreams();
  const { appender, db } = streams;
  const first = await appender.records([aChange({ data: '{"a":9007199254740993}' })]);
  const ends = () => db.query('select name, last_position from streams order by name');
  const before = (await ends()).rows;
  const again = await appender.records([aChange({ data: '{"a":9007199254740993}' })]);
  expect(again).toEqual({ ...first, created: 0, unchanged: 1 });
  expect((await ends()).rows).toEqual(before);
  const { updated } = await appender.records([aChange({ data: '{"a":9007199254740992}' })]);
  expect(updated).toBe(1);
});

test('created_at stays the same, version_id and updated_at change with each version', async () => {
  await using streams = await openStreams();
  const { appender, pages } = streams;
  const read = async () => {
    const { entries } = await pages.read({ ...PAGE, stream: 'records', after: 0 });
    return JSON.parse(entries[0]!.body).record as Record<string, unknown>;
  };
  await appender.records([aChange({ upstreamCreatedAt: '2026-01-01T02:00:00.5+02:00' })]);
  const first = await read();
  await appender.records([aChange({ data: null, deleted: true })]);
  const second = await read();
  expect(first['upstream_created_at']).toBe('2026-01-01T00:00:00.5Z');
  expect(second).toEqual({
    ...first,
    deleted: true,
    version_id: second['version_id'],
    updated_idx: 2,
    updated_at: second['updated_at'],
  });
  expect(second['version_id']).not.toBe(first['version_id']);
  expect(second['updated_at']! > first['updated_at']!).toBe(true);
});

test('a request that Postgres refuses fails alone, and the others of its group are kept', async () => {
  await using streams = await openStreams();
  const { appender, pages } = streams;
  const warm = appender.events([anEvent()]); // while this commits, the rest becomes one group
  const bad = anEvent({ syncId: 'a\u0000b' });
  const results = await Promise.allSettled([
    warm,
    appender.events([anEvent({ upstreamId: 'before' })]),
    appender.events([anEvent({ upstreamId: 'with' }), bad]),
    appender.events([anEvent({ upstreamId: 'after' })]),
  ]);
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
  const { entries } = await pages.read({ ...PAGE, stream: 'events', after: 0 });
  expect(entries.map((entry) => entry.upstreamId)).toEqual(['cus_1', 'before', 'after']);
});

test('an append whose partition is missing creates it and continues', async () => {
  await using streams = await openStreams();
  const { appender, db } = streams;
  await db.query(`update streams set last_position = 99999999 where name = 'events'`);
  expect((await appender.events([anEvent()])).position).toBe(100_000_000);
  await db.query(`update streams set last_position = 199999999 where name = 'events'`);
  expect((await appender.records([aChange()])).created).toBe(1);
});

test('when connections break during appends, every answered append is stored exactly once', async () => {
  await using streams = await openStreams();
  const { appender, url } = streams;
  const admin = openDb({ url, ...PATIENT, max: 2, onError: () => undefined });
  let done = false;
  let answered = 0;
  let killed = 0;
  const killer = (async () => {
    while (!done) {
      const goal = answered + 20;
      const { rows } = await admin.query<{ n: number }>(
        `select count(pg_terminate_backend(pid)) as n from pg_stat_activity
          where application_name = 'millrace append' and datname = current_database()`,
      );
      killed += rows[0]!.n;
      await until(() => answered >= goal || done);
    }
  })();
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    for (let n = 0; n < 30; n++) {
      const upstreamId = `${writer}-${n}`;
      const answer =
        writer % 2 === 0
          ? await appender.events([anEvent({ upstreamId }), anEvent({ upstreamId })])
          : await appender.records([aChange({ upstreamId })]);
      expect(answer).toMatchObject(
        writer % 2 === 0 ? { accepted: 2, duplicates: 0 } : { created: 1 },
      );
      answered++;
    }
  });
  await Promise.all(writers).finally(() => (done = true));
  await killer;
  expect(killed).toBeGreaterThan(5);
  const { rows } = await admin.query<{ upstream_id: string; n: number }>(
    'select upstream_id, count(*) as n from events group by upstream_id',
  );
  expect(rows).toHaveLength(16 * 30);
  const wrong = rows.filter(
    ({ upstream_id, n }) => n !== (Number.parseInt(upstream_id) % 2 === 0 ? 2 : 1),
  );
  expect(wrong).toEqual([]);
  const { last } = await createPages(admin).read({ ...PAGE, stream: 'records', after: 0 });
  expect(last).toBe(8 * 30);
  await admin.close();
});

test('an append whose answer is lost is looked up, not repeated', async () => {
  await using streams = await openStreams();
  await using proxy = await createProxy(streams.url);
  const appender = createAppender({ db: streams.db, url: proxy.url, ...PATIENT, log: silent });
  const known = anEvent();
  await appender.events([known]);
  await appender.records([aChange()]);

  proxy.loseAnswerTo('insert-events');
  const events = appender.events([anEvent(), known, anEvent({ eventId: 'own-id' })]);
  expect(await events).toMatchObject({ accepted: 2, duplicates: 1, position: 5 });

  proxy.loseAnswerTo('upsert-records');
  const changes = [
    aChange({ data: '2' }),
    aChange({ data: '3' }),
    aChange({ upstreamId: 'cus_2' }),
  ];
  expect(await appender.records(changes)).toEqual({
    accepted: 3,
    created: 1,
    updated: 2,
    deleted: 0,
    unchanged: 0,
    position: 3,
  });

  expect(proxy.lost).toBe(2);
  await appender.close();
  const { rows } = await streams.db.query<{ data: string }>(
    'select data from events order by position',
  );
  expect(rows.map(({ data }) => data)).toEqual([
    '{"n":1}',
    '{"n":1}',
    '{"n":1}',
    '{"n":1}',
    '2',
    '3',
    '{"n":1}',
  ]);
});

test('an append that was lost before it was committed is written once', async () => {
  await using streams = await openStreams();
  await using proxy = await createProxy(streams.url);
  const appender = createAppender({ db: streams.db, url: proxy.url, ...PATIENT, log: silent });
  await appender.records([aChange()]);
  proxy.loseAnswerTo('select-records'); // the locked transaction ends with its connection
  expect(await appender.records([aChange({ data: '2' })])).toMatchObject({
    updated: 1,
    position: 2,
  });
  expect(proxy.lost).toBe(1);
  await appender.close();
  const { rows } = await streams.db.query<{ n: number }>('select count(*) as n from events');
  expect(rows[0]!.n).toBe(2);
});

test('while Postgres is away appends are refused immediately, and they work again when it is back', async () => {
  await using streams = await openStreams();
  await using proxy = await createProxy(streams.url);
  let noticed = false;
  const log = { warn: () => (noticed = true) };
  const appender = createAppender({ db: streams.db, url: proxy.url, log });
  await appender.events([anEvent()]);
  proxy.setAway(true);
  await until(() => noticed);
  using slow = watchSlowness(() => streams.db.query('select'));
  const started = performance.now();
  const refused = await appender.events([anEvent()]).catch((error: unknown) => error);
  expect(isDatabaseAway(refused)).toBe(true);
  expect(performance.now() - started - slow.ms()).toBeLessThan(4_000); // one in doubt is looked for 5 s long
  proxy.setAway(false);
  await until(async () => (await appender.events([anEvent()])).accepted === 1);
  await appender.close();
});
