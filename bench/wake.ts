import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

import { concurrently } from '../src/process/concurrently.ts';
import { percentilesOf } from '../test/support/percentiles.ts';
import { appendEach } from './instruments/appendEach.ts';
import { isCalm } from './instruments/calm.ts';
import { countRows } from './instruments/count.ts';
import { cpuFigures } from './instruments/cpu.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { produce } from './push.ts';

const CONSUMERS = 1_000;
/** The consumers that each part wakes; they stay active for a minute afterwards. */
const ALONE = { from: 0, count: 20 };
const TOGETHER = { from: 20, count: 100 };
const MANY = { from: 120, count: 500 };
const REST = { from: 620, count: 380 };
const CREATE_AT_ONCE = 16;
const QUIET_MS = 10_000;
const TIMEOUT_MS = 120_000;
/** A repeated signal would come within this time. */
const SETTLE_MS = 2_000;

/** Measures a thousand idle consumers: what they cost, and how soon a matching entry arrives. */
export async function wakes(installation: Installation): Promise<Figure[]> {
  const before = await transactionsASecond(installation);
  const ids = await createIdle(installation);
  return [
    ...(await idleCost(installation, ids, before)),
    ...(await oneByOne(installation)),
    ...(await together(installation, ids)),
    ...(await steady(installation)),
    await burst(installation, REST, `${REST.count} more at the same moment`),
    workerMemory(installation),
  ];
}

async function createIdle(installation: Installation): Promise<string[]> {
  const ids: string[] = [];
  await concurrently([...Array(CONSUMERS).keys()], CREATE_AT_ONCE, async (number) => {
    const consumer = await installation.consumer({
      name: `idle ${number}`,
      syncs: [syncOf(number)],
      path: `/${number}`,
      start: 'end',
    });
    ids[number] = consumer.id;
  });
  await installation.until('all consumers are watched by the leader', async () => {
    return (
      (await countRows(installation, 'cursors', 'idle and indexed_epoch is not null')) === CONSUMERS
    );
  });
  await installation.until('their workflows have started', () => isCalm(installation));
  return ids;
}

async function idleCost(
  installation: Installation,
  ids: string[],
  before: number,
): Promise<Figure[]> {
  const running = await countRows(installation, 'cursors', 'holder is not null');
  const sample = await Promise.all(
    ids.slice(0, 50).map((id) => installation.pendingActivities(id)),
  );
  const transactions = await transactionsASecond(installation);
  return [
    {
      name: `${CONSUMERS} idle: activities running`,
      value: running + sample.reduce((sum, one) => sum + one, 0),
      unit: '',
      goal: { most: 0 },
      note: 'by held leases, and by Temporal for 50 of them',
    },
    {
      name: `${CONSUMERS} idle: Postgres transactions`,
      value: transactions,
      unit: '/s',
      note: `${before.toFixed(1)}/s without any consumer`,
    },
  ];
}

/** Appends an entry for one consumer and, once it has arrived, for the next one. */
async function oneByOne(installation: Installation): Promise<Figure[]> {
  const times: number[] = [];
  for (let index = 0; index < ALONE.count; index += 1) {
    await installation.endpoint.reset({ latency: true });
    await appendEach(installation, [syncOf(ALONE.from + index)]);
    await installation.endpoint.gets(1, TIMEOUT_MS);
    times.push((await installation.endpoint.latency()).max);
  }
  const { p50, max } = percentilesOf(times);
  const name = `one of ${CONSUMERS} idle gets its entry`;
  return [
    { name: `${name}, p50`, value: p50, unit: 'ms' },
    {
      name: `${name}, worst`,
      value: max,
      unit: 'ms',
      goal: { most: 250 },
      note: `${ALONE.count} tries`,
    },
  ];
}

