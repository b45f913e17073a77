import { rm } from 'node:fs/promises';

import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts';
import type { Consumer } from '../../src/schema/consumer.ts';
import { createDatabase } from '../support/database.ts';
import { makeDataFolder } from '../support/dataFolder.ts';
import { createFeed, tally, type Feed } from '../support/feed.ts';
import { killPostgres } from '../support/killPostgres.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster } from '../support/processes.ts';
import { openReceiver, type TestReceiver } from '../support/receiver.ts';
const TOTAL = 20_000;
const MIDDLE = 2_000;
/** `max_in_flight`. */
const IN_FLIGHT = 64;
/** From one commit to the next, as a rule: 25 ms, and as long as one takes on a slow machine. */
const COMMIT_MS = 1_500;
/** Until the middle no more is appended ahead of what has arrived. */
const AHEAD = 12_000;
/** A killed sender is replaced after its heartbeat timeout of 15 s and its lease of 8 s. */
const TAKEOVER_MS = 60_000;

/** Appends, and is not through before the middle however long deliveries take to begin. */
async function append(feed: Feed, from: number, to: number, receiver: TestReceiver): Promise<void> {
  for (let at = from; at < to; at += 500) {
    const far = at + 500 - AHEAD;
    await until(() => receiver.received.length >= Math.min(far, MIDDLE), { timeoutMs: 60_000 });
    await feed.append(at, at + 500);
  }
}

/** Resolves while deliveries, and appends, are going on. */
async function inTheMiddle(receiver: TestReceiver, feed: Feed): Promise<void> {
  await until(() => receiver.received.length >= MIDDLE, {
    timeoutMs: 60_000,
    what: `${MIDDLE} deliveries`,
  });
  expect(feed.accepted.size).toBeLessThan(TOTAL);
  expect(receiver.received.length).toBeLessThan(TOTAL);
}

/**
 * How many deliveries may be repeated after a kill at `at`: what was in flight when the last commit
 * took what it stored, and what came since, which is after the commit before it.
 */
async function repeatable(receiver: TestReceiver, url: string, at: number): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ at: number }>(
    `select extract(epoch from committed_at)::float8 * 1000 as at from attempt_batches
      where committed_at <= to_timestamp($1) order by 1`,
    [(performance.timeOrigin + at) / 1_000],
  );
  await client.end();
  const commits = rows.map((row) => row.at - performance.timeOrigin);
  const gaps = commits.slice(1).map((one, index) => one - (commits[index] ?? 0));
  expect(gaps.toSorted((a, b) => a - b)[gaps.length >> 1]).toBeLessThan(COMMIT_MS);
  const since = commits.at(-2) ?? -Infinity;
  return IN_FLIGHT + receiver.received.filter((one) => one.at <= at && one.at > since).length;
}

test('a kill -9 of the worker during 20,000 deliveries loses nothing, keeps the order and repeats only what was not committed', async () => {
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url);
  await using receiver = await openReceiver();
  const [worker] = await Promise.all([cluster.startWorker(), cluster.startServer()]);
  const feed = createFeed(cluster, 'a');
  await feed.append(0, TOTAL / 2);
  const { id } = await cluster.consumer(receiver.url);
  const appending = append(feed, TOTAL / 2, TOTAL, receiver);

  await inTheMiddle(receiver, feed);
  const killedAt = performance.now();
  await worker.killHard();
  const before = receiver.received.map((one) => one.position);
  const { position, ahead } = await cluster.settled(id);
  await cluster.startWorker();
  await appending;
  await until(() => receiver.received.length >= TOTAL, { timeoutMs: TAKEOVER_MS });
  await cluster.caughtUp(id, TAKEOVER_MS);

  const { missing, repeated, outOfOrder } = tally(receiver, [feed]);
  expect(feed.accepted.size).toBe(TOTAL);
  expect({ missing, outOfOrder }).toEqual({ missing: [], outOfOrder: [] });
  const uncommitted = new Set(before.filter((one) => one > position && !ahead.has(one)));
  expect(repeated.filter((one) => !uncommitted.has(one))).toEqual([]);
  expect(repeated.length).toBeLessThanOrEqual(await repeatable(receiver, database.url, killedAt));
}, 300_000);

