import type { Consumer } from '../src/schema/consumer.ts';
import { medianOf } from '../test/support/percentiles.ts';
import { eachRun } from './drain.ts';
import type { Figure } from './instruments/figures.ts';
import { fill } from './instruments/fill.ts';
import type { Installation } from './instruments/installation.ts';

const RECORDS = 10_000;
/** One record in this many is poisoned, but none of the last 1,000. */
const EVERY = 30;
const POISONED = (RECORDS - 1_000) / EVERY;
const TIMEOUT_MS = 60_000;

/** Measures a backlog of which the endpoint always refuses 300 entries, alternating with one without such entries. */
export async function poison(
  installation: Installation,
  { runs }: { runs: number },
): Promise<Figure[]> {
  // Both backlogs are in the same stream, in which their entries alternate: odd n, even n.
  await fill(installation.sql, {
    count: 2 * RECORDS,
    dataBytes: 500,
    sync: `case n % 2 when 1 then 'poison' else 'clean' end`,
    upstream: `'r-' || n`,
    members: `case when (n + 1) % ${2 * EVERY} = 0 and n <= ${2 * EVERY * POISONED}
                   then '"poisoned":true,' else '' end`,
  });
  const clean: Delivered[] = [];
  const poisoned: Delivered[] = [];
  await deliver(installation, 'clean', 0); // warms up
  for (let run = 0; run < runs; run += 1) {
    clean.push(await deliver(installation, 'clean', 0));
    poisoned.push(await deliver(installation, 'poison', POISONED));
  }
  const without = clean.map((one) => one.perSecond);
  const beside = poisoned.map((one) => one.perSecond);
  const unit = 'entries/s';
  return [
    { name: 'without poison', value: medianOf(without), unit, note: eachRun(without) },
    {
      name: `the good ones beside ${POISONED} poisoned of ${RECORDS.toLocaleString('en-US')}`,
      value: medianOf(beside),
      unit,
      note: eachRun(beside),
    },
    {
      name: 'with to without poison',
      value: medianOf(beside) / medianOf(without),
      unit: '',
      goal: { least: 0.5 },
    },
    {
      name: 'parked',
      value: medianOf(poisoned.map((one) => one.parked)),
      unit: 'entries',
      note: `each run; ${eachRun(poisoned.map((one) => one.refused))} requests refused by then`,
    },
    {
      name: 'blocked meanwhile',
      value: poisoned.reduce((sum, one) => sum + one.blocked, 0),
      unit: 'times seen',
      note: 'looked at every 50 ms',
    },
  ];
}

interface Delivered {
  /** Good entries a second, between the first and the last arrival. */
  perSecond: number;
  parked: number;
  /** How many requests were refused. */
  refused: number;
  blocked: number;
}

/** Throws unless a new consumer delivers each good entry once, parks the others, and stays active. */
async function deliver(
  installation: Installation,
  sync: string,
  poisoned: number,
): Promise<Delivered> {
  const good = RECORDS - poisoned;
  await installation.endpoint.reset({ ids: true });
  const { id } = await installation.consumer({
    path: '/_poison',
    syncs: [sync],
    start: 'beginning',
  });
  const look = () => installation.api<Consumer>('GET', `/v1/consumers/${id}`);
  let blocked = 0;
  await installation.until(
    `${good} good ones have arrived and ${poisoned} are parked`,
    async () => {
      const { status, status_reason: reason, parked } = await look();
      if (status === 'stopped') throw new Error(`the consumer of ${sync} has stopped: ${reason}`);
      if (status === 'blocked') blocked += 1;
      return parked >= poisoned && (await installation.endpoint.received()).total >= good;
    },
  );
  const { firstAt, lastAt } = await installation.endpoint.gets(good, TIMEOUT_MS);
  const { distinct, refused } = await installation.endpoint.received();
  if (distinct !== good) throw new Error(`${distinct} of ${good} good ones have arrived`);
  const { status, parked } = await look();
  if (status !== 'active') throw new Error(`the consumer of ${sync} is ${status} at its end`);
  if (parked !== poisoned) throw new Error(`${parked} are parked, not ${poisoned}`);
  await installation.api('DELETE', `/v1/consumers/${id}`);
  return { perSecond: ((good - 1) / (lastAt - firstAt)) * 1_000, parked, refused, blocked };
}
