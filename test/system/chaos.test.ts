import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';

import { expect, test } from 'vitest';

import type { Consumer } from '../../src/schema/consumer.ts';
import { createDatabase } from '../support/database.ts';
import { unstoredFrom } from '../support/feed.ts';
import { IS_LONG } from '../support/long.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster, type Running } from '../support/processes.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';
import { openUnruly, type Unruly } from '../support/unruly.ts';

/** `npm run chaos` runs the long form; SEED repeats one. */
const LONG = IS_LONG || process.env['CHAOS'] === 'long';
const SEED = seedOf(process.env['SEED'], LONG);
const SIZE = LONG
  ? { seconds: 60, consumers: 8, events: 20_000, records: 500, kills: 3 }
  : { seconds: 15, consumers: 4, events: 4_000, records: 100, kills: 1 };
const IN_FLIGHT = 64;
const WINDOW_S = 20;
const BATCH = 100;

const recordOf = (n: number): string => `r${n % SIZE.records}`;
/** One record of a hundred is refused by every endpoint, always. */
const isPoisoned = (record: string): boolean => Number(record.slice(1)) % 100 === 42;
/** Every fifth record is of a collection that filters let in and out. */
const isExtra = (record: string): boolean => Number(record.slice(1)) % 5 === 1;
const EXTRA = 'shop:extra';
/** What consumers get that have an entry now and then. */
const SELDOM = 'shop:seldom';
const QUIET = 6;
const SELDOM_MS = 700;

type Sent = Map<string, { position: number; record: string }>;

/** One edit of a filter that was answered: from which position it holds. */
interface Edit {
  verb: 'add' | 'remove';
  from: number;
}

/** When a worker was killed, and from when what its sender had done may not have been stored. */
interface Kill {
  at: number;
  unstored: number;
}

interface Subject {
  consumer: Consumer;
  /** What is appended for it, by event id. */
  sent: Sent;
  endpoint: Unruly;
  edits: Edit[];
  kills: Kill[];
}

test('chaos: while endpoints fail in every way, workers are killed and filters edited, nothing is lost, doubled or out of order', async () => {
  process.stderr.write(`chaos: SEED=${SEED} ${JSON.stringify(SIZE)}\n`);
  const random = drawFrom(SEED);
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url, {
    MILLRACE_RETRY_WINDOW: `${WINDOW_S}s`,
    MILLRACE_VISIT_LANES: '2', // those that get thousands are soon sent to by drains of their own
  });
  let [worker] = await Promise.all([cluster.startWorker(), cluster.startServer()]);
  await using endpoints = new AsyncDisposableStack();
  const sent: Sent = new Map();
  const open = async (of: Sent, collections: string[], syncs: string[]): Promise<Subject> => {
    const endpoint = endpoints.use(await openUnruly({ random, isPoisoned }));
    const consumer = await createConsumer(cluster, endpoint.url, { collections, syncs });
    return { consumer, sent: of, endpoint, edits: [{ verb: 'add', from: 0 }], kills: [] };
  };
  const busy: Subject[] = [];
  for (let index = 0; index < SIZE.consumers; index += 1) {
    busy.push(await open(sent, ['shop:order', EXTRA], ['*']));
  }
  const quiet: Subject[] = [];
  for (let index = 0; index < QUIET; index += 1) {
    quiet.push(await open(new Map(), [SELDOM], [`seldom-${index}`]));
  }
  const subjects = [...busy, ...quiet];

  const senders = { busy: new Set<unknown>(), quiet: new Set<unknown>() };
  const over = performance.now() + SIZE.seconds * 1_000;
  let killing = true; // on a busy machine another worker takes its time
  const isOver = (): boolean => !killing && performance.now() >= over;
  await Promise.all([
    append(cluster, sent, isOver),
    appendSeldom(cluster, quiet, random, isOver),
    ...subjects.map((subject) => leaveAndReturn(subject.endpoint, random, isOver)),
    edit(cluster, busy, random, isOver),
    watchSenders(cluster, busy, senders.busy, isOver),
    watchSenders(cluster, quiet, senders.quiet, isOver),
    killWorkers(cluster, worker, subjects).then((last) => {
      killing = false;
      worker = last;
    }),
  ]);
  for (const { endpoint } of subjects) {
    endpoint.behave();
    await endpoint.comeBack();
  }
  for (const { consumer } of subjects) await settle(cluster, consumer.id);

  await positions(
    cluster,
    subjects.map((subject) => subject.sent),
  );
  const seen = await Promise.all(subjects.map((subject) => judge(cluster, subject)));
  process.stderr.write(`chaos: ${JSON.stringify({ seen })}\n`);
  for (const [index, { wrongLetters }] of seen.entries()) {
    for (const id of wrongLetters) await tellOf(cluster, subjects[index] as Subject, id);
  }
  for (const { kills } of subjects) expect(kills).toHaveLength(SIZE.kills);
  expect([...senders.busy]).toContain('drain');
  expect([...senders.quiet]).toContain('visit');
  for (const one of seen) {
    expect(one).toMatchObject({ missing: [], outOfOrder: [], forbidden: [], wrongLetters: [] });
    expect(one.repeated).toBeLessThanOrEqual(one.repeatable);
  }
  for (const one of seen.slice(0, busy.length)) expect(one.deadLetters).toBeGreaterThan(0);
  for (const one of seen.slice(busy.length)) expect(one.taken).toBeGreaterThan(0);
}, 360_000);

