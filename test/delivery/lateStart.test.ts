import { afterEach, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import type { Message } from '../../src/egress/webhookSender.ts';
import type { Outcome } from '../../src/rules/outcome.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { openSender } from '../support/sender.ts';

const LEASE_MS = 60_000;

const NEVER = new Int32Array(new SharedArrayBuffer(4));

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A sender with one connection, whose lease is what the test says; `ended` may send or stand still. */
async function openLeased(ended: (message: Message, outcome: Outcome) => void) {
  const receiver = await openReceiver();
  let leaseUntil = performance.now() + LEASE_MS;
  const { sender, destroy } = openSender({
    origin: new URL(receiver.url).origin,
    connections: 1,
    timeoutMs: 15_000,
    startBy: () => leaseUntil,
    ended,
  });
  closing.push(destroy, async () => receiver[Symbol.asyncDispose]());
  return {
    receiver,
    send: (position: number) => sender.send({ position, messageId: newId(), body: '{}' }, 1),
    /** Stands still until the lease is over, as a process that is frozen. */
    freeze: () => {
      leaseUntil = performance.now() + 50;
      while (performance.now() <= leaseUntil) Atomics.wait(NEVER, 0, 0, 20);
    },
    renew: () => {
      leaseUntil = performance.now() + LEASE_MS;
    },
  };
}

test('a request that waits for its connection when the process is frozen does not start after the end of the lease', async () => {
  const outcomes: Outcome[] = [];
  const leased = await openLeased((_message, outcome) => void outcomes.push(outcome));
  leased.send(1);
  leased.freeze();
  await until(() => outcomes.length === 1);
  expect(outcomes[0]).toEqual({ kind: 'ours', detail: 'the lease ended' });
  leased.renew();
  leased.send(2);
  await until(() => outcomes.length === 2);
  expect(outcomes[1]).toMatchObject({ kind: 'delivered' });
  expect(leased.receiver.received.map((one) => one.position)).toEqual([2]);
});

test('nor does a request that was to follow on an open connection', async () => {
  const ends: [number, Outcome['kind']][] = [];
  const leased = await openLeased((message, { kind }) => {
    ends.push([message.position, kind]);
    if (message.position !== 1) return;
    leased.send(2); // in the turn that brought the answer, as a drain does
    leased.freeze();
  });
  leased.send(1);
  await until(() => ends.length === 2);
  expect(ends).toEqual([
    [1, 'delivered'],
    [2, 'ours'],
  ]);
  leased.renew();
  leased.send(3);
  await until(() => ends.length === 3);
  expect(leased.receiver.received.map((one) => one.position)).toEqual([1, 3]);
});
