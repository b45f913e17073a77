import { Client as Postgres } from 'pg';
import { expect, test } from 'vitest';

import { createDatabase } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster } from '../support/processes.ts';
import { accept, openReceiver, type Received, type TestReceiver } from '../support/receiver.ts';
import { ownerOf } from '../support/sockets.ts';

/** Many quiet consumers of one endpoint, each of a sync of its own. */
interface Quiet {
  ids: string[];
  /** Appends `each` entries of one record to each consumer; returns how many there are by now. */
  storm(each: number): Promise<number>;
  cursors(): Promise<Cursor[]>;
}

interface Cursor {
  consumer_id: string;
  position: number;
  visited: boolean;
  watched: boolean;
  holder: string | null;
}

const AT_ONCE = 10;
const BATCH = 100;
/** A lane that is lost to Temporal is opened again after the heartbeat timeout of 15 s. */
const TAKEOVER_MS = 120_000;
/** So many requests of a storm are answered before a worker is killed, and a third of them before one is frozen. */
const HELD_AFTER = 150;
const LANES = { MILLRACE_VISIT_LANES: '4' };

async function openQuiet(cluster: Cluster, url: string, count: number): Promise<Quiet> {
  const target = await cluster.request<{ id: string }>('POST', '/v1/targets', {
    name: 'quiet',
    base_url: url,
  });
  const ids: string[] = [];
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, async (_, index) => {
      const input = { name: `quiet ${from + index}`, target_id: target.id, stream: 'events' };
      const syncs = [`quiet-${from + index}`];
      return cluster.request<{ id: string }>('POST', '/v1/consumers', { ...input, syncs });
    });
    ids.push(...(await Promise.all(some)).map(({ id }) => id));
  }
  let appended = 0;
  let rounds = 0;

  async function cursors(): Promise<Cursor[]> {
    const client = new Postgres({ connectionString: cluster.env['DATABASE_URL'] });
    await client.connect();
    try {
      const { rows } = await client.query<Cursor>(
        `select consumer_id, position::float8 as position, visited, holder,
                indexed_epoch is not null as watched from cursors`,
      );
      return rows;
    } finally {
      await client.end();
    }
  }

  async function storm(each: number): Promise<number> {
    const events = Array.from({ length: each * count }, (_, index) => ({
      sync_id: `quiet-${index % count}`,
      collection_id: 'shop:order',
      upstream_id: 'one',
      event: 'updated',
      data: { round: rounds, n: Math.floor(index / count) },
    }));
    rounds += 1;
    for (let from = 0; from < events.length; from += BATCH) {
      await cluster.request('POST', '/v1/events', { events: events.slice(from, from + BATCH) });
    }
    appended += events.length;
    return appended;
  }

  await until(async () => (await cursors()).every(({ watched }) => watched), {
    timeoutMs: 120_000,
    what: 'all consumers are idle and watched',
  });
  return { ids, storm, cursors };
}

/** The process that visits most consumers. */
async function busiest({ cursors }: Quiet): Promise<number | null> {
  const counts = new Map<number, number>();
  for (const { visited, holder } of await cursors()) {
    if (!visited || holder === null) continue;
    const pid = Number(holder.split('/')[1]);
    counts.set(pid, (counts.get(pid) ?? 0) + 1);
  }
  const [most] = [...counts].toSorted((a, b) => b[1] - a[1]);
  return most?.[0] ?? null;
}

/** Positions that were received, and that no cursor has passed. */
async function unstored({ cursors }: Quiet, { received }: TestReceiver): Promise<Set<number>> {
  const stored = new Map((await cursors()).map((one) => [one.consumer_id, one.position]));
  const before = received.slice(); // what was on its way has come by now
  const isStored = (one: Received): boolean => one.position <= (stored.get(consumerOf(one)) ?? 0);
  return new Set(before.filter((one) => !isStored(one)).map(({ position }) => position));
}

function consumerOf({ headers }: Received): string {
  return String(headers['millrace-consumer']);
}

/** What came more than once, and first deliveries that came after a later one of their consumer. */
function judge({ received }: TestReceiver) {
  const seen = new Set<number>();
  const newest = new Map<string, number>();
  const repeated: number[] = [];
  const outOfOrder: number[] = [];
  for (const one of received) {
    const { position } = one;
    if (seen.has(position)) {
      repeated.push(position);
      continue;
    }
    seen.add(position);
    if (position < (newest.get(consumerOf(one)) ?? 0)) outOfOrder.push(position);
    newest.set(consumerOf(one), position);
  }
  return { count: seen.size, repeated, outOfOrder };
}

function all(receiver: TestReceiver, count: number): Promise<boolean> {
  return until(() => judge(receiver).count >= count, {
    timeoutMs: TAKEOVER_MS,
    what: () => `${judge(receiver).count} of ${count} have come`,
  });
}

