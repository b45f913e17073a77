import fc from 'fast-check';
import { expect, test, vi } from 'vitest';

import type { ConsumerBatch } from '../../src/schema/batch.ts';
import type { ConsumerBody } from '../../src/schema/body.ts';
import type { FilterDelta, Ordering } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import { openEngine, type Engine } from '../support/engine.ts';
import { IS_LONG } from '../support/long.ts';
import { createModel } from '../support/model.ts';
import { conditionOn, CONDITIONS, RECORDS } from '../support/modelFilters.ts';
import type { Snapshot } from '../support/modelSnapshot.ts';
import type { Mode, Poison } from '../support/scriptedEndpoint.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';
import { aChange, anEvent } from '../support/streams.ts';

vi.mock('@temporalio/workflow', () => import('../support/temporal.ts'));

/** More find more; a failure prints the seed and path that bring it again. */
const { MODEL_RUNS, MODEL_SEED: SEED, MODEL_PATH: PATH } = process.env;
const RUNS = Number(MODEL_RUNS ?? (IS_LONG ? 1_000 : 60));
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Step = (
  | { do: 'append'; records: number[] }
  | { do: 'answer'; mode: Mode; retryAfter: number | null; asDate: boolean }
  | { do: 'poison'; records: number[]; status: Poison }
  | { do: 'crash'; calls: number | null; run: boolean }
  | { do: 'cure' | 'shut down' | 'pause' | 'resume' | 'retry' | 'wait' }
  | { do: 'seek'; to: number }
  | { do: 'batch'; to: ConsumerBatch | null }
  | { do: 'filter'; verb: 'add' | 'remove'; list: 'syncs' | 'collections'; value: string }
  | { do: 'where'; text: string | null }
) & { after: number };

const someRecords = fc.array(fc.nat(RECORDS.length - 1), { minLength: 1, maxLength: 10 });
const soon = fc.constantFrom(0, 1, 25, 60, 300, 1_500, 8_000);
const later = fc.constantFrom(1_000, MINUTE, 20 * MINUTE, 2 * HOUR, 9 * HOUR, 30 * HOUR, 30 * HOUR);

/** A third of them send each entry by itself. */
const batch = fc.option(
  fc.record({
    max_entries: fc.integer({ min: 2, max: 6 }),
    max_bytes: fc.constantFrom(1_024, 1_048_576),
    max_wait_ms: fc.constantFrom(0, 40, 2_000),
  }),
  { freq: 3 },
);

/** Half of them send entries as they are stored. Mapped ones are so large that few have room in a batch. */
const BODIES: Record<string, (stream: StreamName) => ConsumerBody> = {
  full: () => ({ mode: 'full' }),
  thin: () => ({ mode: 'thin' }),
  mapped: (stream) => ({
    mode: 'map',
    expression: `{"mapped": true, "position": ${stream === 'events' ? 'event.position' : 'record.updated_idx'}, "padding": "${'x'.repeat(400)}"}`,
  }),
};

function weighed(
  weight: number,
  name: Step['do'],
  more: Record<string, fc.Arbitrary<unknown>> = {},
) {
  const after = name === 'wait' ? later : soon;
  const arbitrary = fc.record({ do: fc.constant(name), ...more, after }) as fc.Arbitrary<Step>;
  return { weight, arbitrary };
}

const step = fc.oneof(
  weighed(14, 'append', { records: someRecords }),
  weighed(6, 'answer', {
    mode: fc.constantFrom<Mode>('well', 'well', 'well', 'reset', 'silent', 410, 429, 500, 503),
    retryAfter: fc.constantFrom(null, null, null, 0, 3, 40, 1_200, 7_200),
    asDate: fc.boolean(),
  }),
  weighed(7, 'poison', {
    records: fc.subarray([0, 1, 2, 3, 4], { minLength: 1, maxLength: 3 }),
    status: fc.constantFrom<Poison>(400, 404, 422, 500, 'silent', 'reset'),
  }),
  weighed(3, 'crash', { calls: fc.option(fc.nat(8)), run: fc.boolean() }),
  weighed(1, 'cure'),
  weighed(3, 'shut down'),
  weighed(2, 'pause'),
  weighed(3, 'resume'),
  weighed(2, 'retry'),
  weighed(2, 'seek', { to: fc.nat(100) }),
  weighed(1, 'batch', { to: batch }),
  weighed(3, 'filter', {
    verb: fc.constantFrom('add', 'remove'),
    list: fc.constant('syncs'),
    value: fc.constantFrom('a', 'b'),
  }),
  weighed(2, 'filter', {
    verb: fc.constantFrom('add', 'remove'),
    list: fc.constant('collections'),
    value: fc.constantFrom('m:x', 'm:y'),
  }),
  weighed(3, 'where', { text: fc.constantFrom(null, ...Object.keys(CONDITIONS)) }),
  weighed(6, 'wait'),
);

const story = fc.noBias(
  fc.record({
    stream: fc.constantFrom<StreamName>('events', 'records'),
    ordering: fc.constantFrom<Ordering>('record', 'record', 'stream', 'none'),
    maxInFlight: fc.integer({ min: 1, max: 5 }),
    batch,
    body: fc.constantFrom('full', 'full', 'thin', 'mapped'),
    visits: fc.boolean(),
    syncs: fc.subarray(['a', 'b'], { minLength: 1 }),
    where: fc.constantFrom(null, null, ...Object.keys(CONDITIONS)),
    seed: fc.nat(),
    steps: fc.array(step, { minLength: 3, maxLength: 20, size: 'max' }),
  }),
);
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

