// a source while its follower and both databases are killed, in random order
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { openDb, type Db } from '../../src/db/db.ts';
import { migrate } from '../../src/db/migrate.ts';
import { newSeed } from '../../src/db/seed.ts';
import { createVault } from '../../src/db/vault.ts';
import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts';
import type { Source } from '../../src/schema/source.ts';
import { createSources, type Sources } from '../../src/sources/sources.ts';
import { createInspectDatabase } from '../../src/sources/testDatabase.ts';
import { LOOPBACK } from '../support/app.ts';
import { PATIENT } from '../support/database.ts';
import { makeDataFolder } from '../support/dataFolder.ts';
import { isRead } from '../support/followedSource.ts';
import { killPostgres } from '../support/killPostgres.ts';
import { IS_LONG } from '../support/long.ts';
import { until } from '../support/poll.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';
import { connectTo, type SourceSession } from '../support/sourcePostgres.ts';
import { createWorkload, type Workload } from '../support/sourceWorkload.ts';

const SEED = seedOf(process.env['SEED'], process.env['SOURCE_RUNS'] !== undefined);
/** So many runs, 20 in the long form, in which a slot is dropped as well; SEED repeats one. */
const LONG = process.env['SOURCE_RUNS'] ?? (IS_LONG ? '20' : undefined);
const RUNS = Number(LONG ?? 1);
type Happening = 'follower' | 'freeze' | 'slot' | 'source' | 'millrace';
/** What happens in each run, in an order of its own. */
const HAPPENINGS: Happening[] = [
  'follower',
  'follower',
  'follower',
  'freeze',
  'source',
  'source',
  'millrace',
  ...(LONG === undefined ? [] : (['slot'] as const)),
];
const FOLLOWER = fileURLToPath(new URL('../support/followerProcess.ts', import.meta.url));
const PATIENCE = { timeoutMs: 90_000 };

/** A Postgres that can be killed and started again, with everything that it had. */
interface Server extends AsyncDisposable {
  readonly url: string;
  killAndRestart(): Promise<void>;
}

