import { afterAll, beforeAll, expect, test } from 'vitest';

import { createChanges } from '../../src/consumers/changes.ts';
import { openDb, type Db } from '../../src/db/db.ts';
import { createVault } from '../../src/db/vault.ts';
import { createProgress } from '../../src/progress/progress.ts';
import { createPages } from '../../src/streams/pages.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { createLeaderStore } from '../../src/wake/leaderStore.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { plansOf } from '../support/plans.ts';
import { EVERYTHING } from '../support/streams.ts';

const MANY = 20_000;
const CONSUMER = '00000000-0000-7000-8000-000000000001';
const KEY = { at: '2026-06-01T00:00:00Z', id: CONSUMER };
let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createDatabase();
  db = openDb({ url: database.url, onError: () => undefined });
  await db.query(`
    insert into targets (id, name, kind, base_url, credentials, headers, signing_secret, timeout_ms, max_in_flight, metadata, created_at, updated_at)
    select gen_random_uuid(), 't' || n, 'webhook', 'http://a', '', '{}', '', 15000, 64, '{}', timestamptz '2026-01-01' + n * interval '1 hour', now()
      from generate_series(1, ${MANY}) n;
    insert into consumers (id, name, target_id, stream, path, ordering, alert_emails, metadata, region, status, filter_version, version, created_at, updated_at)
    select gen_random_uuid(), 'c', id, 'events', '', 'record', '{}', '{}', 'r', 'active', 1, 1, now(), now()
      from targets;
    insert into filter_versions select id, 1, 0, '{*}', '{*}', '{*}' from consumers;
    insert into cursors (consumer_id, position, idle, indexed_epoch) select id, 0, true, 1 from consumers;
    insert into changes (id, consumer_id, edit_id, action, actor, detail, version, at)
    select gen_random_uuid(), id, 'create', 'created', 'x', '{}', 1, timestamptz '2026-01-01' + row_number() over () * interval '1 hour'
      from consumers;
    insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome)
    select gen_random_uuid(), id, n, 'm', 1, now(), 1, 'failed' from (select id from consumers limit 2000) k, generate_series(1, 10) n;
    insert into records (sync_id, collection_id, upstream_id, position, version_id, data, size, deleted, created_at, updated_at)
    select 's' || n % 50, 'a:b', n::text, n, n::text, '{}', 2, false, now(), now() from generate_series(1, ${MANY}) n;
    update streams set last_position = ${MANY} where name = 'records';
  `);
  await db.query('vacuum analyze');
});

afterAll(async () => {
  await db.close();
  await database[Symbol.asyncDispose]();
});

const vault = createVault([{ id: 'test', key: Buffer.alloc(32, 1) }]);
const page = { after: 10_000, limit: 100, maxBytes: 1_000_000, scanRows: 10_000 };
const CASES: {
  what: string;
  work: (sql: Db) => Promise<unknown>;
  by: RegExp;
}[] = [
  {
    what: 'the first page of targets',
    work: (sql) =>
      createTargets({ db: sql, vault: opener(sql), egress: { refusal: () => null } }).list({
        limit: 10,
        after: null,
      }),
    by: /Index Scan using targets_newest/u,
  },
  {
    what: 'a page of targets in the middle',
    work: (sql) =>
      createTargets({ db: sql, vault: opener(sql), egress: { refusal: () => null } }).list({
        limit: 10,
        after: KEY,
      }),
    by: /Index Scan using targets_newest/u,
  },
  {
    what: 'a page of changes',
    work: (sql) => createChanges(sql).list({ limit: 10, after: KEY }),
    by: /Index Scan using changes_newest/u,
  },
  {
    what: 'a page of the records stream',
    work: (sql) => createPages(sql).read({ ...page, stream: 'records', filter: EVERYTHING }),
    by: /Index Scan using records_position_key/u,
  },
  {
    what: 'a page of one sync of the records stream',
    work: (sql) =>
      createPages(sql).read({
        ...page,
        stream: 'records',
        filter: { ...EVERYTHING, syncs: ['s7'] },
      }),
    by: /Index (Only )?Scan using records_by_sync/u,
  },
  {
    what: 'what the leader looks at',
    work: (sql) => createPages(sql).keys('records', 10_000, 100),
    by: /Index Scan using records_position_key/u,
  },
  {
    what: 'newly idle consumers among many that are watched',
    work: (sql) => createLeaderStore(sql, 'visit').unwatched(500),
    by: /using cursors_idle/u,
  },
  {
    what: 'consumers that want something among many that do not',
    work: (sql) => createLeaderStore(sql, 'visit').wanting(500),
    by: /using cursors_wanted/u,
  },
  {
    what: 'the failed attempts of one consumer',
    work: (sql) => createProgress(sql).failedAttempts(CONSUMER, 0),
    by: /Index (Only )?Scan using attempts_\w+_consumer_id_position/u,
  },
];

/** Opens nothing: these targets have no real secrets. */
function opener(_sql: Db): typeof vault {
  return { ...vault, open: () => '{"type":"none"}' };
}

for (const { what, work, by } of CASES) {
  test(`${what} is read by index`, async () => {
    const plans = await plansOf(db, work);
    expect(plans).toMatch(by);
    expect(plans).not.toMatch(/Seq Scan on (targets|consumers|cursors|changes|records)/u);
  });
}