// ── what happens ───────────────────────────────────────────────────────────────────────────

async function createConsumer(cluster: Cluster, url: string, filter: object): Promise<Consumer> {
  const target = await cluster.request<{ id: string }>('POST', '/v1/targets', {
    name: 'unruly',
    base_url: url,
    timeout_ms: 1_000,
    max_in_flight: IN_FLIGHT,
  });
  return cluster.request('POST', '/v1/consumers', {
    name: 'chaos',
    target_id: target.id,
    stream: 'events',
    ...filter,
  });
}

/** Appends all events, in even steps over most of the time. */
async function append(cluster: Cluster, sent: Sent, isOver: () => boolean): Promise<void> {
  const pauseMs = (SIZE.seconds * 800) / (SIZE.events / BATCH);
  for (let from = 0; from < SIZE.events; from += BATCH) {
    const events = Array.from({ length: BATCH }, (_, index) => {
      const record = recordOf(from + index);
      const event_id = `e${from + index}`;
      sent.set(event_id, { position: 0, record });
      return {
        sync_id: 'sync',
        collection_id: isExtra(record) ? EXTRA : 'shop:order',
        upstream_id: record,
        event: 'updated',
        event_id,
        data: { n: from + index, text: 'x'.repeat(200) },
      };
    });
    await cluster.request('POST', '/v1/events', { events });
    if (!isOver()) await wait(pauseMs); // a producer's pace
  }
}

/** Appends an entry for each quiet consumer now and then. */
async function appendSeldom(
  cluster: Cluster,
  quiet: Subject[],
  random: () => number,
  isOver: () => boolean,
): Promise<void> {
  for (let n = 0; !isOver(); n += 1) {
    const index = Math.floor(random() * quiet.length);
    const event_id = `s${n}`;
    const record = recordOf(0);
    quiet[index]?.sent.set(event_id, { position: 0, record });
    const event = {
      sync_id: `seldom-${index}`,
      collection_id: SELDOM,
      upstream_id: record,
      event: 'updated',
      event_id,
      data: { n },
    };
    await cluster.request('POST', '/v1/events', { events: [event] });
    await wait(random() * SELDOM_MS); // now and then
  }
}

async function leaveAndReturn(
  endpoint: Unruly,
  random: () => number,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    await wait(3_000 + random() * 12_000); // well for a while
    if (isOver()) return;
    await endpoint.goAway();
    await wait(1_000 + random() * 3_000); // away for a while
    await endpoint.comeBack();
  }
}

/** Lets the extra collection in and out; an edit is repeated until it is answered. */
async function edit(
  cluster: Cluster,
  subjects: Subject[],
  random: () => number,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    await wait(500 + random() * 1_500); // between two people's edits
    const subject = subjects[Math.floor(random() * subjects.length)] as Subject;
    await toggle(cluster, subject);
  }
  for (const subject of subjects) {
    if (subject.edits.at(-1)?.verb === 'remove') await toggle(cluster, subject);
  }
}

async function toggle(cluster: Cluster, { consumer, edits }: Subject): Promise<void> {
  const verb = edits.at(-1)?.verb === 'add' ? 'remove' : 'add';
  const headers = { 'idempotency-key': randomUUID() };
  const { filter_from } = await until(
    () =>
      cluster.request<Consumer>(
        'POST',
        `/v1/consumers/${consumer.id}/filter`,
        { [verb]: { collections: [EXTRA] } },
        headers,
      ),
    { timeoutMs: 60_000, what: 'an edit is answered' },
  );
  edits.push({ verb, from: filter_from });
}

async function watchSenders(
  cluster: Cluster,
  subjects: Subject[],
  seen: Set<unknown>,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    for (const { consumer } of subjects) {
      seen.add((await cluster.get(consumer.id)).sender?.activity);
    }
    await wait(100); // a drain may be brief
  }
}

/** Kills the worker, at once starts another, and waits until deliveries go on. */
async function killWorkers(
  cluster: Cluster,
  first: Running,
  subjects: Subject[],
): Promise<Running> {
  let worker = first;
  for (let kill = 1; kill <= SIZE.kills; kill += 1) {
    await wait((SIZE.seconds * 1_000) / (SIZE.kills + 1)); // in even steps
    const at = performance.now();
    await worker.killHard();
    for (const { consumer, kills } of subjects) {
      kills.push({ at, unstored: unstoredFrom(at, await cluster.storedAt(consumer.id)) });
    }
    worker = await cluster.startWorker();
  }
  return worker;
}

// ── how it ends ────────────────────────────────────────────────────────────────────────────

