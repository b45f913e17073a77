// `node bench/lanesAlone.ts`: measures lanes of visits with a leader and Postgres, but without Temporal and the
// API, so that a change of their code can be measured within three minutes.
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import pino from 'pino';

import { createConsumers } from '../src/consumers/consumers.ts';
import { openDb } from '../src/db/db.ts';
import { migrate } from '../src/db/migrate.ts';
import { createVault } from '../src/db/vault.ts';
import { createEgress } from '../src/egress/egress.ts';
import { startPostgres } from '../src/embedded/postgres.ts';
import { concurrently } from '../src/process/concurrently.ts';
import { ConsumerInput } from '../src/schema/consumer.ts';
import { TargetInput } from '../src/schema/target.ts';
import { createAppender } from '../src/streams/append.ts';
import type { NewEvent } from '../src/streams/derive.ts';
import { createTargets } from '../src/targets/targets.ts';
import { clockMs } from './instruments/clock.ts';
import { cpuBetween, cpuFigures, readCpu } from './instruments/cpu.ts';
import { startEndpoint } from './instruments/endpoint.ts';
import { tableOf, type Figure } from './instruments/figures.ts';
import type { LaneReport } from './instruments/laneProcess.ts';

const { values: asked } = parseArgs({
  options: {
    consumers: { type: 'string', default: '10000' },
    lanes: { type: 'string', default: '1' },
    linger: { type: 'string', default: '3600' }, // seconds
    rates: { type: 'string', default: '200,500' },
    backlog: { type: 'string', default: '20' }, // entries for each consumer
    memory: { type: 'string', default: '256' }, // MB of entries, as MILLRACE_SEND_MEMORY
    profile: { type: 'string' },
  },
});
const MANY = Number(asked.consumers);
const LINGER_S = Number(asked.linger);
const CREATED_AT_ONCE = 16;
const APPENDED_AT_ONCE = 5_000;
const IDLE_MS = 5_000;
const SPREAD_S = 20;
const STEP_MS = 5;
const GIVE_UP_MS = 180_000;
/** The step by which all consumers are passed through, in an order that nothing depends on. */
const STRIDE = 7_919;
const PAD = 'x'.repeat(100);
const ORIGIN = { allowCidrs: ['127.0.0.0/8', '::1/128'] };

await using started = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
await chmod(folder, 0o711); // Postgres runs as another user when we are root
started.defer(() => rm(folder, { recursive: true, force: true }));
const say = (line: string): void => void process.stderr.write(`  ${line}\n`);
const postgres = await startPostgres({ dataDir: folder, say });
started.defer(() => postgres.stop());
await migrate(postgres.url);
const db = started.use(openDb({ url: postgres.url, onError: (error) => say(error.message) }));
const log = pino({ level: 'silent' });
const append = createAppender({ db, url: postgres.url, log });
started.defer(() => append.close());
const endpoint = started.use(await startEndpoint());
const key = randomBytes(32);
await createAll();
const lanes = startLanes();
started.defer(lanes.end);

await until('all are watched by the leader', ({ watched }) => watched >= MANY);
await measured('idle', IDLE_MS / 1_000, () => wait(IDLE_MS));
await storm('storm, no consumer is visited yet');
await storm('storm, all are visited');
await measured('all are visited, nothing comes', IDLE_MS / 1_000, () => wait(IDLE_MS));
if (LINGER_S <= 60) {
  await until('all are let go of', ({ watched }) => watched >= MANY);
  await storm('storm, no consumer is visited any more');
} else await storm('storm, all are visited, once more');
for (const rate of asked.rates.split(',').map(Number)) await spread(rate);
if (Number(asked.backlog) > 0) await backlog(Number(asked.backlog));

async function createAll(): Promise<void> {
  const vault = createVault([{ id: 'bench', key }]);
  const targets = createTargets({ db, vault, egress: createEgress(ORIGIN) });
  const view = { alertsByDefault: true, eventRetentionMs: 30 * 86_400_000 };
  const consumers = createConsumers({ db, region: 'bench', ...view });
  await concurrently([...Array(MANY).keys()], CREATED_AT_ONCE, async (number) => {
    const name = `quiet ${number}`;
    const target = TargetInput.parse({ name, base_url: endpoint.url });
    const { id } = await targets.create(target);
    const filter = { syncs: [`s${number}`], collections: ['*'], event_types: ['*'] };
    const own = { name, target_id: id, stream: 'events', path: `/${number}`, start: 'end' };
    await consumers.create(ConsumerInput.parse({ ...own, ...filter }), 'bench');
  });
}

