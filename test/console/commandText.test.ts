import { expect, test } from 'vitest';

import { doneText, planOf, verbsOf } from '../../src/console/consumers/commands.ts';
import type { Consumer } from '../../src/schema/consumer.ts';

const lag = (entries: number, exact = true) => ({ entries, exact, seconds: 60 });
const FAULT = {
  code: 'internal_error',
  detail: 'Something is wrong',
  since: '2026-11-30T04:00:00Z',
  next_try_at: '2026-11-30T04:10:00Z',
};

const consumer = (fields: Partial<Consumer>): Consumer =>
  ({
    name: 'Orders',
    status: 'active',
    lag: lag(0),
    parked: 0,
    cannot_start: null,
    position: 7,
    ...fields,
  }) as Consumer;

test('a retry is offered only where there is something to retry', () => {
  expect(verbsOf(consumer({}))).toEqual(['pause']);
  expect(verbsOf(consumer({ lag: lag(5) })), 'it sends').toEqual(['pause']);
  expect(verbsOf(consumer({ parked: 1 }))).toEqual(['retry', 'pause']);
  expect(verbsOf(consumer({ cannot_start: FAULT }))).toEqual(['retry', 'pause']);
  expect(verbsOf(consumer({ status: 'blocked' }))).toEqual(['retry', 'pause']);
  expect(verbsOf(consumer({ status: 'stopped', parked: 1 }))).toEqual(['resume']);
  expect(verbsOf(consumer({ status: 'paused' }))).toEqual(['resume']);
  expect(planOf('retry', consumer({ cannot_start: FAULT })).text).toMatch(
    /^Tries now whether it can send\. /u,
  );
});

test('after a command it is said what happened, by the answer of the API', () => {
  const stopped = consumer({ status: 'stopped' });
  const blocked = consumer({ status: 'blocked', lag: lag(3) });
  expect(doneText('resume', stopped, consumer({ lag: lag(312) }))).toBe(
    'Orders is active again; 312 entries wait.',
  );
  expect(doneText('resume', stopped, consumer({ lag: lag(9, false), parked: 2 }))).toBe(
    'Orders is active again; up to 9 entries wait. 2 parked entries are retried when due.',
  );
  expect(doneText('resume', stopped, consumer({}))).toBe(
    'Orders is active again; nothing was waiting.',
  );
  expect(doneText('resume', stopped, blocked)).toBe(
    'Orders was resumed and is blocked; 3 entries wait.',
  );
  expect(doneText('retry', blocked, consumer({ lag: lag(1) }))).toBe(
    'Orders is active again; 1 entry waits.',
  );
  expect(doneText('retry', consumer({ ...blocked, parked: 1 }), blocked)).toBe(
    'The next entry of Orders is tried now; 3 entries wait for the outcome. 1 parked entry is tried now.',
  );
  expect(doneText('retry', consumer({ parked: 2 }), consumer({ parked: 2 }))).toBe(
    'Of Orders, 2 parked entries are tried now.',
  );
  const unable = consumer({ cannot_start: FAULT, lag: lag(4) });
  expect(doneText('retry', unable, unable)).toBe(
    'Whether Orders can send is tried now; 4 entries wait for the outcome.',
  );
  expect(doneText('retry', consumer({}), consumer({}))).toBe(
    'Nothing of Orders was waiting for a retry.',
  );
  expect(doneText('pause', consumer({}), consumer({ status: 'paused', lag: lag(1) }))).toBe(
    'Orders is paused: no new requests start; 1 entry waits.',
  );
});