test('after a kill -9 of a worker while entries for all quiet consumers arrive at once, everything arrives in order, and only what was not stored is repeated', async () => {
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url, LANES);
  const held: (() => void)[] = [];
  let isKilled = false;
  await using receiver = await openReceiver((one, response) => {
    // Each consumer's entries are of one record: those after the held ones come after the kill.
    if (receiver.received.length <= HELD_AFTER || isKilled) accept(one, response);
    else held.push(() => accept(one, response));
  });
  const workers = await Promise.all([cluster.startWorker(), cluster.startWorker()]);
  await cluster.startServer();
  const quiet = await openQuiet(cluster, receiver.url, 120);

  const appended = await quiet.storm(3);
  await until(() => held.length > 0, { timeoutMs: TAKEOVER_MS });
  const pid = await busiest(quiet);
  await workers.find((worker) => worker.pid === pid)?.killHard();
  const killedAt = judge(receiver).count;
  const open = await unstored(quiet, receiver);
  isKilled = true;
  for (const answer of held) answer();
  await cluster.startWorker();
  await all(receiver, appended);
  for (const id of quiet.ids) await cluster.caughtUp(id, TAKEOVER_MS);

  const { count, repeated, outOfOrder } = judge(receiver);
  process.stderr.write(`killed after ${killedAt} of ${count}; ${repeated.length} came again\n`);
  expect(pid).not.toBeNull();
  expect(killedAt).toBeLessThan(appended);
  expect({ count, outOfOrder }).toEqual({ count: appended, outOfOrder: [] });
  expect(repeated.filter((position) => !open.has(position))).toEqual([]);
}, 400_000);

/** Needs /proc to tell which process a connection belongs to. */
test.runIf(process.platform === 'linux')(
  'a worker with lanes that was frozen for longer than its leases sends nothing for consumers that others have taken over',
  async () => {
    await using database = await createDatabase();
    await using cluster = await openCluster(database.url, LANES);
    await using receiver = await openReceiver();
    const workers = await Promise.all([cluster.startWorker(), cluster.startWorker()]);
    await cluster.startServer();
    const pids = workers.map((worker) => worker.pid);
    const server = Number(new URL(receiver.url).port);
    const senders = new Map<number, number | null>(); // by connection
    const sent: { pid: number | null; position: number }[] = [];
    const held: (() => void)[] = [];
    let isFrozen = false;
    receiver.respond = (received, response) => {
      const { port, position } = received;
      if (!senders.has(port)) senders.set(port, ownerOf({ client: port, server }, pids));
      sent.push({ pid: senders.get(port) ?? null, position });
      if (isFrozen || sent.length <= HELD_AFTER / 3) accept(received, response);
      else held.push(() => accept(received, response)); // or all is over before it is frozen
    };
    const quiet = await openQuiet(cluster, receiver.url, 60);

    const first = await quiet.storm(3);
    await until(() => held.length > 0, { timeoutMs: TAKEOVER_MS });
    const frozen = await busiest(quiet);
    if (frozen === null) throw new Error('nobody visits');
    process.kill(frozen, 'SIGSTOP');
    const frozenAt = performance.now();
    let woken = 0;
    let open = new Set<number>();
    try {
      open = await unstored(quiet, receiver);
      expect(judge(receiver).count).toBeLessThan(first);
      isFrozen = true;
      for (const answer of held) answer();
      await all(receiver, first);
      await until(() => performance.now() - frozenAt > 20_000, { timeoutMs: 25_000 });
    } finally {
      senders.clear();
      woken = sent.length;
      process.kill(frozen, 'SIGCONT');
    }
    const second = await quiet.storm(2);
    await all(receiver, second);
    for (const id of quiet.ids) await cluster.caughtUp(id, TAKEOVER_MS);
    // It ends by itself, so everything it could still have sent has been sent.
    expect(await workers.find(({ pid }) => pid === frozen)?.stop()).toBe(0);

    // Between the last look at the clock and the write no program can be kept from being frozen.
    const late = sent.slice(woken).filter(({ position }) => position <= first);
    process.stderr.write(`sent again after it was woken: ${JSON.stringify(late)}\n`);
    expect(late.filter(({ pid }) => pid !== frozen)).toEqual([]);
    const { count, repeated, outOfOrder } = judge(receiver);
    expect({ count, outOfOrder }).toEqual({ count: second, outOfOrder: [] });
    const mayRepeat = new Set([...open, ...late.map(({ position }) => position)]);
    expect(repeated.filter((position) => !mayRepeat.has(position))).toEqual([]);
    expect(late.length).toBeLessThanOrEqual(1);
  },
  500_000,
);
