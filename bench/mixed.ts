import { setTimeout as wait } from 'node:timers/promises';

import { concurrently } from '../src/process/concurrently.ts';
import type { Consumer } from '../src/schema/consumer.ts';
import type { Target } from '../src/schema/target.ts';
import { allStarted, countRows } from './instruments/count.ts';
import { cpuFigures } from './instruments/cpu.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { produce } from './push.ts';

/** How many consumers there are, and how long the bench takes. */
export interface MixedOptions {
  /** How many quiet consumers there are, each with a target of its own. */
  consumers: number;
  minutes: number;
}

const BUSY = 20;
const FAILING = 5;
const RATES = { quiet: 200, busy: 400, failing: 5 };
const FEED = { connections: 32, records: 50, dataBytes: 200 };
const AT_ONCE = 32;
const EDIT_EACH_MS = 2_000;
/** The pause before an edit that was answered 503 is repeated. */
const UNAVAILABLE_MS = 2_000;
const DEPLOY_EACH_MS = 600_000;
/** The first deploy comes soon, so that a short run has one as well. */
const FIRST_DEPLOY_MS = 60_000;
const BACK_MS = 120_000;
const STARTED_MS = 900_000;
const ARRIVE_MS = 300_000;
const EXTRA_MS = 5_000;
/** The step by which all consumers are passed through, in an order that nothing depends on. */
const STRIDE = 7_919;

/**
 * Quiet, busy and failing consumers together, while they are edited, paused and resumed, and while each worker
 * is replaced every ten minutes: no entry may be missing or out of order.
 */
export async function mixed(installation: Installation, options: MixedOptions): Promise<Figure[]> {
  const quiet = await createAll(installation, options.consumers);
  await installation.endpoint.reset({ latency: true, ids: true });
  const over = performance.now() + options.minutes * 60_000;
  const counts = { edits: 0, unavailable: 0, pauses: 0, deploys: 0 };
  const { result, cpu } = await installation.usage(async () => {
    const [appended] = await Promise.all([
      feed(installation, options),
      edit(installation, { quiet, over, counts }),
      deploy(installation, { over, counts }),
    ]);
    const from = performance.now();
    await installation.endpoint.arrived(appended, ARRIVE_MS);
    return { appended, settled: (performance.now() - from) / 1_000 };
  });
  await wait(EXTRA_MS);
  const { appended, settled } = result;
  const { total, distinct, outOfOrder } = await installation.endpoint.received();
  const { p50, p99, max } = await installation.endpoint.latency();
  const blocked = await countRows(installation, 'cursors', 'head is not null');
  return [
    {
      name: 'appended for those that do not fail',
      value: appended,
      unit: 'entries',
      note: `in ${options.minutes} minutes; ${counts.edits} edits, ${counts.pauses} of them pauses and resumes, ${counts.unavailable} repeated after a 503, ${counts.deploys} workers replaced`,
    },
    { name: 'missing', value: appended - distinct, unit: 'entries', goal: { most: 0 } },
    { name: 'out of order', value: outOfOrder, unit: 'entries', goal: { most: 0 } },
    { name: 'received twice', value: total - distinct, unit: 'entries' },
    { name: 'append → received p50', value: p50, unit: 'ms' },
    { name: 'append → received p99', value: p99, unit: 'ms', note: `worst ${max.toFixed(0)}` },
    { name: 'from the last append until all had come', value: settled, unit: 's' },
    { name: 'consumers that fail at the end', value: blocked, unit: '', note: `${FAILING} are to` },
    ...cpuFigures(cpu, options.minutes * 60).map((one) => ({ ...one, unit: 'cores' })),
  ];
}

