import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { LogGroup } from '../../src/sources/postgres/groupCutter.ts';
import { parseLsn, type Lsn } from '../../src/sources/postgres/lsn.ts';
import { createCopy } from '../support/logCopy.ts';
import { until } from '../support/poll.ts';
import { createProxy } from '../support/proxy.ts';
import { into, openSourceLog, START, type SourceLog, type Store } from '../support/sourceLog.ts';
import { configOf, openSourcePostgres, type SourcePostgres } from '../support/sourcePostgres.ts';

/** Within half of it a process that a busy machine stalls has to answer the server. */
const TIMEOUT_MS = 5_000;

const PATIENCE = { timeoutMs: 90_000 };

let postgres: SourcePostgres;
let log: SourceLog;

beforeAll(async () => {
  postgres = await openSourcePostgres({ wal_sender_timeout: String(TIMEOUT_MS) });
});
afterAll(() => postgres[Symbol.asyncDispose]());

beforeEach(async () => {
  log = await openSourceLog(postgres);
});
afterEach(() => log[Symbol.asyncDispose]());

/** When our last status was sent that the server has had, ms; NaN before there was one. */
async function replyTime(): Promise<number> {
  const [[time] = []] = await log.session.rows('select reply_time from pg_stat_replication');
  return Date.parse(time ?? '');
}

describe('a large transaction', () => {
  test('goes on within it after a crash, with each row once', async () => {
    await log.prepare('t', 'create table t (id int primary key)');
    await log.session.run('insert into t select generate_series(1, 10000)');
    await log.mark('end');
    const copy = createCopy();
    const crash = new Error('the disk is full');
    let crashes = 0;
    while (!copy.hasMark('end')) {
      let left = 1 + (crashes % 4);
      const store: Store = async (group) => {
        if (left-- === 0) throw crash;
        await into(copy)(group);
        if (copy.hasMark('end')) log.stopping.abort();
      };
      const ended = await log.follow(copy.place, store).catch((error: unknown) => error);
      expect([crash, { kind: 'stopped' }]).toContainEqual(ended);
      if (ended === crash) crashes += 1;
    }
    expect(crashes).toBeGreaterThan(5);
    const ids = copy.items.flatMap((item) =>
      item.kind === 'change' && item.change.kind === 'row' ? [Number(item.change.upstreamId)] : [],
    );
    expect(ids).toEqual(Array.from({ length: 10_000 }, (_, nth) => nth + 1));
  });

  test('that is larger than what may be held is read to its end', async () => {
    await log.prepare('t', 'create table t (id int primary key, text text)');
    await log.session.run(
      `insert into t select g, repeat('x', 1000) from generate_series(1, 5000) g`,
    );
    await log.mark('end');
    const copy = createCopy();
    const sizes: number[] = [];
    const store: Store = async (group) => {
      sizes.push(group.bytes);
      await into(copy)(group);
    };
    const more = { maxRows: 1e6, maxBytes: 200_000 };
    const following = log.follow(START, store, more);
    await until(() => copy.hasMark('end'));
    log.stopping.abort();
    expect(await following).toEqual({ kind: 'stopped' });
    expect(await copy.differences(log.session, 't', 'id')).toEqual([]);
    expect(Math.max(...sizes)).toBeLessThan(60_000);
  });
});

