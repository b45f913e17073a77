import { expect, test } from 'vitest';

import { createCopy } from '../support/logCopy.ts';
import { until } from '../support/poll.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';
import { into, openSourceLog, type Store } from '../support/sourceLog.ts';
import { openSourcePostgres } from '../support/sourcePostgres.ts';

const SEED = seedOf(process.env['SEED']);

test(`whenever the connection is cut under random changes, the copy is the tables in the end (SEED=${SEED})`, async () => {
  await using postgres = await openSourcePostgres();
  await using log = await openSourceLog(postgres);
  const { session } = log;
  const draw = drawFrom(SEED);
  const upTo = (most: number): number => Math.floor(draw() * most);
  await log.prepare(
    'plain, pair, whole',
    'create table plain (id int primary key, n numeric, small text, large text)',
    'alter table plain alter large set storage external',
    'create table pair (a int, b text, v int[], primary key (b, a))',
    'create table whole (id text primary key, at timestamptz, large text)',
    'alter table whole alter large set storage external',
    'alter table whole replica identity full',
  );
  const copy = createCopy();
  let cuts = 0;
  const store: Store = async (group) => {
    await into(copy)(group);
    if (copy.hasMark('end')) log.stopping.abort();
  };
  const following = (async () => {
    for (;;) {
      const ending = await log.follow(copy.place, store, { maxRows: 1 + upTo(20) });
      if (ending.kind === 'disconnected') cuts += 1;
      else if (ending.kind !== 'slot in use') return ending;
    }
  })();

  let added = 0;
  const id = (): number => 1 + upTo(30);
  const large = (): string => `repeat(md5(random()::text), ${100 + upTo(100)})`;
  const statements: (() => string)[] = [
    () =>
      `insert into plain values (${id()}, ${upTo(1e6)}.${upTo(1e6)}0, 'it''s', ${large()}) on conflict do nothing`,
    () => `update plain set n = n + 0.1 where id = ${id()}`,
    () => `update plain set large = ${large()} where id = ${id()}`,
    () => `update plain set id = ${id()} + 1000 * ${1 + upTo(1e6)} where id = ${id()}`,
    () => `update plain set small = small || '"\\', n = 'NaN'`,
    () => `delete from plain where id = ${id()} or (id > 30 and random() < 0.3)`,
    () =>
      `insert into pair select ${id()}, 'b' || g, array[g, null] from generate_series(1, ${1 + upTo(30)}) g on conflict do nothing`,
    () => `update pair set v = v || ${id()} where a = ${id()}`,
    () => `update pair set a = a + 1000 * ${1 + upTo(1e6)} where a = ${id()}`,
    () => `delete from pair where b = 'b${id()}'`,
    () =>
      `insert into whole values ('w${id()}', now(), ${large()}) on conflict (id) do update set at = clock_timestamp()`,
    () => `update whole set id = id || '!' where id = 'w${id()}'`,
    () => `delete from whole where id <> 'w${id()}' and random() < 0.2`,
    () =>
      draw() < 0.3 ? `truncate ${['plain', 'pair', 'plain, pair', 'whole'][upTo(4)]}` : 'select 1',
    () =>
      `alter table plain add column c${(added += 1)} jsonb; update plain set c${added} = '{"n": 1.0}' where id < 20`,
    () =>
      added === 0 ? 'select 1' : `alter table plain drop column if exists c${1 + upTo(added)}`,
  ];
  for (let step = 0; step < 400; step++) {
    const parts = Array.from({ length: 1 + upTo(4) }, () => statements[upTo(statements.length)]!());
    const isGivenUp = draw() < 0.1;
    const saved = draw() < 0.2 ? `savepoint x; delete from pair; rollback to x;` : '';
    await session.client
      .query(`begin; ${parts.join(';')}; ${saved} ${isGivenUp ? 'rollback' : 'commit'}`)
      .catch(async () => session.run('rollback')); // two rows got the same key
    if (draw() < 0.1) {
      await until(async () => {
        const ended = await session.rows(
          `select pg_terminate_backend(active_pid) from pg_replication_slots where active_pid is not null`,
        );
        return ended.length > 0;
      });
    }
  }
  await log.mark('end');
  expect(await following).toEqual({ kind: 'stopped' });
  expect(cuts).toBeGreaterThan(5);
  expect(await copy.differences(session, 'plain', 'id')).toEqual([]);
  expect(await copy.differences(session, 'pair', `format('[%s,%s]', a, to_json(b))`)).toEqual([]);
  expect(await copy.differences(session, 'whole', 'id')).toEqual([]);
  const [[left] = []] = await session.rows('select count(*) from plain');
  expect(Number(left) + copy.items.length).toBeGreaterThan(100);
});
