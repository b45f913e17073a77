import { setTimeout as wait } from 'node:timers/promises';

import { concurrently } from '../src/process/concurrently.ts';
import type { Target } from '../src/schema/target.ts';
import { appendEach } from './instruments/appendEach.ts';
import { isCalm } from './instruments/calm.ts';
import { clockMs } from './instruments/clock.ts';
import { allStarted } from './instruments/count.ts';
import { cpuFigures } from './instruments/cpu.ts';
import { named, tableOf, type Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { holdsWithin } from './instruments/poll.ts';
import { produce } from './push.ts';

/** What exists already: the consumers, each of one sync, and their syncs. */
export interface Quiet {
  syncs: string[];
  prefix: string;
}

const BUSY = 20;
/** The sync of the consumer that gets thousands of entries a second. */
const APART = 'apart';
const REFUSED_MS = 20_000;
const BACK_S = 60;
const ARRIVE_MS = 240_000;
const EXTRA_MS = 2_000;
const FEED = { connections: 64, records: 100, dataBytes: 200 };
const NEIGHBOUR_RATE = 5_000;
const NEIGHBOUR_S = 20;
const DEAD = 2_000;
const DEAD_S = 600;
/** Nothing listens there. */
const DEAD_URL = 'http://127.0.0.1:9';
const STARTED_MS = 600_000;
const AT_ONCE = 32;
/** A worker is killed once it has sent this share of a storm. */
const KILLED_AFTER = 0.3;
/** What others send goes on for so long at most, and what the killed worker has sent does not come again so soon. */
const KILLED_MS = 5_000;
/** What quiet consumers have got is stored so often, s. */
const COMMIT_S = 0.1;

/** Measures what can go wrong around many quiet consumers, one trial after another, and prints each as it ends. */
export async function quietTrials(installation: Installation, quiet: Quiet): Promise<Figure[]> {
  await createBusy(installation);
  const all: Figure[] = [];
  for (const [name, trial] of [
    ['beside', () => beside(installation, quiet)],
    ['blip', () => blip(installation, quiet)],
    ['kill', () => kill(installation, quiet)],
    ['dead host', () => deadHost(installation)],
  ] as const) {
    const figures = named(name, await trial());
    process.stderr.write(tableOf(name, figures));
    all.push(...figures);
  }
  return all;
}

async function createBusy(installation: Installation): Promise<void> {
  await Promise.all(
    Array.from({ length: BUSY }, (_, number) =>
      installation.consumer({ name: `busy ${number}`, syncs: [`busy-${number}`], start: 'end' }),
    ),
  );
  await installation.consumer({ name: 'apart', path: '/_apart', syncs: [APART], start: 'end' });
  await started(installation);
}

async function started(installation: Installation): Promise<void> {
  await installation.until('all workflows are started', () => allStarted(installation), STARTED_MS);
  await calm(installation);
}

async function calm(installation: Installation): Promise<void> {
  await installation.until('Temporal is calm', () => isCalm(installation), STARTED_MS);
}

/** One consumer gets thousands of entries a second while quiet ones get some. */
async function beside(installation: Installation, { prefix, syncs }: Quiet): Promise<Figure[]> {
  await installation.endpoint.reset({ latency: true, ids: true });
  const load = { ...FEED, seconds: NEIGHBOUR_S };
  const spread = produce(installation, { ...load, rate: 200, prefix, syncs: syncs.length });
  const { apart, appended } = await flood(installation);
  const quiet = await spread;
  await installation.endpoint.arrived(quiet.appended, ARRIVE_MS);
  const { p50, p99, max } = await installation.endpoint.latency();
  await installation.until('the busy one has got all', async () => {
    return (await installation.endpoint.received()).apart >= appended;
  });
  await wait(EXTRA_MS);
  return [
    {
      name: 'the busy one got',
      value: apart / NEIGHBOUR_S,
      unit: 'entries/s',
      note: `${(appended / NEIGHBOUR_S).toFixed(0)} appended a second`,
    },
    { name: 'append → received of the quiet ones, p50', value: p50, unit: 'ms' },
    {
      name: 'p99',
      value: p99,
      unit: 'ms',
      goal: { most: 300 },
      note: `worst ${max.toFixed(0)}; append → answer p50 ${quiet.answer.p50.toFixed(0)}, p99 ${quiet.answer.p99.toFixed(0)}`,
    },
    ...(await faults(installation, quiet.appended)),
  ];
}

/** Appends in batches for one sync, at a fixed rate, or more slowly if the API accepts no more. */
async function flood(installation: Installation): Promise<{ apart: number; appended: number }> {
  const batch = NEIGHBOUR_RATE / 20;
  const from = performance.now();
  let appended = 0;
  while (performance.now() - from < NEIGHBOUR_S * 1_000) {
    const sentAt = clockMs();
    const events = Array.from({ length: batch }, (_, number) => ({
      sync_id: APART,
      collection_id: 'bench:item',
      upstream_id: `r-${(appended + number) % 1_000}`,
      event: 'updated',
      data: { at: sentAt, number: appended + number },
    }));
    await installation.api('POST', '/v1/events', { events });
    appended += batch;
    const due = from + (appended / NEIGHBOUR_RATE) * 1_000;
    await wait(Math.max(0, due - performance.now())); // paces the appends
  }
  return { apart: (await installation.endpoint.received()).apart, appended };
}

/** Every endpoint refuses connections for a while, during which each consumer gets an entry. */
async function blip(installation: Installation, { syncs }: Quiet): Promise<Figure[]> {
  await calm(installation);
  const before = await installation.historyEvents();
  await installation.endpoint.reset({ latency: true, ids: true });
  const seconds = REFUSED_MS / 1_000 + 20;
  const feed = { ...FEED, rate: 200, seconds, prefix: 'busy', syncs: BUSY };
  const fed = produce(installation, feed);
  await wait(3_000); // the feed runs
  const refusedAt = performance.now();
  await installation.endpoint.refuses(REFUSED_MS);
  const { cpu } = await installation.usage(async () => {
    await appendEach(installation, syncs);
    const left = REFUSED_MS - (performance.now() - refusedAt);
    await wait(left);
  });
  const endedAt = clockMs();
  const { appended } = await fed;
  const total = appended + syncs.length;
  const { lastAt } = await installation.endpoint.arrived(total, ARRIVE_MS);
  await calm(installation);
  const history = (await installation.historyEvents()) - before;
  const consumers = syncs.length + BUSY;
  const cores = Object.values(cpu).reduce((sum, one) => sum + one, 0) / (REFUSED_MS / 1_000);
  return [
    {
      name: 'from its end until everything has come',
      value: (lastAt - endedAt) / 1_000,
      unit: 's',
      goal: { most: BACK_S },
      note: `${syncs.length} quiet and ${BUSY} busy consumers, refused for ${REFUSED_MS / 1_000} s`,
    },
    {
      name: 'Temporal history',
      value: history / consumers,
      unit: 'events a consumer',
      goal: { most: 2 },
    },
    { name: 'CPU while everything is refused', value: cores, unit: 'cores' },
    ...(await faults(installation, total)),
  ];
}

/** kill -9 of the worker that visits most, in the middle of a storm; where it is the only one, it is started again. */
async function kill(installation: Installation, { syncs }: Quiet): Promise<Figure[]> {
  const { endpoint } = installation;
  const began = await databaseTime(installation);
  await endpoint.reset({ ids: true });
  await appendEach(installation, syncs);
  const { connections } = await endpoint.arrived(syncs.length * KILLED_AFTER, ARRIVE_MS);
  process.kill(await busiestWorker(installation), 'SIGKILL');
  const killedAt = clockMs();
  const before = await endpoint.received();
  const perSecond = ((before.total - 1) / (before.lastAt - before.firstAt)) * 1_000;
  await wait(KILLED_MS); // what the others had begun has come, and is stored
  const unstored = (await endpoint.received()).distinct - (await storedSince(installation, began));
  await holdsWithin(ARRIVE_MS, async () => (await endpoint.received()).distinct >= syncs.length);
  await wait(EXTRA_MS);
  const { lastAt, total, distinct, outOfOrder } = await endpoint.received();
  const twice = total - distinct;
  return [
    {
      name: 'from the kill until everything has come',
      value: (lastAt - killedAt) / 1_000,
      unit: 's',
      goal: { most: 25 },
      note: `${before.total} of ${syncs.length} had come`,
    },
    { name: 'missing', value: syncs.length - distinct, unit: 'entries', goal: { most: 0 } },
    {
      name: 'received twice',
      value: twice,
      unit: 'entries',
      goal: { most: connections + Math.ceil(perSecond * COMMIT_S) },
      note: `${connections} connections, ${perSecond.toFixed(0)} a second; ${unstored} had come and were not stored`,
    },
    {
      name: 'received twice although stored',
      value: Math.max(0, twice - unstored),
      unit: 'entries',
      goal: { most: 0 },
    },
    { name: 'out of order', value: outOfOrder, unit: 'entries', goal: { most: 0 } },
  ];
}

/** The worker that visits most consumers. */
async function busiestWorker({ sql, pids }: Installation): Promise<number> {
  const { rows } = await sql.query<{ pid: string }>(
    `select split_part(holder, '/', 2) as pid from cursors where visited group by 1 order by count(*) desc limit 1`,
  );
  const pid = Number(rows[0]?.pid);
  const workers = Object.entries(pids()).filter(([name]) => name.startsWith('worker'));
  if (!workers.some(([, one]) => one === pid)) throw new Error('no worker visits');
  return pid;
}

async function databaseTime({ sql }: Installation): Promise<string> {
  const { rows } = await sql.query<{ now: string }>('select clock_timestamp()::text as now');
  return rows[0]?.now ?? '';
}

/** How many deliveries have been stored since then. */
async function storedSince({ sql }: Installation, since: string): Promise<number> {
  const { rows } = await sql.query<{ stored: number }>(
    `select ((select coalesce(sum(cardinality(positions)), 0) from attempt_batches where committed_at >= $1)
           + (select count(*) from attempts where outcome = 'delivered' and stored_at >= $1))::int as stored`,
    [since],
  );
  return rows[0]?.stored ?? 0;
}

/** Many consumers of one host that refuses connections. */
async function deadHost(installation: Installation): Promise<Figure[]> {
  const target = await installation.api<Target>('POST', '/v1/targets', {
    name: 'dead',
    base_url: DEAD_URL,
  });
  const syncs = Array.from({ length: DEAD }, (_, number) => `dead-${number}`);
  await concurrently(syncs, AT_ONCE, async (sync) => {
    await installation.consumer({
      name: sync,
      target_id: target.id,
      syncs: [sync],
      start: 'end',
      alert_emails: [],
    });
  });
  await started(installation);
  const before = await installation.historyEvents();
  await appendEach(installation, syncs);
  const { cpu } = await installation.usage(() => wait(DEAD_S * 1_000));
  const history = (await installation.historyEvents()) - before;
  const cores = cpuFigures(cpu, DEAD_S, { most: 0.2 });
  return [
    ...cores.map((one) => ({ ...one, unit: 'cores' })),
    { name: 'Temporal history', value: history / DEAD, unit: 'events a consumer' },
  ];
}

async function faults(installation: Installation, appended: number): Promise<Figure[]> {
  const { total, distinct, outOfOrder } = await installation.endpoint.received();
  return [
    { name: 'missing', value: appended - distinct, unit: 'entries', goal: { most: 0 } },
    { name: 'received twice', value: total - distinct, unit: 'entries', goal: { most: 0 } },
    { name: 'out of order', value: outOfOrder, unit: 'entries', goal: { most: 0 } },
  ];
}