test('after a kill -9 of the API during appends, everything that was answered 2xx is stored and delivered', async () => {
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url);
  await using receiver = await openReceiver();
  const [, server] = await Promise.all([cluster.startWorker(), cluster.startServer()]);
  const { id } = await cluster.consumer(receiver.url);
  const feeds = ['a', 'b', 'c', 'd'].map((name) => createFeed(cluster, name));
  // A part waits for the first delivery, or all might be appended by then.
  const appending = feeds.map(async (feed, index) => {
    const add = async (from: number, to: number): Promise<string[]> => {
      if (index % 2 === 1) return feed.appendOnce(from, to);
      await feed.append(from, to);
      return [];
    };
    const before = await add(0, MIDDLE / 2);
    await until(() => receiver.received.length > 0, { timeoutMs: 60_000 });
    return [...before, ...(await add(MIDDLE / 2, TOTAL / 4))];
  });

  const accepted = (): string[] => feeds.flatMap((feed) => [...feed.accepted]);
  await until(() => accepted().length >= MIDDLE && receiver.received.length > 0, {
    timeoutMs: 60_000,
  });
  expect(accepted().length).toBeLessThan(TOTAL);
  await server.killHard();
  await cluster.startServer();
  const unanswered = (await Promise.all(appending)).flat();
  await cluster.caughtUp(id, TAKEOVER_MS);

  const stored = await storedIds(cluster);
  expect(new Set(stored).size).toBe(stored.length);
  expect(accepted().length + unanswered.length).toBe(TOTAL);
  const kept = new Set(stored);
  expect(accepted().filter((one) => !kept.has(one))).toEqual([]);
  expect(unanswered.length).toBeGreaterThan(0);
  expect(tally(receiver, feeds)).toEqual({ missing: [], repeated: [], outOfOrder: [] });
}, 300_000);

/** All event ids of the stream, as any client reads them. */
async function storedIds(cluster: Cluster): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor = ''; ;) {
    const page = await cluster.request<{ events: { event_id: string }[]; cursor: string }>(
      'GET',
      `/v1/events?limit=1000${cursor === '' ? '' : `&after_cursor=${cursor}`}`,
    );
    if (page.events.length === 0) return ids;
    ids.push(...page.events.map((event) => event.event_id));
    ({ cursor } = page);
  }
}

let dataDir: string;
beforeAll(async () => {
  dataDir = await makeDataFolder('millrace-kill-');
});
afterAll(() => rm(dataDir, { recursive: true }));

test('after a kill -9 of Postgres during appends and deliveries, every 2xx is on disk, nothing is lost and the order is kept', async () => {
  await using job = await openJob('a');
  const { cluster, receiver, feed } = job;
  const killedAt = performance.now();
  await killPostgres(job.postgres.pid);
  await job.restart();

  const { missing, repeated, outOfOrder } = tally(receiver, [feed]);
  expect({ missing, outOfOrder }).toEqual({ missing: [], outOfOrder: [] });
  // The worker kept its outcomes, unless Postgres was away for longer than its lease.
  const { url } = job.postgres;
  expect(repeated.length).toBeLessThanOrEqual(await repeatable(receiver, url, killedAt));
  expect(new Set(await storedIds(cluster))).toEqual(feed.accepted);
}, 300_000);

test('when Postgres is stopped for 10 s, nothing is lost, at most the requests in flight are repeated, and no endpoint is blamed', async () => {
  await using job = await openJob('p');
  const { receiver, feed } = job;
  const stoppedAt = performance.now();
  await job.postgres.stop();
  await until(() => performance.now() > stoppedAt + 10_000);
  expect(receiver.received.length).toBeLessThan(TOTAL);
  const consumer = await job.restart();

  const { missing, repeated, outOfOrder } = tally(receiver, [feed]);
  expect({ missing, outOfOrder }).toEqual({ missing: [], outOfOrder: [] });
  expect(repeated.length).toBeLessThanOrEqual(IN_FLIGHT);
  process.stderr.write(`Postgres away for 10 s: ${repeated.length} repeated\n`);
  expect(consumer).toMatchObject({ status: 'active', failing_since: null, parked: 0 });
  const client = new Client({ connectionString: job.postgres.url });
  await client.connect();
  const { rows } = await client.query(`select from attempts where outcome = 'failed'`);
  await client.end();
  expect(rows).toEqual([]);
}, 300_000);

/** `TOTAL` entries on a Postgres of its own that are being appended and delivered. */
interface Job extends AsyncDisposable {
  cluster: Cluster;
  receiver: TestReceiver;
  feed: Feed;
  /** The newest. */
  readonly postgres: EmbeddedPostgres;
  /** Starts it again, and resolves when everything is appended and delivered. */
  restart(): Promise<Consumer>;
}

async function openJob(name: string): Promise<Job> {
  const start = (): Promise<EmbeddedPostgres> => startPostgres({ dataDir, say: () => undefined });
  await using opened = new AsyncDisposableStack();
  let postgres = await start();
  opened.defer(() => postgres.stop());
  const cluster = opened.use(await openCluster(postgres.url));
  const receiver = opened.use(await openReceiver());
  await Promise.all([cluster.startWorker(), cluster.startServer()]);
  const { id } = await cluster.consumer(receiver.url);
  const feed = createFeed(cluster, name);
  const appending = append(feed, 0, TOTAL, receiver);
  await inTheMiddle(receiver, feed);
  const all = opened.move();
  return {
    cluster,
    receiver,
    feed,
    get postgres() {
      return postgres;
    },
    restart: async () => {
      postgres = await start();
      await appending;
      await until(() => receiver.received.length >= TOTAL, { timeoutMs: TAKEOVER_MS });
      return cluster.caughtUp(id, TAKEOVER_MS);
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