function startLanes() {
  const settings = {
    databaseUrl: postgres.url,
    key: key.toString('base64'),
    lanes: Number(asked.lanes),
    lingerMs: LINGER_S * 1_000,
    memoryBytes: Number(asked.memory) * 2 ** 20,
  };
  const profile =
    asked.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${asked.profile}`];
  const file = new URL('./instruments/laneProcess.ts', import.meta.url);
  const child = fork(file, [JSON.stringify(settings)], { execArgv: profile });
  const gone = new Promise<never>((_, reject) => {
    child.once('exit', () => reject(new Error('the lanes have ended')));
  });
  gone.catch(() => undefined); // raced below
  const first = answer();

  function answer(): Promise<LaneReport> {
    const report = new Promise<LaneReport>((resolve) => {
      child.once('message', (message) => resolve(message as LaneReport));
    });
    return Promise.race([report, gone]);
  }

  return {
    pid: child.pid ?? null,
    ask: async () => {
      await first;
      const next = answer();
      child.send('report');
      return next;
    },
    end: async () => {
      child.kill('SIGTERM');
      await gone.catch(() => undefined);
    },
  };
}

async function until(what: string, holds: (report: LaneReport) => boolean): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  while (!holds(await lanes.ask())) {
    if (performance.now() > deadline) throw new Error(`not within ${GIVE_UP_MS} ms: ${what}`);
    await wait(250);
  }
}

async function measured(
  name: string,
  thousands: number,
  work: () => Promise<unknown>,
  more: () => Promise<Figure[]> = () => Promise.resolve([]),
): Promise<void> {
  const pids = { lanes: lanes.pid, postgres: postgres.pid, receiver: endpoint.pid };
  const before = readCpu(pids);
  const from = performance.now();
  await work();
  const seconds = (performance.now() - from) / 1_000;
  const cpu = cpuBetween(before, readCpu(pids));
  const { rssMb, visits, handedOver } = await lanes.ask();
  process.stderr.write(
    tableOf(name, [
      { name: 'it took', value: seconds, unit: 's' },
      ...(await more()),
      ...cpuFigures(cpu, thousands),
      {
        name: 'memory of the lanes',
        value: rssMb,
        unit: 'MB',
        note: `${visits} visits, ${handedOver} handed over`,
      },
    ]),
  );
}

async function latencies(): Promise<Figure[]> {
  const { p50, p99, max } = await endpoint.latency();
  return [
    { name: 'append → received, p50', value: p50, unit: 'ms' },
    { name: 'p99', value: p99, unit: 'ms' },
    { name: 'last', value: max, unit: 'ms' },
  ];
}

/** One entry for each consumer at the same time; throws when an entry is missing or arrives twice. */
async function storm(name: string): Promise<void> {
  await endpoint.reset({ latency: true, ids: true });
  const send = async (): Promise<void> => {
    const all = Array.from({ length: MANY }, (_, number) => eventOf(number));
    for (let from = 0; from < MANY; from += APPENDED_AT_ONCE) {
      await append.events(all.slice(from, from + APPENDED_AT_ONCE));
    }
    await endpoint.gets(MANY, GIVE_UP_MS);
  };
  await measured(`${name} (${MANY} entries)`, MANY / 1_000, send, latencies);
}

/** Entries at a steady rate, for one consumer after another. */
async function spread(rate: number): Promise<void> {
  await endpoint.reset({ latency: true });
  const total = rate * SPREAD_S;
  const send = async (): Promise<void> => {
    const from = performance.now();
    const appended: Promise<unknown>[] = [];
    let sent = 0;
    while (sent < total) {
      const due = Math.min(total, Math.floor(((performance.now() - from) / 1_000) * rate));
      const some: NewEvent[] = [];
      for (; sent < due; sent += 1) some.push(eventOf((sent * STRIDE) % MANY));
      if (some.length > 0) appended.push(append.events(some));
      await wait(STEP_MS); // paces the appends
    }
    await Promise.all(appended);
    await endpoint.gets(total, GIVE_UP_MS);
  };
  await measured(`spread, ${rate} a second`, total / 1_000, send, latencies);
}

/** More entries at once for each consumer than a quiet sender sends, so that each gets the engine of a drain. */
async function backlog(each: number): Promise<void> {
  await endpoint.reset({ ids: true });
  const total = MANY * each;
  const send = async (): Promise<void> => {
    for (let from = 0; from < total; from += APPENDED_AT_ONCE) {
      const count = Math.min(APPENDED_AT_ONCE, total - from);
      await append.events(Array.from({ length: count }, (_, at) => eventOf((from + at) % MANY)));
    }
    await endpoint.gets(total, 2 * GIVE_UP_MS);
  };
  await measured(`backlog of ${each} entries for each (${total})`, total / 1_000, send);
}

function eventOf(number: number): NewEvent {
  return {
    syncId: `s${number}`,
    collectionId: 'bench:item',
    upstreamId: 'r-1',
    eventId: crypto.randomUUID(),
    event: 'updated',
    data: JSON.stringify({ sent_at: clockMs(), pad: PAD }),
    changes: null,
    upstreamUpdatedAt: null,
  };
}