let lives = 0;
let mostInOne = 0;

/** One consumer lives through a story; in the end its endpoint is well. */
async function live(engine: Engine, told: Story): Promise<void> {
  lives += 1;
  const prefix = `l${lives}`;
  const name = (sync: string): string => `${prefix}-${sync}`;
  const filter = {
    syncs: told.syncs.map(name),
    collections: ['m:x', 'm:y'],
    event_types: ['*' as const],
    where: told.where === null ? null : conditionOn(told.stream, told.where),
  };
  const model = createModel({ ...told, db: engine.db, name, filter });
  const random = vi.spyOn(Math, 'random').mockImplementation(drawFrom(told.seed + 1));
  const { stream, ordering, maxInFlight, visits } = told;
  const body = BODIES[told.body]?.(stream) ?? { mode: 'full' };
  const input = { stream, ordering, batch: told.batch, body, ...filter };
  const life = await engine.live(
    { input, maxInFlight, visits, timeoutMs: 2_000, idleAfterMs: 400 },
    model.watcher,
  );
  let count = 0;
  let asks: number | null = null;

  async function append(records: number[]): Promise<void> {
    for (const record of records) {
      const { sync, collection } = RECORDS[record] ?? RECORDS[0];
      count += 1;
      const one = {
        syncId: name(sync),
        collectionId: collection,
        upstreamId: `${prefix}-r${record}`,
        data: `{"n":${count}}`,
      };
      const events = stream === 'events';
      const { position } = events
        ? await engine.append.events([anEvent(one)])
        : await engine.append.records([aChange(one)]);
      model.append({ position, record, event: events ? 'created' : null, n: count });
      life.appended(position);
    }
  }

  async function take(one: Step): Promise<void> {
    if (one.do !== 'wait' && one.do !== 'append') model.say(JSON.stringify(one));
    if (one.do === 'append') await append(one.records);
    if (one.do === 'answer') model.answerWith(one.mode, one.retryAfter, one.asDate);
    if (one.do === 'poison')
      model.poison(new Map(one.records.map((record) => [record, one.status])));
    if (one.do === 'cure') model.poison(new Map());
    if (one.do === 'crash') life.crash(one.calls, one.run);
    if (one.do === 'shut down') life.shutDown();
    if (one.do === 'pause' || one.do === 'resume' || one.do === 'retry') life.ask({ kind: one.do });
    if (one.do === 'seek') {
      const known = model.positions();
      const position = (known[Math.floor((one.to * known.length) / 101)] ?? 1) - 1;
      life.ask({ kind: 'seek', to: { position } });
    }
    if (one.do === 'batch') life.ask({ kind: 'patch', patch: { batch: one.to } });
    if (one.do === 'filter') {
      const value = one.list === 'syncs' ? name(one.value) : one.value;
      const delta: FilterDelta = { add: {}, remove: {} };
      delta[one.verb] = { [one.list]: [value] };
      life.ask({ kind: 'filter', delta });
    }
    if (one.do === 'where') {
      const where = one.text === null ? null : conditionOn(stream, one.text);
      life.ask({ kind: 'filter', delta: { add: {}, remove: {}, where } });
    }
    // Who asks for seconds is tried as often, and a day of that is too long a story.
    if (one.do === 'answer') asks = one.retryAfter;
    const brief = asks !== null && asks < 1_000;
    await life.pass(brief ? Math.min(one.after, 100_000 * Math.max(1, asks ?? 1)) : one.after);
  }

  /** The endpoint takes all but its poisoned records: no other entry waits for those. */
  async function isWellButForPoison(): Promise<void> {
    model.say('the endpoint is well, but for what is poisoned');
    model.answerWith('well', null, false);
    await life.pass(MINUTE);
    if (ordering !== 'stream') await pass((now) => model.heldUp(now));
  }

  async function recover(): Promise<void> {
    model.say('the endpoint is well');
    model.answerWith('well', null, false);
    model.poison(new Map());
    await life.pass(MINUTE);
    await pass((now) => (now.idle ? model.missing(now) : [...model.missing(now), 'idleness']));
  }

  /** Lets time pass, and resumes what has stopped, until nothing is missing. */
  async function pass(missing: (now: Snapshot) => (number | string)[]): Promise<void> {
    for (let round = 0; round < 60; round += 1) {
      if (model.halted && life.asking === 0) life.ask({ kind: 'resume' });
      const now = await model.look();
      if (life.asking === 0 && missing(now).length === 0) return;
      await life.pass(30 * MINUTE);
    }
    const now = await model.look();
    throw new Error(
      [`never arrived: ${missing(now).join(', ')}`, ...model.log.slice(-120)].join('\n'),
    );
  }

  try {
    model.begin(life);
    for (const one of told.steps) await take(one);
    await isWellButForPoison();
    await recover();
  } finally {
    mostInOne = Math.max(mostInOne, model.mostInOne());
    await life.end();
    random.mockRestore();
  }
}

test('whatever fails or dies and whatever commands a consumer gets, each entry is accounted for, and in the end all arrive once and in order', async () => {
  await using engine = await openEngine();
  await fc.assert(
    fc.asyncProperty(story, (told) => live(engine, told)),
    { numRuns: RUNS, seed: seedOf(SEED, MODEL_RUNS !== undefined), path: PATH ?? '' },
  );
  expect(lives).toBeGreaterThan(0);
  if (SEED !== undefined) return;
  expect(engine.visited).toBe(true);
  expect(mostInOne).toBeGreaterThan(2);
}, 3_600_000);
