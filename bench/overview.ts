import { performance } from 'node:perf_hooks';

import { openDb, type Db } from '../src/db/db.ts';
import { countAttempts } from '../src/telemetry/attemptTotals.ts';
import { createOverviews, type KeptMs } from '../src/telemetry/overview.ts';
import { percentilesOf } from '../test/support/percentiles.ts';
import { PAST } from './instruments/consolePast.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { insertScene } from './instruments/scene.ts';

const READS = 20;
const GOAL_MS = 300;
/** How many consumers fail, most of them on targets of their own. */
const BLOCKED = 2_000;
const RANGES = ['1h', '6h', '24h', '7d'] as const;
const NOT_KEPT: KeptMs = { '1h': 0, '6h': 0, '24h': 0, '7d': 0, troubles: 0 };

/**
 * Measures what the console's overview reads, with 10,000 consumers and a million attempts of the last six
 * hours. No answer is reused here, while the API reuses each for some seconds.
 */
export async function overview(installation: Installation): Promise<Figure[]> {
  const { id } = await installation.consumer({ name: 'The busy one' });
  // The reconciler would start 10,000 workflows meanwhile, but only reading is to be measured.
  const { worker } = installation.pids();
  if (worker != null) process.kill(worker, 'SIGSTOP');
  try {
    await insertScene(installation, id);
    await using db = openDb({ url: installation.databaseUrl, max: 4, onError: () => undefined });
    await failMany(db);
    return await measure(db);
  } finally {
    if (worker != null) process.kill(worker, 'SIGCONT');
  }
}

async function measure(db: Db): Promise<Figure[]> {
  const overviews = createOverviews({ sql: db, retryWindowMs: 86_400_000, keptMs: NOT_KEPT });
  const from = performance.now();
  await countAttempts(db);
  const counting = performance.now() - from;
  await db.query('vacuum analyze attempt_minutes, attempt_hours, attempt_points, attempt_ranges');
  const figures: Figure[] = [
    {
      name: 'counting the attempts of six hours',
      value: counting / 1_000,
      unit: 's',
      note: `${PAST.attempts} attempts, once`,
    },
  ];
  for (const range of RANGES) {
    figures.push(await timed(`overview of ${range}`, () => overviews.read(range)));
  }
  figures.push(await timed(`troubles of ${BLOCKED} consumers`, () => overviews.troubles()));
  return figures;
}

async function timed(name: string, work: () => Promise<unknown>): Promise<Figure> {
  const times: number[] = [];
  for (let read = 0; read < READS; read += 1) {
    const from = performance.now();
    await work();
    times.push(performance.now() - from);
  }
  const { p50, p95 } = percentilesOf(times);
  return {
    name: `${name}, p95`,
    value: p95,
    unit: 'ms',
    goal: { most: GOAL_MS },
    note: `p50 ${p50.toFixed(1)}`,
  };
}

async function failMany(db: Db): Promise<void> {
  await db.query({
    text: `
      update cursors set head = 1, attempt = 3, schedule_from = now() - interval '1 hour',
             next_attempt_at = now(), last_failure = '{"code":"HTTP_5XX","status":503,"detail":"","at":""}'
       where consumer_id in (select id from consumers where status = 'active' limit $1)`,
    values: [BLOCKED],
  });
  await db.query('vacuum analyze');
}
