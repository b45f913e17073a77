import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Ordering } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import { BUSY, CUT, DELIVERED, GONE, UNAVAILABLE } from '../support/heldEndpoint.ts';
import { LEASE_MS, OF_A, openQuietHost, type QuietHost } from '../support/quietHost.ts';
import { seedOf } from '../support/seeded.ts';

/** More find more; a failure prints the seed and path that bring it again. */
const { VISITS_RUNS, VISITS_SEED: SEED, VISITS_PATH: PATH } = process.env;
const RUNS = Number(VISITS_RUNS ?? 100);
const OUTCOMES = {
  delivered: DELIVERED,
  unavailable: UNAVAILABLE,
  busy: BUSY,
  gone: GONE,
  ours: CUT,
};
const BUDGET = { requests: 4, bytes: 200_000 };

type Step =
  | { do: 'arrive' | 'append'; some: { sync: string; record: string; collection: string }[] }
  | { do: 'answer'; which: number; outcome: keyof typeof OUTCOMES }
  | { do: 'pass'; ms: number }
  | { do: 'take budget'; of: 'requests' | 'bytes' }
  | { do: 'refilter'; without: string }
  | { do: 'refuse confirmations'; refuses: boolean }
  | { do: 'command'; command: Command; to: number }
  | {
      do:
        | 'hold'
        | 'let through'
        | 'give budget'
        | 'retarget'
        | 'resume'
        | 'forget'
        | 'end quietest'
        | 'stop'
        | 'take over'
        | 'crash';
    };

/** What waits for the sender to let go. */
type Command = 'pause' | 'seek' | 'delete' | 'other';

const arriving = fc.record({
  sync: fc.constantFrom('a', 'a', 'a', 'b'),
  record: fc.constantFrom('r1', 'r2', 'r3'),
  collection: fc.constantFrom('m:x', 'm:y'),
});
const some = fc.oneof(
  { weight: 6, arbitrary: fc.array(arriving, { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(arriving, { minLength: 17, maxLength: 25 }) },
);

function weighed(
  weight: number,
  name: Step['do'],
  more: Record<string, fc.Arbitrary<unknown>> = {},
) {
  const arbitrary = fc.record({ do: fc.constant(name), ...more }) as fc.Arbitrary<Step>;
  return { weight, arbitrary };
}

/** What may come between an answer and the sender. */
const INTERFERES = new Set<Step['do']>(['retarget', 'refilter', 'take budget']);

const commands = [
  { weight: 4, arbitrary: fc.constant('pause') },
  { weight: 4, arbitrary: fc.constant('seek') },
  { weight: 4, arbitrary: fc.constant('other') },
  { weight: 1, arbitrary: fc.constant('delete') },
];

const step = fc.oneof(
  weighed(10, 'arrive', { some }),
  weighed(2, 'append', { some }),
  weighed(14, 'answer', {
    which: fc.nat(10),
    outcome: fc.oneof(
      { weight: 12, arbitrary: fc.constant('delivered') },
      { weight: 3, arbitrary: fc.constant('unavailable') },
      { weight: 3, arbitrary: fc.constant('ours') },
      { weight: 2, arbitrary: fc.constant('busy') },
      { weight: 1, arbitrary: fc.constant('gone') },
    ),
  }),
  weighed(10, 'pass', { ms: fc.constantFrom(0, 1, 12, 30, 60, 300, 1_500, 6_000) }),
  weighed(3, 'hold'),
  weighed(4, 'let through'),
  weighed(2, 'take budget', { of: fc.constantFrom('requests', 'bytes') }),
  weighed(3, 'give budget'),
  weighed(2, 'retarget'),
  weighed(4, 'command', { command: fc.oneof(...commands), to: fc.nat(100) }),
  weighed(3, 'resume'),
  weighed(2, 'refilter', { without: fc.constantFrom('m:x', 'm:y', 'none') }),
  weighed(1, 'refuse confirmations', { refuses: fc.boolean() }),
  weighed(1, 'forget'),
  weighed(2, 'end quietest'),
  weighed(2, 'stop'),
  weighed(1, 'take over'),
  weighed(2, 'crash'),
);

const story = fc.noBias(
  fc.record({
    stream: fc.constantFrom<StreamName>('events', 'records'),
    ordering: fc.constantFrom<Ordering>('record', 'stream', 'none'),
    maxInFlight: fc.constantFrom(1, 3),
    ownRetriesMs: fc.constantFrom(0, 20_000), // what fails is handed over, or sat out
    steps: fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }),
  }),
);
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

