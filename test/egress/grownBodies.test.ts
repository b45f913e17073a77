// What open requests hold beyond the entries that they are made of, which alone were counted when they were read.
import type { ServerResponse } from 'node:http';

import { expect, test } from 'vitest';

import { batchBody } from '../../src/egress/batchBody.ts';
import type { Message } from '../../src/egress/webhookSender.ts';
import { bodyShape } from '../../src/rules/bodyShape.ts';
import type { ConsumerBody } from '../../src/schema/body.ts';
import { ENTRY_OF } from '../../src/streams/entry.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { openSender } from '../support/sender.ts';

const AT = '2026-11-28T14:14:54.549977Z';
const DATA = `{"text":"${'ünïcode 😀'.repeat(2_000)}"}`;
const COUNT = 4;

/** The whole bodies of so many events, as they are stored. */
function storedBodies(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const key = [index + 1, `e-${index}`, 'updated', 's1', 'shop:order', `o-${index}`];
    const bytes = Buffer.byteLength(DATA);
    return ENTRY_OF.events([...key, DATA, bytes, AT, null, null, null], 0).body;
  });
}

const bytesOf = (texts: readonly string[]): number =>
  texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);

const BODIES: { body: ConsumerBody; grows: boolean }[] = [
  { body: { mode: 'full' }, grows: false },
  { body: { mode: 'thin' }, grows: false },
  { body: { mode: 'cloudevents' }, grows: true },
  { body: { mode: 'map', expression: '[event, event.data]' }, grows: true },
];

test.each(BODIES.flatMap((one) => [1, COUNT].map((entries) => ({ ...one, entries }))))(
  'an open request with $entries entries and the body $body.mode counts what its body has more than them, until it has ended',
  async ({ body, grows, entries }) => {
    const open: ServerResponse[] = [];
    await using receiver = await openReceiver((_one, response) => void open.push(response));
    let [weighed, ended] = [0, 0];
    const bodies = storedBodies(entries);
    const isBatch = entries > 1;
    const { sender, destroy } = openSender({
      origin: new URL(receiver.url).origin,
      connections: 1,
      timeoutMs: 10_000,
      shape: bodyShape(body, 'events'),
      ...(isBatch ? { bodyOf: batchBody('events', body.mode) } : {}),
      weigh: (bytes) => void (weighed += bytes),
      ended: () => void (ended += 1),
    });
    const message: Message = isBatch
      ? { position: entries, messageId: 'batch', body: '', bodies }
      : { position: 1, messageId: 'e-0', body: bodies[0] ?? '' };
    sender.send(message, 1);
    await until(() => open.length === 1);
    const sent = Buffer.byteLength(receiver.received[0]?.body ?? '');
    expect(sender.grown).toBe(grows ? sent - bytesOf(bodies) : 0);
    expect(weighed).toBe(sender.grown);
    expect(sender.grown > 0).toBe(grows);
    open[0]?.writeHead(204).end();
    await until(() => ended === 1);
    expect([sender.grown, weighed]).toEqual([0, 0]);
    await destroy();
  },
);
