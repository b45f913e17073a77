import type { Percentiles } from '../test/support/percentiles.ts';
import { createHanging, toAlone } from './besideHanging.ts';
import type { Hanging } from './hanging.ts';
import { countRows } from './instruments/count.ts';
import { watchDisk } from './instruments/disk.ts';
import type { Figure } from './instruments/figures.ts';
import { fill } from './instruments/fill.ts';
import type { Installation } from './instruments/installation.ts';
import { produce, warm } from './push.ts';

const HANGING = 20;
/** How many requests each of them has in flight once its endpoint no longer answers. */
const IN_FLIGHT = 64;
/** How many entries wait for each of them. */
const WAITING = 3_000;
const TIMEOUT_MS = 15_000;
/** Enough answers for a sender to reach its maximum of requests in flight before the endpoint hangs. */
const ANSWERED = 100;
/** How long all of them hang for the first time: the timeout, less the time that starting them takes. */
const FIRST_SECONDS = 12;
const SECONDS = 15;
const SETTLE_MS = 30_000;
const SYNCS = 100;
const LOAD = {
  rate: 500,
  connections: 64,
  prefix: 'healthy',
  syncs: SYNCS,
  records: 10_000,
  dataBytes: 500,
};

/** Measures a healthy consumer alone, then beside 20 whose endpoints accept requests and never answer. */
export async function neighbour(installation: Installation): Promise<Figure[]> {
  await fill(installation.sql, {
    count: HANGING * WAITING,
    dataBytes: 500,
    sync: `'hanging-' || n % ${HANGING}`,
    upstream: `'r-' || n`,
  });
  const syncs = Array.from({ length: SYNCS }, (_, index) => `${LOAD.prefix}-${index}`);
  await installation.consumer({ syncs, start: 'end' });
  await warm(installation, LOAD);
  const alone = await measure(installation, SECONDS);

  await Promise.all(Array.from({ length: HANGING }, (_, number) => hang(installation, number)));
  await installation.until('all of them hang with all they may have in flight', async () => {
    return (await installation.endpoint.received()).hanging.open >= HANGING * IN_FLIGHT;
  });
  const hanging = await measure(installation, FIRST_SECONDS);

  await installation.until('all of them are blocked, with their heads hanging', async () => {
    const { open } = (await installation.endpoint.received()).hanging;
    return (
      open === HANGING &&
      (await countRows(installation, 'consumers', `status = 'blocked'`)) === HANGING
    );
  });
  const blocked = await measure(installation, SECONDS);
  return [
    ...figuresOf('alone', alone),
    ...figuresOf(`beside ${HANGING} that hang`, hanging),
    toAlone(`beside ${HANGING} that hang`, hanging, alone),
    ...figuresOf(`beside ${HANGING} blocked`, blocked),
    toAlone(`beside ${HANGING} blocked`, blocked, alone),
  ];
}

function hang(installation: Installation, number: number): Promise<void> {
  return createHanging(installation, {
    number,
    answered: ANSWERED,
    sync: `hanging-${number}`,
    start: 'beginning',
    target: { timeout_ms: TIMEOUT_MS, max_in_flight: IN_FLIGHT },
  });
}

interface Measured {
  latency: Percentiles;
  /** The time from append to answer, ms, which shows a stall of Postgres or of the machine as well. */
  answer: Percentiles;
  /** The longest fdatasync during the measurement, ms, because a disk that stalls holds up every append. */
  diskMs: number;
  late: Percentiles;
  hanging: Hanging;
}

async function measure(installation: Installation, seconds: number): Promise<Measured> {
  await installation.endpoint.reset({ latency: true });
  const load = { ...LOAD, seconds };
  const { result: produced, worstMs } = await watchDisk(() => produce(installation, load));
  const { hanging } = await installation.endpoint.received();
  await installation.endpoint.gets(produced.appended, SETTLE_MS);
  const { answer, late } = produced;
  return { latency: await installation.endpoint.latency(), answer, diskMs: worstMs, late, hanging };
}

function figuresOf(name: string, measured: Measured): Figure[] {
  const { latency, answer, diskMs, late, hanging } = measured;
  const { p50, p99, max } = latency;
  const open = `${hanging.average.toFixed(0)} requests hang on average, ${hanging.least} at least`;
  return [
    { name: `${name}: append → received p50`, value: p50, unit: 'ms', note: open },
    {
      name: `${name}: append → received p99`,
      value: p99,
      unit: 'ms',
      note: `worst ${max.toFixed(0)}; append → answer p99 ${answer.p99.toFixed(1)}; disk at worst ${diskMs.toFixed(0)}; generator late p99 ${late.p99.toFixed(1)}`,
    },
  ];
}
