import { setTimeout as pause } from 'node:timers/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  followSource,
  Interrupted,
  type FollowSourceDeps,
} from '../../src/sources/followSource.ts';
import { isRead, openFollowedSource, type FollowedSource } from '../support/followedSource.ts';
import { IS_LONG } from '../support/long.ts';
import { until } from '../support/poll.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';
import { openSourcePostgres, type SourcePostgres } from '../support/sourcePostgres.ts';
import { eventFaults, eventNames, tableDifferences } from '../support/sourceRecords.ts';
import { createWorkload } from '../support/sourceWorkload.ts';

const SEED = seedOf(process.env['SEED'], process.env['SOURCE_RUNS'] !== undefined);
/** More find more. */
const RUNS = Number(process.env['SOURCE_RUNS'] ?? (IS_LONG ? 20 : 1));
/** Followers that die, at least. */
const DEATHS = 15;
/** Statements of each writer, at most, unless a slow machine lets fewer followers die meanwhile than these. */
const STATEMENTS = 1_500;
const LEAST_DEATHS = 4;
/** The chance of dying before a write, and after it. */
const RISK = 0.07;

let postgres: SourcePostgres;

beforeAll(async () => {
  postgres = await openSourcePostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

/** The process has died: nothing that it would do after this is done. */
class Crash extends Error {}

/** What a process is given that dies at one of its writes, before it or after it, or loses a connection. */
function mortal(deps: FollowSourceDeps, draw: () => number): FollowSourceDeps {
  let isDead = false;
  const die = (): never => {
    isDead = true;
    throw new Crash('the process has died');
  };
  const risky = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (isDead || draw() < RISK) die();
      const done = await work(...args);
      if (isDead || draw() < RISK) die();
      return done;
    };
  };
  const { appender, passes } = deps;
  return {
    ...deps,
    appender: { records: risky(appender.records) },
    passes: {
      get: passes.get,
      begin: risky(passes.begin),
      complete: risky(passes.complete),
    },
    openSocket: () => {
      const socket = deps.openSocket();
      if (draw() < 0.15) setTimeout(() => socket.destroy(), draw() * 1_500);
      return socket;
    },
  };
}

/** Follows a source by one process after another, each of which dies sooner or later. */
async function followMortally(
  site: FollowedSource,
  id: string,
  { draw, signal, died }: { draw: () => number; signal: AbortSignal; died: () => void },
): Promise<void> {
  while (!signal.aborted) {
    try {
      await followSource(mortal(site.deps, draw), id, signal);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      died();
      await pause(error.againMs ?? 10);
    }
  }
}

test('after a death within a transaction that is stored in parts, following goes on within it, and each change comes once', async () => {
  await using site = await openFollowedSource(postgres);
  await site.session.run('create sequence s', 'create table t (id int primary key, seq bigint)');
  const { id } = await site.create('t');
  const first = site.follow(id);
  await site.areIn(id, 'following');
  await first.stop();
  await site.session.run(
    `begin; insert into t select g, nextval('s') from generate_series(1, 5000) g;
     update t set seq = nextval('s'); commit`,
  );
  let parts = 0;
  const { appender } = site.deps;
  const records: typeof appender.records = async (changes, places) => {
    const answer = await appender.records(changes, places);
    if (changes.length > 0) parts += 1;
    if (parts === 4) throw new Crash('the process has died'); // within the updates
    return answer;
  };
  const deps = { ...site.deps, appender: { records } };
  await expect(followSource(deps, id, new AbortController().signal)).rejects.toThrow('has died');
  site.follow(id);
  await site.caughtUp(id);
  expect(await eventFaults(site.db, id)).toEqual([]);
  expect(await eventNames(site.db, id)).toHaveLength(10_000);
  const same = { syncId: id, table: 't', key: 'id' };
  expect(await tableDifferences(site.db, site.session, same)).toEqual([]);
});

test.each(Array.from({ length: RUNS }, (_, nth) => SEED + nth))(
  'wherever a follower dies, and whatever is written meanwhile, records are the rows in the end and each change came once (SEED=%i)',
  async (seed) => {
    const draw = drawFrom(seed);
    await using site = await openFollowedSource(postgres, { leaseMs: 2_000 }); // of the dead
    const workload = createWorkload(drawFrom(seed + 1));
    await workload.create(site.session);
    const { id } = await site.create(...workload.tables);
    const dying = new AbortController();
    let deaths = 0;
    const died = (): void => {
      deaths += 1;
    };
    const following = followMortally(site, id, { draw, signal: dying.signal, died });
    await Promise.all(
      ([0, 1] as const).map(async (writer) => {
        await using session = await postgres.connect(site.url);
        const mayGoOn = (nth: number): boolean =>
          deaths < (nth < STATEMENTS ? DEATHS : LEAST_DEATHS);
        for (let nth = 0; mayGoOn(nth); nth += 1) {
          await session.run(workload.next(writer)).catch(async (error: { code?: string }) => {
            if (error.code !== '40P01') throw error; // two truncations that waited for each other
            await session.run('rollback');
          });
          if (nth % 500 === 100 && writer === 0) await site.sources.snapshot(id, { confirm: true });
          await pause(2);
        }
      }),
    );
    dying.abort();
    await following;
    expect(deaths).toBeGreaterThanOrEqual(LEAST_DEATHS);
    site.follow(id);
    await until(() => isRead(site.sources, id), { timeoutMs: 60_000 });
    await site.caughtUp(id);
    expect(await workload.faults(site.db, site.session, id)).toEqual([]);
    expect(await site.get(id)).toMatchObject({ status: 'active', problems: 0 });
  },
  180_000,
);