async function live({ steps, ...options }: Story): Promise<void> {
  using host = openQuietHost({ ...options, ...BUDGET });
  const { model, store } = host;
  const taken: Record<'requests' | 'bytes', number> = { requests: 0, bytes: 0 };
  let waits: { command: Command; to: number } = { command: 'other', to: 0 };

  function giveBudget(): void {
    for (const of of ['requests', 'bytes'] as const) {
      if (taken[of] > 0) host.budget[of].take(-taken[of]);
      taken[of] = 0;
    }
  }

  /** The command that had the sender let go is carried out, and the consumer is claimed again if it is sent to. */
  async function begin(): Promise<void> {
    if (store.row.config.held) carryOut();
    const { status, deleted } = store.row.config;
    if (status === 'active' && !deleted) await host.begin();
    if (taken.requests + taken.bytes > 0) model.interfere();
  }

  function carryOut(): void {
    store.holdSender(false);
    const { command, to } = waits;
    if (command === 'pause') store.setStatus('paused');
    if (command === 'delete') store.remove();
    if (command !== 'seek') return;
    model.claimed(store.row);
    const position = Math.floor((to * model.end) / 100);
    store.seek(position);
    model.sought(position);
  }

  /** Asks for a command, unless another one waits or has ended the sending. */
  function ask(command: Command, to: number): void {
    const { held, status, deleted } = store.row.config;
    if (held || deleted || status !== 'active') return;
    waits = { command, to };
    store.holdSender(true);
  }

  async function crash(): Promise<void> {
    giveBudget(); // that of the next process is another one
    host.crash();
    await host.pass(LEASE_MS + 50);
    host.nextLane();
    store.row.held = false;
    await begin();
  }

  async function takeOver(): Promise<void> {
    store.hold();
    await host.pass(LEASE_MS + 50);
    host.replaceLane();
    store.row.held = false;
    await begin();
  }

  async function take(one: Step): Promise<void> {
    if (one.do === 'arrive') host.arrive(...one.some);
    if (one.do === 'append') host.append(...one.some);
    if (one.do === 'answer') {
      const request = host.requests[one.which % Math.max(1, host.requests.length)];
      request?.answer(OUTCOMES[one.outcome]);
    }
    if (one.do === 'hold') store.hold();
    if (one.do === 'let through') store.letThrough();
    if (one.do === 'take budget') {
      const left = BUDGET[one.of] - host.budget[one.of].taken;
      host.budget[one.of].take(left);
      taken[one.of] += left;
    }
    if (one.do === 'give budget') giveBudget();
    if (INTERFERES.has(one.do)) model.interfere();
    if (one.do === 'retarget') store.retarget();
    if (one.do === 'command') ask(one.command, one.to);
    if (one.do === 'resume') store.setStatus('active');
    if (one.do === 'refilter') {
      const collections = ['m:x', 'm:y'].filter((name) => name !== one.without);
      store.refilter({ ...OF_A, collections });
    }
    if (one.do === 'refuse confirmations') store.refuseConfirmations(one.refuses);
    if (one.do === 'forget') host.forget();
    if (one.do === 'end quietest') host.visits.endQuietest(1);
    if (one.do === 'stop') {
      giveBudget(); // a drain that can read nothing ends without the request that it took over
      void host.close();
      host.nextLane();
    }
    if (one.do === 'take over') await takeOver();
    if (one.do === 'crash') await crash();
    await host.pass(one.do === 'pass' ? one.ms : 0);
    if (!store.row.held && store.waiting === 0) await begin();
    expect(model.wrong).toEqual([]);
  }

  await host.begin();
  for (const one of steps) await take(one);
  store.refuseConfirmations(false);
  store.letThrough();
  giveBudget();
  host.arrive();
  for (let round = 0; round < 300; round += 1) {
    host.requests[0]?.answer(DELIVERED);
    await host.pass(300);
    if (store.row.config.status === 'paused') store.setStatus('active');
    if (!store.row.held) await begin();
    if (isSettled(host)) break;
  }
  expect(model.wrong).toEqual([]);
  expect(isSettled(host)).toBe(true);
  await endsClean(host);
}

/** Whether everything has been sent and stored; of one that is deleted, whether nothing is sent any more. */
function isSettled({ model, store, requests }: QuietHost): boolean {
  const { position, held, config } = store.row;
  if (config.deleted) return !held && requests.length === 0;
  return position === model.end && model.missing(config.filters).length === 0;
}

/** The lane ends, and what it took of the process's budget is given back. */
async function endsClean(host: QuietHost): Promise<void> {
  const closed = host.close();
  for (let round = 0; round < 20; round += 1) {
    host.requests[0]?.answer(DELIVERED);
    await host.pass(50);
  }
  await closed;
  await host.pass(LEASE_MS * 2); // also those that were replaced have noticed
  const { requests, bytes } = host.budget;
  expect({ requests: requests.taken, bytes: bytes.taken }).toEqual({ requests: 0, bytes: 0 });
  expect(host.model.wrong).toEqual([]);
}

test('in whatever order things happen, each entry of a visited consumer is sent, in order, and none is skipped', async () => {
  await fc.assert(fc.asyncProperty(story, live), {
    numRuns: RUNS,
    seed: seedOf(SEED, VISITS_RUNS !== undefined),
    path: PATH ?? '',
  });
}, 300_000);
