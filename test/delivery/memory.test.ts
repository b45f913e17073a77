// What a worker holds of the entries that it sends, whatever the number of consumers.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import pino from 'pino';
import { expect, test } from 'vitest';

import { createListener } from '../../src/db/listener.ts';
import type { Drain } from '../../src/delivery/drainContext.ts';
import { openDrain } from '../../src/delivery/openDrain.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createDrains, type Drains } from '../../src/temporal/drains.ts';
import { createOpenSender } from '../../src/temporal/openSender.ts';
import { LOOPBACK } from '../support/app.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { faultsOf } from '../support/faults.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';

const MB = 2 ** 20;
const HANGING = 60;
const ENTRY_BYTES = 100_000;
const ENTRIES = 80;
const MEMORY_BYTES = 16 * MB;

interface Senders extends AsyncDisposable {
  drains: Drains;
  /** Starts to drain a consumer. */
  drain(consumerId: string): Promise<Drain>;
}

/** The drains of a worker with little memory, without Temporal. */
function openSenders(opened: ConsumersApi): Senders {
  const { db, vault } = opened.api;
  const log = pino({ level: 'silent' });
  const listener = createListener({ url: opened.databaseUrl, log });
  const drains = createDrains({
    db,
    vault,
    listener,
    openSender: createOpenSender({
      egress: createEgress({ allowCidrs: LOOPBACK }),
      userAgent: 'Millrace/test',
      now: Date.now,
    }),
    now: Date.now,
    holder: 'here',
    idleAfterMs: 600_000,
    retryWindowMs: 86_400_000,
    reportHead: () => Promise.resolve(),
    slots: 1_000,
    memoryBytes: MEMORY_BYTES,
    log,
    ...faultsOf(db),
  });
  const running: Drain[] = [];
  return {
    drains,
    drain: async (consumerId) => {
      const drain = await openDrain({
        consumerId,
        context: drains.deps.context,
        holder: 'here',
        leaseMs: drains.deps.leaseMs,
        nowMs: Date.now,
        cancelled: new AbortController().signal,
      });
      if ('reason' in drain) throw new Error(`not started: ${drain.reason}`);
      drains.deps.register(drain);
      running.push(drain);
      return drain;
    },
    [Symbol.asyncDispose]: async () => {
      for (const drain of running) drain.stop('yielded');
      await Promise.allSettled(running.map((drain) => drain.ended));
      await drains[Symbol.asyncDispose]();
      await listener.close();
    },
  };
}

/** An endpoint that takes requests and answers none; disposing of it cuts them. */
async function openHole(): Promise<AsyncDisposable & { url: string; taken(): number }> {
  let taken = 0;
  const server: Server = createServer((request) => {
    request.resume();
    request.on('end', () => (taken += 1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    taken: () => taken,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function consumerOf(
  opened: ConsumersApi,
  url: string,
  sync: string,
  more: object = {},
): Promise<string> {
  const name = `${sync} ${Math.random()}`;
  const made = await opened.api.request('POST', '/v1/targets', { name, base_url: url });
  const fields = { name, target_id: made.body.id, syncs: [sync], start: 'beginning', ...more };
  return ((await opened.create(fields)) as { id: string }).id;
}

async function appendLarge(
  { api }: ConsumersApi,
  syncId: string,
  count: number,
  data: object = { pad: 'x'.repeat(ENTRY_BYTES) },
): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    await api.request('POST', '/v1/events', {
      events: [
        {
          sync_id: syncId,
          collection_id: 'a:b',
          upstream_id: `${number}`,
          event: 'updated',
          data,
        },
      ],
    });
  }
}

test('consumers whose endpoints hang stay within the memory budget together, and a healthy one gets everything', async () => {
  await using opened = await openConsumersApi();
  await using receiver = await openReceiver();
  await using senders = openSenders(opened);
  await using hole = await openHole();
  await appendLarge(opened, 'hanging', ENTRIES);
  await appendLarge(opened, 'healthy', ENTRIES);
  for (let number = 0; number < HANGING; number += 1) {
    await senders.drain(await consumerOf(opened, hole.url, 'hanging'));
  }
  await until(() => hole.taken() >= HANGING, { what: 'each of them has sent something' });
  await senders.drain(await consumerOf(opened, receiver.url, 'healthy'));
  await until(() => receiver.received.length >= ENTRIES);

  const { bytes } = senders.drains.deps.context.budget;
  expect(bytes.peak).toBeLessThanOrEqual(MEMORY_BYTES + HANGING * 2 * ENTRY_BYTES);
  const positions = receiver.received.map((one) => one.position).sort((a, b) => a - b);
  expect(positions).toEqual(Array.from({ length: ENTRIES }, (_, index) => ENTRIES + 1 + index));
});

test('bodies that an expression makes larger than their entries stay within the memory budget, and leave a healthy consumer enough', async () => {
  await using opened = await openConsumersApi();
  await using receiver = await openReceiver();
  await using senders = openSenders(opened);
  await using hole = await openHole();
  const list = Array.from({ length: 30 }, (_, index) => index);
  await appendLarge(opened, 'hanging', ENTRIES, { list, pad: 'x'.repeat(1_000) });
  await appendLarge(opened, 'healthy', ENTRIES);
  const grown = 900_000; // bytes
  const expression = 'event.data.list.map(a, event.data.list.map(b, event.data.pad))';
  const body = { mode: 'map', expression };
  const growing = 6;
  for (let number = 0; number < growing; number += 1) {
    await senders.drain(await consumerOf(opened, hole.url, 'hanging', { body }));
  }
  await until(() => hole.taken() >= growing, { what: 'each of them has sent something' });
  const { bytes } = senders.drains.deps.context.budget;
  expect(bytes.taken).toBeGreaterThan(growing * grown); // before the first of them times out
  await senders.drain(await consumerOf(opened, receiver.url, 'healthy'));
  await until(() => receiver.received.length >= ENTRIES);
  expect(bytes.peak).toBeLessThanOrEqual(MEMORY_BYTES);
});