describe('what the server may forget', () => {
  test('is only what is stored, and all of it once that is', async () => {
    await log.prepare('t', 'create table t (id int primary key)');
    const before = await log.confirmed();
    const gates: PromiseWithResolvers<void>[] = [];
    const places: Lsn[] = [];
    const store: Store = async (group: LogGroup) => {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
      places.push(group.place.lsn);
    };
    const following = log.follow(START, store);
    await log.session.run('insert into t values (1)');
    await until(() => gates.length === 1);
    await log.session.run('insert into t values (2)');
    const end = await log.currentLsn();
    // Its keepalives have come and were answered in the meantime.
    const began = await until(replyTime);
    await until(async () => (await replyTime()) > began + TIMEOUT_MS);
    expect(await log.confirmed()).toBe(before);
    gates[0]!.resolve();
    await until(() => gates.length === 2);
    await until(async () => (await log.confirmed()) >= places[0]!);
    expect(await log.confirmed()).toBe(places[0]);
    gates[1]!.resolve();
    await until(async () => (await log.confirmed()) >= end);
    log.stopping.abort();
    expect(await following).toEqual({ kind: 'stopped' });
  });

  test('goes on with what other tables write, when there is nothing to store', async () => {
    await log.prepare('t', 'create table t (id int primary key)', 'create table other (id int)');
    const places: Lsn[] = [];
    const following = log.follow(START, (group) => {
      expect(group).toMatchObject({ items: [], bytes: 0, place: { within: null } });
      places.push(group.place.lsn);
      return Promise.resolve();
    });
    await log.session.run('insert into other select generate_series(1, 1000)');
    const end = await log.currentLsn();
    await until(async () => (await log.confirmed()) >= end);
    expect(places).toContain(await log.confirmed()); // the server forgets nothing before that is stored
    log.stopping.abort();
    expect(await following).toEqual({ kind: 'stopped' });
  });
});

describe('while our side stands still', () => {
  test('the server has to wait, holds no more than its buffers, and does not end the session', async () => {
    await log.prepare('t', 'create table t (id int primary key, text text)');
    const copy = createCopy();
    const gate = Promise.withResolvers<void>();
    const store: Store = async (group) => {
      await gate.promise;
      copy.store(group);
    };
    const following = log.follow(START, store);
    await until(async () => (await log.slot('active_pid'))[0] != null);
    const [pid] = await log.slot('active_pid');
    for (let nth = 0; nth < 64; nth++) {
      await log.session.run(
        `insert into t select g, repeat('x', 1000) from generate_series(${nth * 1000}, ${nth * 1000 + 999}) g`,
      );
    }
    await log.mark('end');
    const end = await log.currentLsn();
    const waits = `select sent_lsn from pg_stat_replication join pg_stat_activity using (pid) where wait_event = 'WalSenderWriteData'`;
    const [[sent] = []] = await until(async () => {
      const rows = await log.session.rows(waits);
      return rows.length > 0 && rows;
    });
    expect(end - parseLsn(sent ?? '')).toBeGreaterThan(30_000_000n);
    const began = await until(replyTime);
    await until(async () => (await replyTime()) > began + 2 * TIMEOUT_MS, PATIENCE);
    expect((await log.slot('active_pid'))[0]).toBe(pid);
    gate.resolve();
    await until(() => copy.hasMark('end'));
    log.stopping.abort();
    expect(await following).toEqual({ kind: 'stopped' });
    expect(await copy.differences(log.session, 't', 'id')).toEqual([]);
  });
});

test('a server that has nothing to send for many times its timeout is not lost', async () => {
  await log.prepare('t', 'create table t (id int primary key)');
  const copy = createCopy();
  const following = log.follow(START, into(copy));
  await log.mark('first');
  await until(() => copy.hasMark('first'));
  const [pid] = await log.slot('active_pid');
  const began = await until(replyTime);
  await until(async () => (await replyTime()) > began + 3 * TIMEOUT_MS, PATIENCE);
  expect(await log.slot('active_pid')).toEqual([pid]);
  log.stopping.abort();
  expect(await following).toEqual({ kind: 'stopped' });
});

test('a server that has gone without a word counts as lost after twice its timeout', async () => {
  await log.prepare('t', 'create table t (id int primary key)');
  await using proxy = await createProxy(log.url);
  const copy = createCopy();
  const config = configOf(proxy.url);
  const following = log.follow(START, into(copy), { config });
  await log.mark('first');
  await until(() => copy.hasMark('first'));
  proxy.silenceOpen();
  const begun = performance.now();
  expect(await following).toEqual({
    kind: 'disconnected',
    message: expect.stringMatching(/^The server has sent nothing for [1-9]\d{4} ms$/u) as unknown,
  });
  expect(performance.now() - begun).toBeGreaterThan(TIMEOUT_MS);
});

