import pino from 'pino';
import { expect, test } from 'vitest';

import { createEnding } from '../../src/delivery/ending.ts';
import { createLanding } from '../../src/delivery/landing.ts';
import { createOutage } from '../../src/delivery/outage.ts';
import { createRecoveries } from '../../src/delivery/recoveries.ts';
import { createFailureHandler } from '../../src/failure/failureHandler.ts';
import type { Outgoing } from '../../src/failure/outgoing.ts';
import { createParkedEntries } from '../../src/failure/parkedEntries.ts';
import { createRecordParking } from '../../src/failure/recordParking.ts';
import { createDispatcher } from '../../src/flow/dispatcher.ts';
import { createInFlightLimit } from '../../src/flow/inFlightLimit.ts';
import { createLanes } from '../../src/flow/lanes.ts';
import { createPace } from '../../src/flow/pace.ts';
import { createSlidingWindow } from '../../src/flow/slidingWindow.ts';
import { createAttemptLog } from '../../src/progress/attemptLog.ts';
import { NO_ENTRY, type Entry } from '../../src/streams/entry.ts';
import { parkedRow } from '../support/parkedRows.ts';

/** The stations of a drain around its landing, with a budget that has room or not. */
function openStations() {
  const sent: number[] = [];
  const room = { left: 0 };
  const log = pino({ level: 'silent' });
  const common = { consumerId: 'c', stream: 'events', ordering: 'record' } as const;
  const parked = createParkedEntries({
    windowMs: 1_000,
    clock: () => 0,
    nowMs: () => 0,
    now: Date.now,
    rows: [parkedRow(1)],
    total: 1,
  });
  const slidingWindow = createSlidingWindow<Entry>({ position: 0, ahead: [] }, NO_ENTRY);
  const lanes = createLanes<Entry>('record');
  const attempts = createAttemptLog({
    stream: 'events',
    retryWindowMs: 1_000,
    now: Date.now,
    stretch: 0.5,
  });
  const limit = createInFlightLimit({ max: 10, found: null, ramp: false });
  const mark = (): void => undefined;
  const dispatcher = createDispatcher<Outgoing>({
    limit,
    pace: createPace(null),
    requests: {
      room: () => room.left,
      take: (count) => void (room.left -= count),
      wait: () => undefined,
    },
    mayStart: () => true,
    takesLast: () => false,
    skips: (slot) => landing.skips(slot),
    send: (slot) => {
      if (slot.parked !== null) parked.starts(slot.parked);
      sent.push(slot.position);
    },
    pumped: () => undefined,
  });
  const ending = createEnding({
    inFlight: () => dispatcher.inFlight,
    begun: () => undefined,
    conclude: () => Promise.reject(new Error('it does not end here')),
    leave: () => undefined,
  });
  const parts = { ...common, slidingWindow, lanes, attempts, limit, dispatcher, parked, mark, log };
  const failedAttempts = new Map<number, number>();
  const failures = createFailureHandler({
    ...parts,
    failedAttempts,
    pages: { entryAt: () => Promise.resolve(null) },
    isOut: () => false,
    passes: () => true,
    recordParking: createRecordParking({ ...parts, failedAttempts }),
  });
  const outage = createOutage({
    ...parts,
    failures,
    ending,
    pages: { entryAt: () => Promise.resolve(null) },
    pace: createPace(null),
    recoveries: createRecoveries(),
    targetId: 't',
    head: null,
    ownRetriesMs: 60_000,
    nowMs: Date.now,
    maySend: () => true,
    isCaughtUp: () => true,
    stir: () => undefined,
  });
  const landing = createLanding({
    ...parts,
    failures,
    outage,
    ending,
    reader: { fill: () => undefined },
    ownRetriesMs: 60_000,
    patienceMs: 10_000,
  });
  return { parked, dispatcher, sent, room };
}

function putDue({ parked, dispatcher }: ReturnType<typeof openStations>): void {
  for (const one of parked.due()) {
    parked.load(one, { body: '{}', superseded: false });
    const { entry, record } = one;
    const { position, messageId } = entry;
    const state = { settled: false, closed: false, sent: false, next: null, lane: record };
    const times = { readAt: 0, readyAt: 0 };
    const sent = { messageId, body: '', traceparent: null, attempt: 2, parked: one };
    dispatcher.putBack({ position, entry, ...state, ...sent, ...times });
  }
}

test('a parked entry that waits for its share of the budget is sent once it gets one', () => {
  const stations = openStations();
  putDue(stations);
  stations.dispatcher.pump();
  expect(stations.sent).toEqual([]);
  stations.room.left = 1;
  stations.dispatcher.pump();
  expect(stations.sent).toEqual([1]);
});

test('a parked entry that an edit of the filter removes while it waits for its share is not sent', () => {
  const stations = openStations();
  putDue(stations);
  stations.dispatcher.pump();
  stations.parked.keepOnly(() => false);
  stations.room.left = 1;
  stations.dispatcher.pump();
  expect(stations.sent).toEqual([]);
  expect(stations.room.left).toBe(1);
});
