import { expect, test } from 'vitest';

import { createCertificateWatch } from '../../src/alerts/certificateWatch.ts';
import { createChanges } from '../../src/consumers/changes.ts';
import type { Db } from '../../src/db/db.ts';
import { createVault } from '../../src/db/vault.ts';
import { createProgress } from '../../src/progress/progress.ts';
import { createCheckpoints } from '../../src/streams/checkpoints.ts';
import { createPages } from '../../src/streams/pages.ts';
import { selectUnseen, surveyPass, type PassRow } from '../../src/streams/passSql.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { createLeaderStore } from '../../src/wake/leaderStore.ts';
import { ALERT_OPTIONS } from '../support/alertDesk.ts';
import { manyConsumers, manyRowsOfFile, manyTargets, numberedId } from '../support/plans.ts';
import { EVERYTHING, silent } from '../support/streams.ts';

const MANY = 20_000;
const CONSUMER = numberedId(1);
const KEY = { at: '2026-06-01T00:00:00Z', id: CONSUMER };
const EACH_HOUR = `timestamptz '2026-01-01' + n * interval '1 hour'`;
const WATCHED =
  'insert into cursors (consumer_id, position, idle, indexed_epoch) select id, 0, true, 1 from consumers';

const rows = manyRowsOfFile({
  large: ['targets', 'consumers', 'cursors', 'changes', 'records', 'checkpoints'],
  fill: `
    ${manyTargets(MANY, { createdAt: EACH_HOUR })}
    ${manyConsumers(MANY, { target: 'n', cursors: WATCHED })}
    insert into changes (id, consumer_id, edit_id, action, actor, detail, version, at)
    select gen_random_uuid(), id, 'create', 'created', 'x', '{}', 1, ${EACH_HOUR}
      from (select id, row_number() over () as n from consumers) k;
    insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome)
    select gen_random_uuid(), id, n, 'm', 1, now(), 1, 'failed' from (select id from consumers limit 2000) k, generate_series(1, 10) n;
    insert into records (sync_id, collection_id, upstream_id, position, version_id, data, size, deleted, created_at, updated_at)
    select 's' || n % 50, 'a:b', n::text, n, n::text, '{}', 2, false, now(), now() from generate_series(1, ${MANY}) n;
    update streams set last_position = ${MANY} where name = 'records';
    insert into passes (id, sync_id, collection_id, after_position, status, created_at)
    values ('${CONSUMER}', 's7', 'a:b', ${MANY}, 'running', now());
    insert into checkpoints select 's' || n % 500, n::text, '{}', now() from generate_series(1, ${MANY}) n;
    insert into pass_seen (pass_id, positions)
    select '${CONSUMER}', array[n, n + 1, n + 2] from generate_series(1, ${MANY}) n;`,
});

const vault = createVault([{ id: 'test', key: Buffer.alloc(32, 1) }]);
const PASS: PassRow = {
  id: CONSUMER,
  sync_id: 's7',
  collection_id: 'a:b',
  status: 'running',
  deleted: 0,
  seen: null,
  created_at: '',
  ended_at: null,
  after_position: MANY,
};
const page = { after: 10_000, limit: 100, maxBytes: 1_000_000, scanRows: 10_000 };
const newest = { before: Number.MAX_SAFE_INTEGER, limit: 100, maxBytes: 1e6, scanRows: 1_000 };
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
    what: 'a page of targets by a text',
    work: (sql) =>
      createTargets({ db: sql, vault: opener(sql), egress: { refusal: () => null } }).list({
        q: 't1',
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
    what: 'the newest page of the records stream',
    work: (sql) => createPages(sql).older({ ...newest, stream: 'records' }),
    by: /Index Scan Backward using records_position_key/u,
  },
  {
    what: 'the newest page of one collection of the records stream',
    work: (sql) => createPages(sql).older({ ...newest, stream: 'records', collectionId: 'a:b' }),
    by: /Index Scan Backward using records_position_key/u,
  },
  {
    what: 'the newest page of one sync of the records stream',
    work: (sql) => createPages(sql).older({ ...newest, stream: 'records', syncId: 's7' }),
    by: /Index Scan Backward using records_by_sync/u,
  },
  {
    what: 'the entries that the leader matches',
    work: (sql) => createPages(sql).keys('records', 10_000, 100),
    by: /Index Scan using records_position_key/u,
  },
  {
    what: 'one record by its key',
    work: (sql) => createPages(sql).record({ syncId: 's7', collectionId: 'a:b', upstreamId: '7' }),
    by: /Index Scan using records_pkey/u,
  },
  {
    what: 'the records of a collection that a pass has not seen',
    work: (sql) => sql.query(surveyPass(PASS, 100)),
    by: /Scan (?:using|on) records_(?:pkey|by_sync)/u,
  },
  {
    what: 'the unseen records at some positions',
    work: (sql) => sql.query(selectUnseen(PASS.id, [1, 2, 3], 0, 1_000)),
    by: /Scan (?:using|on) records_position_key/u,
  },
  {
    what: 'the checkpoints of a source',
    work: (sql) => createCheckpoints(sql).list('s7', { limit: 10, after: '3' }),
    by: /Index Scan using checkpoints_pkey/u,
  },
  {
    what: 'newly idle consumers among many that are watched',
    work: (sql) => createLeaderStore(sql, 'visit').unwatched(500),
    by: /using cursors_idle/u,
  },
  {
    what: 'consumers that want an entry among many that do not',
    work: (sql) => createLeaderStore(sql, 'visit').wanting(500),
    by: /using cursors_wanted/u,
  },
  {
    what: 'the failed attempts of one consumer',
    work: (sql) => createProgress(sql).failedAttempts(CONSUMER, 0),
    by: /Index (Only )?Scan using attempts_\w+_consumer_id_position/u,
  },
  {
    what: 'client certificates that end soon',
    work: (sql) => createCertificateWatch({ ...ALERT_OPTIONS, db: sql, log: silent })(),
    by: /Index Scan using targets_by_certificate/u,
  },
];

/** Opens nothing: these targets have no real secrets. */
function opener(_sql: Db): typeof vault {
  return { ...vault, open: () => '{"type":"none"}' };
}

for (const { what, work, by } of CASES) {
  test(`read by index: ${what}`, async () => {
    expect(await rows.faults(work, [by])).toEqual([]);
  });
}