describe('a slot', () => {
  beforeEach(() => log.prepare('t', 'create table t (id int primary key)'));

  test('that another session reads is told from one that is lost', async () => {
    const following = log.follow(START, () => Promise.resolve());
    await until(async () => (await log.slot('active_pid'))[0] != null);
    expect(await log.follow(START, () => Promise.resolve())).toEqual({
      kind: 'slot in use',
      message: expect.stringContaining('is active for PID') as unknown,
    });
    log.stopping.abort();
    expect(await following).toEqual({ kind: 'stopped' });
    // A clean stop leaves it free.
    const [[active] = []] = await log.session.rows('select active from pg_replication_slots');
    expect(active).toBe('f');
    const { signal } = new AbortController();
    await log.session.run(`select pg_drop_replication_slot('s')`);
    expect(await log.follow(START, () => Promise.resolve(), { signal })).toEqual({
      kind: 'slot lost',
      message: 'replication slot "s" does not exist',
    });
  });

  test('whose log was removed is lost', async () => {
    await log.session.run(
      `alter system set max_slot_wal_keep_size = '16MB'`,
      'select pg_reload_conf()',
      'create table other (id int)',
    );
    await until(async () => {
      await log.session.run(
        'insert into other select generate_series(1, 10000)',
        'select pg_switch_wal()',
        'checkpoint',
      );
      return (await log.slot('wal_status'))[0] === 'lost';
    });
    await log.session.run('alter system reset max_slot_wal_keep_size', 'select pg_reload_conf()');
    expect(await log.follow(START, () => Promise.resolve())).toMatchObject({ kind: 'slot lost' });
  });

  test('that begins after what is stored is lost, and nothing of it is stored', async () => {
    const groups: LogGroup[] = [];
    await log.session.run('insert into t values (1)');
    const from = { lsn: (await log.confirmed()) - 1n, within: null };
    const ended = await log.follow(from, async (group) => void groups.push(group));
    expect(ended).toEqual({ kind: 'slot lost', message: 'it begins after what is stored' });
    expect(groups).toEqual([]);
  });

  test('that is of another database is not lost, and the error says so', async () => {
    const config = configOf(await postgres.createDatabase());
    await expect(log.follow(START, () => Promise.resolve(), { config })).rejects.toThrow(
      'was not created in this database',
    );
  });
});

test('types that come with a table are known before its first row, and nothing overtakes the question', async () => {
  await log.prepare(
    't, u',
    `create type mood as enum ('sad', 'so, so')`,
    'create table t (id int primary key, m mood[])',
    'create table u (id int primary key)',
  );
  await log.session.run(
    `begin; insert into t values (1, '{sad,"so, so"}'); insert into u values (1); insert into t values (2, null); commit`,
  );
  await log.mark('end');
  const copy = createCopy();
  const following = log.follow(START, into(copy));
  await until(() => copy.hasMark('end'));
  log.stopping.abort();
  await following;
  const data = copy.items.flatMap((item) =>
    item.kind === 'change' && item.change.kind === 'row' ? [item.change.data] : [],
  );
  expect(data).toEqual(['{"id":1,"m":["sad","so, so"]}', '{"id":1}', '{"id":2,"m":null}']);
});

test('a stop waits for the group that is being stored, and says so to the server', async () => {
  await log.prepare('t', 'create table t (id int primary key)');
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const copy = createCopy();
  const following = log.follow(START, async (group) => {
    begun.resolve();
    await gate.promise;
    copy.store(group);
  });
  await log.session.run('insert into t values (1)');
  await begun.promise;
  log.stopping.abort();
  gate.resolve();
  expect(await following).toEqual({ kind: 'stopped' });
  expect(copy.place.lsn).toBeGreaterThan(0n);
  await until(async () => (await log.slot('active'))[0] === 'f');
  expect(await log.confirmed()).toBe(copy.place.lsn);
});

test('a signal that was aborted before leaves the slot alone', async () => {
  log.stopping.abort();
  const config = configOf('postgres://nobody@127.0.0.1:1/none');
  expect(await log.follow(START, () => Promise.resolve(), { config })).toEqual({ kind: 'stopped' });
});

test('a server that is not there is a connection to try again', async () => {
  const config = configOf('postgres://nobody@127.0.0.1:1/none');
  expect(await log.follow(START, () => Promise.resolve(), { config })).toMatchObject({
    kind: 'disconnected',
  });
});