/** Everything is sent or dead; one that stopped, as its window is short, is resumed. */
async function settle(cluster: Cluster, id: string): Promise<void> {
  let seen: Consumer | null = null;
  await until(
    async () => {
      seen = await cluster.get(id);
      const { status, lag, parked } = seen;
      if (status === 'stopped') await cluster.request('POST', `/v1/consumers/${id}/resume`);
      return status === 'active' && lag.entries === 0 && parked === 0;
    },
    { timeoutMs: 150_000, what: () => `it has settled everything: ${JSON.stringify(seen)}` },
  );
}

async function positions(cluster: Cluster, sent: Sent[]): Promise<void> {
  for (let cursor = ''; ;) {
    const page = await cluster.request<{
      events: { event_id: string; position: number }[];
      cursor: string;
    }>('GET', `/v1/events?limit=1000${cursor === '' ? '' : `&after_cursor=${cursor}`}`);
    for (const { event_id, position } of page.events) {
      for (const some of sent) {
        const one = some.get(event_id);
        if (one !== undefined) one.position = position;
      }
    }
    if (page.events.length === 0) return;
    ({ cursor } = page);
  }
}

/** Whether an entry has to be sent, must not be, or may be (a removal closes what is unsent). */
function expected(edits: Edit[], position: number, record: string): 'must' | 'must not' | 'may' {
  if (!isExtra(record)) return 'must';
  const inForce = edits.findLastIndex((one) => position > one.from);
  if (edits[inForce]?.verb === 'remove') return 'must not';
  return inForce === edits.length - 1 ? 'must' : 'may';
}

async function judge(cluster: Cluster, { consumer, sent, endpoint, edits, kills }: Subject) {
  const first = new Set<string>();
  const newest = new Map<string, number>();
  const outOfOrder: string[] = [];
  const forbidden: string[] = [];
  const unheard = await unheardOf(cluster, consumer.id);
  let repeated = 0;
  // What a killed sender had sent and not stored is unknown to its successor, and so to later edits.
  const isUnstored = (at: number): boolean =>
    kills.some((kill) => at <= kill.at && at > kill.unstored);
  for (const { id, position, record, at } of endpoint.taken) {
    if (first.has(id)) {
      if (!unheard.has(position)) repeated += 1;
      continue;
    }
    first.add(id);
    if (position < (newest.get(record) ?? 0)) outOfOrder.push(id);
    newest.set(record, position);
    if (isUnstored(at)) continue;
    if (expected(edits, position, record) === 'must not') forbidden.push(id);
  }
  const late = endpoint.taken.filter(({ at }) => isUnstored(at));
  const letters = await deadLetters(cluster, consumer.id);
  const missing: string[] = [];
  const wrongLetters = [...letters].filter((id) => !isPoisoned(sent.get(id)?.record ?? ''));
  for (const [id, { position, record }] of sent) {
    if (expected(edits, position, record) !== 'must') continue;
    if (!(isPoisoned(record) ? letters : first).has(id)) missing.push(id);
  }
  return {
    missing,
    outOfOrder,
    forbidden,
    wrongLetters,
    repeated,
    repeatable: IN_FLIGHT * kills.length + late.length,
    taken: first.size,
    deadLetters: letters.size,
    edits: edits.length - 1,
    counts: endpoint.counts,
  };
}

/** Says what happened to an entry that should not be a dead letter: its attempts, and when its endpoint took it. */
async function tellOf(cluster: Cluster, { consumer, endpoint, kills }: Subject, id: string) {
  const { data } = await cluster.request<{ data: Record<string, unknown>[] }>(
    'GET',
    `/v1/consumers/${consumer.id}/attempts?event_id=${id}`,
  );
  const attempts = data.map(({ attempt, started_at, duration_ms, status, error_code }) => {
    return { attempt, started_at, duration_ms, status, error_code };
  });
  const times = (monotonic: number): string =>
    new Date(performance.timeOrigin + monotonic).toISOString();
  const taken = endpoint.taken.filter((one) => one.id === id).map(({ at }) => times(at));
  const killed = kills.map(({ at }) => times(at));
  process.stderr.write(`chaos: ${JSON.stringify({ id, attempts, taken, killed })}\n`);
}

/** Positions with an attempt whose answer did not come in time: they may have been taken all the same. */
async function unheardOf(cluster: Cluster, id: string): Promise<Set<number>> {
  const found = new Set<number>();
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: {
      data: { position: number; status: number | null }[];
      next_cursor: string | null;
    } = await cluster.request(
      'GET',
      `/v1/consumers/${id}/attempts?outcome=failed&limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    for (const { position, status } of page.data) if (status === null) found.add(position);
    cursor = page.next_cursor;
  }
  return found;
}

async function deadLetters(cluster: Cluster, id: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: { data: { message_id: string }[]; next_cursor: string | null } =
      await cluster.request(
        'GET',
        `/v1/consumers/${id}/dead-letters?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
    for (const { message_id } of page.data) found.add(message_id);
    cursor = page.next_cursor;
  }
  return found;
}
