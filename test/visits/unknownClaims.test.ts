import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

import pino from 'pino';
import { expect, test } from 'vitest';

import { createVault } from '../../src/db/vault.ts';
import type { DrainContext } from '../../src/delivery/drainContext.ts';
import { beginLaneLease } from '../../src/progress/laneLeases.ts';
import { claim, type Claimed } from '../../src/progress/leases.ts';
import { createClaimer, type Current } from '../../src/visits/claimer.ts';
import { openLane } from '../../src/visits/lane.ts';
import { createVisitStore, type VisitStore } from '../../src/visits/visitStore.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { until } from '../support/poll.ts';

const REGION = 'us-west-2';
const log = pino({ level: 'silent' });
const follow = { follow: () => () => undefined, end: null };

/** A store in which calls fail by hand. It notes what is asked for. */
function createFailingStore(fails: { claim?: boolean; load?: boolean }) {
  const asked: string[] = [];
  const store: VisitStore = {
    claim: ({ lost }) => {
      asked.push(lost ? 'lost' : 'claim');
      if (fails.claim === true) {
        fails.claim = false;
        return Promise.reject(new Error('the connection is gone'));
      }
      const one = { consumerId: 'one', waitedMs: null, lease: { epoch: 1 } } as Claimed;
      return Promise.resolve(fails.load === true && !lost ? [one] : []);
    },
    load: () => {
      asked.push('load');
      fails.load = false;
      return Promise.reject(new Error('the connection is gone'));
    },
    letGoOfUnknown: (_holder, isKnown) => {
      asked.push('let go');
      return Promise.resolve(isKnown({ consumerId: 'one', epoch: 1 }) ? 0 : 1);
    },
    release: () => Promise.resolve([]),
    confirm: () => Promise.resolve(),
    lease: {
      begin: () => Promise.resolve(),
      renew: () => Promise.resolve({ lanes: 1, visiting: 0 }),
      end: () => Promise.resolve(),
      endLapsed: () => Promise.resolve(),
    },
  };
  return { store, asked };
}

test.each([
  ['a claim whose answer is lost', { claim: true }],
  ['a claim for which no configuration could be read', { load: true }],
])('after %s, a lane releases the consumers it does not know', async (_what, fails) => {
  const { store, asked } = createFailingStore(fails);
  const lane = openLane({
    context: { tails: { records: follow, events: follow } } as unknown as DrainContext, // no visit begins
    store,
    listener: { on: () => () => undefined },
    nextHolder: () => 'lane',
    region: REGION,
    leaseMs: 8_000,
    lingerMs: 60_000,
    pollMs: 20,
    most: 10,
    handOver: () => undefined,
    log,
  });
  await until(() => asked.includes('let go'));
  await lane.close();
  const failedAt = asked.indexOf('claim' in fails ? 'claim' : 'load');
  expect(asked.slice(failedAt + 1).filter((one) => one !== 'lost')[0]).toBe('let go');
});

test('what a lane notes holds for the claims whose visits have all begun, and for none while some may not have', async () => {
  const { store } = createFailingStore({});
  const loads = [Promise.withResolvers<[]>(), Promise.withResolvers<[]>()];
  let claimed = 0;
  const claimer = createClaimer({
    region: REGION,
    most: 10_000,
    ask: () => undefined,
    lateness: { ms: 0 },
    interrupted: () => undefined,
    log,
    store: {
      ...store,
      claim: ({ lost }) => Promise.resolve(lost ? [] : [{ consumerId: 'one' } as Claimed]),
      load: () => loads[claimed++]!.promise,
    },
  });
  const current = { term: { id: 'lane' }, visits: { size: 0 } } as unknown as Current;
  expect(claimer.begun).toBe(0);
  await claimer.claimSome(current); // claims 1, and 2 of lost ones, which finds none
  await claimer.claimSome(current);
  expect(claimer.begun).toBe(0);
  loads[1]?.resolve([]);
  await setImmediate();
  expect(claimer.begun).toBe(0); // claim 1 is older
  loads[0]?.resolve([]);
  await claimer.settled();
  expect(claimer.begun).toBe(3);
  claimer.isUnsure();
  expect(claimer.begun).toBeNull();
});

test('consumers that a lane has claimed without knowing it are released, and may be claimed again', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  await opened.create({ start: 'end' });
  await opened.create({ start: 'end' });
  await db.query('update cursors set wanted = position + 1, idle = true');
  await beginLaneLease(db, { id: 'lane', region: 'us-west-2' }, 60_000);
  const of = { holder: 'lane', region: REGION, limit: 10, lost: false, number: 1 };
  const [known] = await claim(db.pipe, of);
  const store = createVisitStore(db, createVault([{ id: 'test', key: randomBytes(32) }]));
  const isKnown = ({ consumerId, epoch }: { consumerId: string; epoch: number }): boolean =>
    consumerId === known?.consumerId && epoch === known.lease.epoch;
  expect(await store.letGoOfUnknown('lane', isKnown)).toBe(1);
  expect(await store.letGoOfUnknown('lane', isKnown)).toBe(0);
  const again = await claim(db.pipe, of);
  expect(again.map(({ consumerId }) => consumerId)).not.toContain(known?.consumerId);
  expect(again).toMatchObject([{ lease: { epoch: 2 } }]);
});
