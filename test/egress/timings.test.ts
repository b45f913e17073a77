import { expect, test } from 'vitest';

import type { Opening } from '../../src/egress/opening.ts';
import { timingsOf } from '../../src/egress/timings.ts';

const NONE = { lane: null, pace: null, prepare: null, dns: null, connect: null, tls: null };
const UNWRITTEN = { request: null, first_byte: null, body: null };
/** A request that got its connection at 110, began at 150, and was answered from 200 to 230. */
const BASE = {
  startedAt: 100,
  dispatchedAt: 100,
  opening: null,
  writtenAt: 110,
  flushedAt: 0,
  statusAt: 200,
  endedAt: 230,
};

function opening(fields: Partial<Opening>): Opening {
  return { begunAt: 110, lookedUpAt: 0, connectedAt: 0, securedAt: 0, isSecure: true, ...fields };
}

test('the steps of a request on an open connection are the wait for it, writing, the answer and its body', () => {
  const found = timingsOf(BASE);
  expect(found).toEqual({ ...NONE, connection: 10, request: 0, first_byte: 90, body: 30 });
});

test('writing a large request takes as long as the other side takes to read it', () => {
  const found = timingsOf({ ...BASE, flushedAt: 160 });
  expect(found).toMatchObject({ request: 50, first_byte: 40 });
});

test('a new connection has the steps of looking up the name, opening and securing it', () => {
  const steps = opening({ lookedUpAt: 115, connectedAt: 125, securedAt: 140 });
  const found = timingsOf({ ...BASE, opening: steps, writtenAt: 140 });
  expect(found).toMatchObject({ connection: 10, dns: 5, connect: 10, tls: 15, first_byte: 60 });
});

test('for an IP address there is no look-up, and for http no TLS', () => {
  const steps = opening({ lookedUpAt: 110, connectedAt: 125, securedAt: 0, isSecure: false });
  const found = timingsOf({ ...BASE, opening: steps, writtenAt: 125 });
  expect(found).toMatchObject({ dns: null, connect: 15, tls: null });
});

test.each([
  ['the look-up', {}, { dns: 120, connect: null, tls: null }],
  ['connecting', { lookedUpAt: 115 }, { dns: 5, connect: 115, tls: null }],
  ['the handshake', { lookedUpAt: 115, connectedAt: 120 }, { dns: 5, connect: 5, tls: 110 }],
])('in an attempt that ends in %s this is the last step, until its end', (_, steps, found) => {
  const moments = { ...BASE, opening: opening(steps), writtenAt: 0, statusAt: 0 };
  expect(timingsOf(moments)).toEqual({ ...NONE, connection: 10, ...UNWRITTEN, ...found });
});

test('an attempt without a connection consists of the wait for one', () => {
  const found = timingsOf({ ...BASE, writtenAt: 0, statusAt: 0 });
  expect(found).toEqual({ ...NONE, connection: 130, ...UNWRITTEN });
});

test('getting a token and a first try that is repeated count as preparation of the request', () => {
  expect(timingsOf({ ...BASE, dispatchedAt: 105 })).toMatchObject({ prepare: 5, connection: 5 });
});

test('an attempt without a token consists of preparation alone', () => {
  const found = timingsOf({ ...BASE, dispatchedAt: 0, writtenAt: 0, statusAt: 0 });
  expect(found).toEqual({ ...NONE, prepare: 130, connection: null, ...UNWRITTEN });
});

test('no step has a negative length, whatever the clock does', () => {
  expect(timingsOf({ ...BASE, writtenAt: 99, statusAt: 98 }).connection).toBe(0);
});