async function together(installation: Installation, ids: string[]): Promise<Figure[]> {
  const before = await historyOf(installation, ids);
  const { result: figure, cpu } = await installation.usage(() =>
    burst(installation, TOGETHER, '100 idle at the same moment: all have theirs'),
  );
  await wait(SETTLE_MS);
  const history = (await historyOf(installation, ids)) - before;
  return [
    { ...figure, goal: { most: 2 } },
    { name: 'wakes', value: TOGETHER.count / figure.value, unit: '/s' },
    ...cpuFigures(cpu, TOGETHER.count).map((one) => ({ ...one, unit: 's a wake' })),
    {
      name: 'Temporal history of one wake',
      value: history / TOGETHER.count,
      unit: 'events',
      note: 'signal, workflow task, activity scheduled: 5; more are repeated signals',
    },
  ];
}

async function historyOf(installation: Installation, ids: string[]): Promise<number> {
  const woken = ids.slice(TOGETHER.from, TOGETHER.from + TOGETHER.count);
  const lengths = await Promise.all(woken.map((id) => installation.historyLength(id)));
  return lengths.reduce((sum, length) => sum + length, 0);
}

async function burst(
  installation: Installation,
  { from, count: size }: typeof TOGETHER,
  name: string,
): Promise<Figure> {
  await installation.endpoint.reset({ latency: true });
  await appendEach(
    installation,
    Array.from({ length: size }, (_, index) => syncOf(from + index)),
  );
  await installation.endpoint.gets(size, TIMEOUT_MS);
  const seconds = (await installation.endpoint.latency()).max / 1_000;
  return { name, value: seconds, unit: 's', note: `${(size / seconds).toFixed(0)} wakes/s` };
}

/**
 * Gives 500 consumers one matching entry each every 5 s, for a minute in which they are idle at first, then for
 * 20 s while they are active.
 */
async function steady(installation: Installation): Promise<Figure[]> {
  const idle = await matchEach(installation, 60);
  const awake = await matchEach(installation, 20);
  return [
    {
      name: '500 consumers, a match each per 5 s, idle at first: p99',
      value: idle.p99,
      unit: 'ms',
      goal: { most: 500 },
      note: idle.note,
    },
    {
      name: 'the same: not delivered after 60 s',
      value: idle.backlog,
      unit: 'entries',
      goal: { most: 50 },
      note: 'half a second of appends',
    },
    { name: 'the same, awake: p99', value: awake.p99, unit: 'ms', note: awake.note },
    ...cpuFigures(awake.cpu, awake.appended / 1_000),
  ];
}

async function matchEach(installation: Installation, seconds: number) {
  const rate = MANY.count / 5;
  const load = { rate, seconds, connections: 16, records: 1, dataBytes: 200 };
  await installation.endpoint.reset({ latency: true });
  const { result, cpu } = await installation.usage(async () => {
    const { appended } = await produce(installation, {
      ...load,
      prefix: 'many',
      syncs: MANY.count,
    });
    return { appended, received: await installation.endpoint.received() };
  });
  const { appended, received } = result;
  await installation.endpoint.gets(appended, TIMEOUT_MS);
  const { p50, p99, max } = await installation.endpoint.latency();
  const note = `p50 ${p50.toFixed(1)}, worst ${max.toFixed(0)}`;
  return { p99, note, cpu, appended, backlog: appended - received.total };
}

function syncOf(number: number): string {
  const own = number - MANY.from;
  return own >= 0 && own < MANY.count ? `many-${own}` : `idle-${number}`;
}

/** The number of commits a second in all sessions of Postgres while Millrace has nothing to do. */
async function transactionsASecond(installation: Installation): Promise<number> {
  const read = async (): Promise<number> => {
    const { rows } = await installation.sql.query<{ commits: string }>(
      `select xact_commit as commits from pg_stat_database where datname = current_database()`,
    );
    return Number(rows[0]?.commits ?? 0);
  };
  const before = await read();
  await wait(QUIET_MS);
  return ((await read()) - before) / (QUIET_MS / 1_000);
}

function workerMemory(installation: Installation): Figure {
  const pid = installation.pids()['worker'];
  const name = `worker's memory with ${CONSUMERS} consumers awake`;
  if (process.platform !== 'linux' || pid == null)
    return { name, value: 0, unit: 'MB', note: 'no /proc' };
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = Number(/^VmRSS:\s+(\d+) kB$/mu.exec(status)?.[1] ?? 0);
  return { name, value: kilobytes / 1_024, unit: 'MB', note: 'resident' };
}