async function createAll(installation: Installation, count: number): Promise<Consumer[]> {
  const quiet: Consumer[] = [];
  await concurrently([...Array(count).keys()], AT_ONCE, async (number) => {
    const target = await installation.api<Target>('POST', '/v1/targets', {
      name: `quiet ${number}`,
      base_url: installation.endpoint.url,
    });
    quiet[number] = await installation.consumer({
      name: `quiet ${number}`,
      target_id: target.id,
      syncs: [`quiet-${number}`],
      start: 'end',
    });
  });
  for (let number = 0; number < BUSY; number += 1) {
    await installation.consumer({
      name: `busy ${number}`,
      syncs: [`busy-${number}`],
      start: 'end',
    });
  }
  for (let number = 0; number < FAILING; number += 1) {
    const name = `failing ${number}`;
    const path = '/_fail';
    await installation.consumer({ name, path, syncs: [`failing-${number}`], start: 'end' });
  }
  await installation.until('all workflows are started', () => allStarted(installation), STARTED_MS);
  return quiet;
}

/** Appends for consumers of all kinds; returns how many entries have to arrive. */
async function feed(
  installation: Installation,
  { consumers, minutes }: MixedOptions,
): Promise<number> {
  const seconds = minutes * 60;
  const [quiet, busy] = await Promise.all([
    produce(installation, {
      ...FEED,
      seconds,
      rate: RATES.quiet,
      prefix: 'quiet',
      syncs: consumers,
    }),
    produce(installation, { ...FEED, seconds, rate: RATES.busy, prefix: 'busy', syncs: BUSY }),
    produce(installation, {
      ...FEED,
      seconds,
      rate: RATES.failing,
      prefix: 'failing',
      syncs: FAILING,
    }),
  ]);
  return quiet.appended + busy.appended;
}

interface Work {
  /** When to end, in ms of the monotonic clock. */
  over: number;
  counts: { edits: number; unavailable: number; pauses: number; deploys: number };
}

/** Edits one quiet consumer after another: its filter, its target's headers, or a pause and a resume. */
async function edit(
  installation: Installation,
  { quiet, over, counts }: Work & { quiet: Consumer[] },
): Promise<void> {
  /** Repeats a command that was answered 503, because its answer says that it may be repeated. */
  async function again(method: string, path: string, body?: unknown): Promise<void> {
    for (;;) {
      try {
        await installation.api(method, path, body);
        return;
      } catch (error) {
        if (!String(error).includes('answered 503')) throw error;
        counts.unavailable += 1;
        await wait(UNAVAILABLE_MS);
      }
    }
  }

  for (let number = 0; performance.now() < over; number += 1) {
    const one = quiet[(number * STRIDE) % quiet.length] as Consumer;
    const path = `/v1/consumers/${one.id}`;
    if (number % 3 === 0) {
      await again('PATCH', path, { syncs: [...one.syncs, `more-${number}`] });
    } else if (number % 3 === 1) {
      const headers = { 'x-edited': String(number) };
      await again('PATCH', `/v1/targets/${one.target_id}`, { headers });
    } else {
      await again('POST', `${path}/pause`);
      await again('POST', `${path}/resume`);
      counts.pauses += 1;
    }
    counts.edits += 1;
    await wait(EDIT_EACH_MS); // paces the edits
  }
}

/** Ends each worker as a deployment does, one after another; the installation starts another one in its place. */
async function deploy(installation: Installation, { over, counts }: Work): Promise<void> {
  for (let pause = FIRST_DEPLOY_MS; ; pause = DEPLOY_EACH_MS) {
    await wait(Math.max(0, Math.min(pause, over - performance.now())));
    if (performance.now() >= over) return;
    for (const [name, pid] of workersOf(installation)) {
      process.kill(pid, 'SIGTERM');
      const isBack = async () => {
        const next = installation.pids()[name] ?? null;
        return next !== null && next !== pid && (await installation.polls(next));
      };
      await installation.until(`another ${name} runs`, isBack, BACK_MS);
      counts.deploys += 1;
    }
  }
}

function workersOf(installation: Installation): [string, number][] {
  return Object.entries(installation.pids()).flatMap(([name, pid]): [string, number][] =>
    name.startsWith('worker') && pid !== null ? [[name, pid]] : [],
  );
}