async function openServer(settings: Record<string, string>): Promise<Server> {
  const dataDir = await makeDataFolder('millrace-kills-');
  const start = (): Promise<EmbeddedPostgres> =>
    startPostgres({
      dataDir,
      say: () => undefined,
      settings: { shared_buffers: '64MB', ...settings },
    });
  let postgres = await start();
  return {
    get url() {
      return postgres.url;
    },
    killAndRestart: async () => {
      await killPostgres(postgres.pid);
      postgres = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await postgres.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** A process that follows, and is killed. */
function startFollower(env: Record<string, string>): { child: ChildProcess; said: () => string } {
  const child = spawn(process.execPath, [FOLLOWER], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-20_000);
  });
  return { child, said: () => said };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Writes until it is told to stop, over one connection after another. */
async function write(
  server: Server,
  workload: Workload,
  { writer, isOver }: { writer: 0 | 1; isOver: () => boolean },
): Promise<number> {
  let written = 0;
  while (!isOver()) {
    try {
      await using session = await connectTo(server.url);
      while (!isOver()) {
        await session.run(workload.next(writer)).catch(async (error: { code?: string }) => {
          if (error.code !== '40P01') throw error; // two that waited for each other
          await session.run('rollback');
        });
        written += 1;
        await pause(1);
      }
    } catch {
      await pause(50); // the server was killed, and is started again
    }
  }
  return written;
}

/** Repeats what fails because a database is away. */
function surely<T>(work: () => Promise<T>): Promise<T> {
  return until(async () => ({ value: await work() }), PATIENCE).then(({ value }) => value as T);
}

test.each(Array.from({ length: RUNS }, (_, nth) => SEED + nth))(
  'a kill -9 of the follower and of either Postgres, and a freeze, lose nothing, double nothing and keep the order (SEED=%i)',
  async (seed) => {
    const draw = drawFrom(seed);
    await using source = await openServer({ wal_level: 'logical', wal_sender_timeout: '2s' });
    await using millrace = await openServer({});
    await migrate(millrace.url);
    await using db = openDb({ url: millrace.url, ...PATIENT, onError: () => undefined });
    const key = randomBytes(32);
    const sources = openSources(db, key);
    const workload = createWorkload(drawFrom(seed + 1));
    {
      await using session = await connectTo(source.url);
      await workload.create(session);
    }
    const { id, slot } = await sources.create(
      {
        name: 'Shop',
        kind: 'postgres',
        url: source.url,
        ca: null,
        expect_within: null,
        tables: workload.tables.map((table) => `public.${table}`),
      },
      newSeed(),
    );
    const env = {
      FOLLOWER_DATABASE: millrace.url,
      FOLLOWER_KEY: key.toString('base64'),
      FOLLOWER_SOURCE: id,
    };
    let follower = startFollower(env);
    let isOver = false;
    const writing = ([0, 1] as const).map((writer) =>
      write(source, workload, { writer, isOver: () => isOver }),
    );
    const left: ChildProcess[] = [];
    const acts: Record<Happening, () => Promise<void>> = {
      source: source.killAndRestart,
      millrace: millrace.killAndRestart,
      follower: async () => {
        await kill(follower.child);
        follower = startFollower(env);
      },
      slot: async () => {
        await Promise.all([follower.child, ...left].map(kill)); // whoever reads it
        await dropSlot(source, slot);
        follower = startFollower(env);
      },
      // It has lost its lease when it goes on, and another one follows.
      freeze: async () => {
        const frozen = follower.child;
        frozen.kill('SIGSTOP');
        left.push(frozen);
        follower = startFollower(env);
        await pause(4_000);
        frozen.kill('SIGCONT');
      },
    };
    const happenings = happeningsBy(draw);
    try {
      for (const what of happenings) {
        await pause(200 + draw() * 3_000);
        if (draw() < 0.3) await surely(() => sources.snapshot(id, {}));
        await acts[what]();
      }
      isOver = true;
      const written = await Promise.all(writing);
      let seen: Source | null = null;
      await until(
        async () => {
          seen = await sources.get(id);
          return isRead(sources, id);
        },
        {
          ...PATIENCE,
          what: () => `all tables are read; ${JSON.stringify(seen)}; ${follower.said()}`,
        },
      );
      await using session = await connectTo(source.url);
      await caughtUp(session, slot);
      process.stderr.write(
        `source kills: ${seed}: ${written.join('+')} statements, ${happenings.join(' ')}\n`,
      );
      expect(await workload.faults(db, session, id)).toEqual([]);
      expect(await sources.get(id)).toMatchObject({ status: 'active', problems: 0 });
    } finally {
      isOver = true;
      await Promise.all(writing);
      await Promise.all([follower.child, ...left].map(kill));
    }
  },
  240_000,
);

function happeningsBy(draw: () => number): Happening[] {
  return HAPPENINGS.map((what) => ({ what, at: draw() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ what }) => what);
}

function openSources(db: Db, key: Buffer): Sources {
  const sockets = createDatabaseSockets({ allowCidrs: LOOPBACK });
  return createSources({
    db,
    vault: createVault([{ id: 'test', key }]),
    region: 'test',
    sockets,
    inspect: createInspectDatabase(sockets.open),
  });
}

/** As somebody does who takes it for a slot that nobody uses. */
async function dropSlot(server: Server, slot: string): Promise<void> {
  await surely(async () => {
    await using session = await connectTo(server.url);
    await session.run(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slot}'`,
    );
    return true;
  });
}

/** Everything that was committed so far is stored. */
async function caughtUp(session: SourceSession, slot: string): Promise<void> {
  const [[end] = []] = await session.rows('select pg_current_wal_lsn()');
  await until(async () => {
    const [[isThere] = []] = await session.rows(
      'select confirmed_flush_lsn >= $1::pg_lsn from pg_replication_slots where slot_name = $2',
      [end, slot],
    );
    return isThere === 't';
  }, PATIENCE);
}
