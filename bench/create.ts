import { Pool } from 'undici';

import { concurrently } from '../src/process/concurrently.ts';
import { percentilesOf } from '../test/support/percentiles.ts';
import { clockMs } from './instruments/clock.ts';
import { allStarted, countRows } from './instruments/count.ts';
import { cpuFigures, sumOf } from './instruments/cpu.ts';
import { named, type Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { holdsWithin } from './instruments/poll.ts';

const CREATE_AT_ONCE = 16;
/** One in so many consumers gets an entry as soon as its creation is answered. */
const SAMPLED = 10;
const ARRIVED_MS = 60_000;
const STARTED_MS = 600_000;
const GOALS = { perSecond: 10_000 / 30, startedMs: 180_000 };

/**
 * Measures how fast consumers are created over the API, one request each, whether they are served from the
 * moment they are answered, and when their workflows run.
 */
export async function create(
  installation: Installation,
  { consumers }: { consumers: number },
): Promise<Figure[]> {
  const { sql, endpoint, usage } = installation;
  const target = await installation.api<{ id: string }>('POST', '/v1/targets', {
    name: 'create',
    base_url: endpoint.url,
    max_in_flight: 64,
  });
  // A lane or the leader may be starting still.
  await createAll(installation, target.id, { from: 0, count: 50 });
  await installation.until('the first workflows run', () => allStarted(installation));
  await endpoint.reset({ latency: true, ids: true });

  const from = performance.now();
  const creating = await usage(() =>
    createAll(installation, target.id, { from: 50, count: consumers }),
  );
  const { answers, appended } = creating.result;
  const seconds = (performance.now() - from) / 1_000;
  const startedBy = consumers - (await countRows({ sql }, 'consumers', 'not started'));
  const starting = await usage(async () => {
    const received = await endpoint.arrived(appended, ARRIVED_MS);
    const started = await holdsWithin(STARTED_MS, () => allStarted(installation), 250);
    return { received, started, seconds: (performance.now() - from) / 1_000 };
  });
  const latency = await endpoint.latency();
  const received = await endpoint.received();
  const answered = percentilesOf(answers);
  const thousands = consumers / 1_000;
  const ms = { unit: 'ms' };
  return [
    {
      name: 'consumers created',
      value: consumers / seconds,
      unit: '/s',
      goal: { least: GOALS.perSecond },
      note: `${consumers} in ${seconds.toFixed(1)} s, ${CREATE_AT_ONCE} requests at a time; ${startedBy} workflows ran by then`,
    },
    { name: 'request → answer p50', value: answered.p50, ...ms },
    {
      name: 'request → answer p99',
      value: answered.p99,
      ...ms,
      note: `worst ${answered.max.toFixed(0)}`,
    },
    {
      name: 'appended right after the answer → received p50',
      value: latency.p50,
      ...ms,
      note: `${appended} entries, for one consumer in ${SAMPLED}`,
    },
    {
      name: 'appended right after the answer → received p99',
      value: latency.p99,
      ...ms,
      note: `worst ${latency.max.toFixed(0)}`,
    },
    { name: 'missing', value: appended - received.distinct, unit: 'entries', goal: { most: 0 } },
    {
      name: 'twice',
      value: received.total - received.distinct,
      unit: 'entries',
      goal: { most: 0 },
    },
    {
      name: 'from the first request until all workflows run',
      value: starting.result.seconds,
      unit: 's',
      goal: { most: GOALS.startedMs / 1_000 },
      note: starting.result.started ? '' : 'given up',
    },
    ...named('creating', cpuFigures(creating.cpu, thousands)),
    ...named('until all run', cpuFigures(sumOf([creating.cpu, starting.cpu]), thousands)),
  ];
}

/** Creates consumers of one sync each; returns how long each answer took, ms, and how many entries were appended. */
async function createAll(
  { url, apiKey }: Installation,
  targetId: string,
  { from, count }: { from: number; count: number },
): Promise<{ answers: number[]; appended: number }> {
  const pool = new Pool(url, { connections: 2 * CREATE_AT_ONCE, pipelining: 1, allowH2: false });
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  const answers: number[] = [];
  const appends: Promise<void>[] = [];

  async function post(path: string, body: unknown): Promise<void> {
    const request = { path, method: 'POST', headers, body: JSON.stringify(body) } as const;
    const answer = await pool.request(request);
    const text = await answer.body.text();
    if (answer.statusCode > 299)
      throw new Error(`POST ${path} answered ${answer.statusCode}: ${text}`);
  }

  const append = (sync: string): Promise<void> =>
    post('/v1/events', {
      events: [
        {
          sync_id: sync,
          collection_id: 'bench:item',
          upstream_id: 'r-1',
          event: 'updated',
          data: { sent_at: clockMs(), pad: 'x' },
        },
      ],
    });

  await concurrently([...Array(count).keys()], CREATE_AT_ONCE, async (index) => {
    const sync = `create-${from + index}`;
    const sentAt = performance.now();
    await post('/v1/consumers', {
      name: sync,
      target_id: targetId,
      stream: 'events',
      syncs: [sync],
      path: `/${from + index}`,
    });
    answers.push(performance.now() - sentAt);
    if (index % SAMPLED === 0) appends.push(append(sync));
  });
  await Promise.all(appends);
  await pool.close();
  return { answers, appended: appends.length };
}
