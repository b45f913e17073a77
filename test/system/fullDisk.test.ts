import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from 'pg';
import { expect, test } from 'vitest';

import { keepServer } from '../../src/embedded/keepServer.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { createFeed, tally, type Feed } from '../support/feed.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster } from '../support/processes.ts';
import { openReceiver, type TestReceiver } from '../support/receiver.ts';
/** A new cluster takes 65 MB; appends must not fill what is left of it by themselves. */
const DISK = '256m';
const MIDDLE = 1_000;
const IN_FLIGHT = 64;
/** Events that are appended ahead of what has arrived. */
const AHEAD = 2_000;

/** A disk of its own, that can be full, is a tmpfs: mounting one needs CAP_SYS_ADMIN on Linux. */
const canMount =
  process.platform === 'linux' && spawnSync('unshare', ['--mount', 'true']).status === 0;

test.runIf(canMount)(
  'when the disk is full during appends and deliveries, no 2xx is lost, no endpoint is blamed and the order is kept',
  async () => {
    await using disk = await openDisk();
    const said: string[] = [];
    // As under `npm start`: Postgres is started again until it stays.
    await using kept = await keepServer({
      name: 'Postgres',
      start: () => startPostgres({ dataDir: disk.path, say: (line) => said.push(line) }),
      say: (line) => said.push(line),
      stopping: new AbortController().signal,
      moved: () => said.push('moved'),
      patience: () => 10_000,
    });
    const { url } = kept.now();
    await using cluster = await openCluster(url);
    await using receiver = await openReceiver();
    const [worker] = await Promise.all([cluster.startWorker(), cluster.startServer()]);
    const { id } = await cluster.consumer(receiver.url);
    const refused: string[] = [];
    const feed = createFeed(noting(cluster, refused), 'a');
    const producer = new AbortController();
    const appending = appendUntil(producer.signal, feed, receiver, disk);

    await until(() => receiver.received.length >= MIDDLE);
    await disk.fill();
    await until(() => refused.length > 1); // Postgres runs, and has no room
    await endPostgres(url, said);
    await until(() => worker.stderr().includes('sending stops'));
    const { length } = receiver.received;
    await endPostgres(url, said);
    expect(receiver.received.length).toBeLessThanOrEqual(length + IN_FLIGHT);

    await disk.empty();
    await until(() => receiver.received.length >= length + MIDDLE, { timeoutMs: 60_000 });
    producer.abort();
    await appending;
    const consumer = await cluster.caughtUp(id, 60_000);
    const { missing, repeated, outOfOrder } = tally(receiver, [feed]);
    expect({ missing, outOfOrder }).toEqual({ missing: [], outOfOrder: [] });
    expect(repeated.length).toBeLessThanOrEqual(IN_FLIGHT);
    expect(new Set(refused)).toEqual(new Set(['503']));
    expect(consumer).toMatchObject({ status: 'active', failing_since: null, parked: 0 });
    expect(await failedAttempts(url)).toBe(0);
  },
  240_000,
);

/**
 * Appends until it is told to stop, each batch until it is accepted, never far ahead of what arrives
 * unless the disk is full: nothing may arrive then.
 */
async function appendUntil(
  signal: AbortSignal,
  feed: Feed,
  to: TestReceiver,
  disk: Disk,
): Promise<void> {
  const size = 200;
  for (let at = 0; !signal.aborted; at += size) {
    await feed.append(at, at + size);
    const may = (): boolean => signal.aborted || disk.full || to.received.length > at - AHEAD;
    await until(may, { timeoutMs: 120_000 });
  }
}

interface Disk extends AsyncDisposable {
  path: string;
  readonly full: boolean;
  /** Writes until there is no room for another byte; others may write meanwhile. */
  fill(): Promise<void>;
  empty(): Promise<void>;
}

async function openDisk(): Promise<Disk> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-disk-'));
  mount('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', path]);
  await chmod(path, 0o711);
  const ballast = join(path, 'ballast');
  let full = false;
  return {
    path,
    get full() {
      return full;
    },
    fill: async () => {
      await using file = await open(ballast, 'w');
      for (let chunk = Buffer.alloc(1 << 20); chunk.length >= 4_096;) {
        try {
          await file.appendFile(chunk);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          chunk = chunk.subarray(0, chunk.length / 2);
        }
      }
      full = true;
    },
    empty: async () => {
      full = false;
      await rm(ballast);
    },
    [Symbol.asyncDispose]: async () => {
      mount('umount', ['--lazy', path]);
      await rm(path, { recursive: true });
    },
  };
}

function mount(command: 'mount' | 'umount', args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}

/** Notes the status of each request that is not answered 2xx. */
function noting(cluster: Cluster, refused: string[]): Cluster {
  return {
    ...cluster,
    request: async (...args) => {
      try {
        return await cluster.request(...args);
      } catch (error) {
        refused.push(/: (\d{3}) /u.exec((error as Error).message)?.[1] ?? String(error));
        throw error;
      }
    },
  };
}

/** Resolves with what is said when Postgres does not start again (once more). */
async function endPostgres(url: string, said: string[]): Promise<string> {
  const before = said.length;
  return until(
    async () => {
      await writeAhead(url);
      return said.slice(before).find((line) => line.includes('does not start'));
    },
    { timeoutMs: 60_000 },
  );
}

/** Fills a segment of WAL (16 MB): Postgres ends when it has no room for the next one. */
async function writeAhead(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined); // the query on it fails with the same error
  const text = `select pg_logical_emit_message(false, 'ballast', repeat('x', 1000000))`;
  try {
    await client.connect();
    for (let n = 0; n < 16; n++) await client.query(text);
  } catch {
    // as meant: it has ended, or is away
  } finally {
    await client.end();
  }
}

async function failedAttempts(url: string): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rowCount } = await client.query(`select from attempts where outcome = 'failed'`);
  await client.end();
  return rowCount ?? 0;
}
