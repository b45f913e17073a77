import { expect, test } from 'vitest';

import type { ConsumerSnapshot } from '../../src/consumers/consumerSnapshot.ts';
import { details, type Beside } from '../../src/workflows/details.ts';
import { summaryOf } from '../../src/workflows/memo.ts';
import { ACTIVE } from '../support/snapshot.ts';

const SNAPSHOT: ConsumerSnapshot = {
  ...ACTIVE,
  name: 'orders',
  targetName: 'Receiver',
  path: '/hook',
  position: 3,
  lastPosition: 8,
};

function linesOf(given: Partial<ConsumerSnapshot>, fault: string | null = null): string[] {
  const beside: Beside = { filter: 'everything', fault, note: null, deliveryQueue: 'queue' };
  return details({ ...SNAPSHOT, ...given }, beside).split('\n');
}

test.each([
  ['has something to send', {}, null, '`drain`, an activity of its own'],
  [
    'is quiet',
    { idle: true },
    null,
    'a lane of workflow `visits/queue` whenever an entry arrives, ' +
      'or `drain`, an activity of its own, while that workflow runs no lanes',
  ],
  [
    'has parked entries',
    { idle: true, parkedDueAt: '2026-11-28T00:00:00.000Z' },
    null,
    '`drain`, once a parked entry is due or another entry arrives',
  ],
  [
    'is blocked',
    { status: 'blocked' },
    null,
    '`deliver`, an activity of its own that tries the failing entry',
  ],
  ['is paused', { status: 'paused' }, null, 'none, because nothing is to be sent'],
  ['is stopped', { status: 'stopped' }, null, 'none, because nothing is to be sent'],
  ["can't send", {}, 'the secret is sealed', 'none until the next try'],
] as const)('the page of a consumer that %s says who sends for it', (_, given, fault, by) => {
  expect(linesOf(given, fault)).toContain(`- Sender: ${by}`);
});

test('the page of an active consumer claims no position, as senders move it without a step of the workflow', () => {
  const quiet = linesOf({ idle: true }).join('\n');
  expect(quiet).toMatch(/^\*\*Active, quiet\*\*/u);
  expect(quiet).not.toMatch(/caught up|nothing to send|Position: \d/iu);
  expect(linesOf({}).join('\n')).not.toMatch(/Position: \d/u);
  expect(linesOf({ status: 'blocked' })).toContain(
    '- Position: 3, up to 5 entries behind when last looked at',
  );
});

test('the page begins with the name of the consumer, which links to the console and cannot break the Markdown', () => {
  const beside = { filter: 'everything', fault: null, note: null, deliveryQueue: 'queue' };
  const consolePage = 'https://millrace.test/consumers/1';
  const named = { ...SNAPSHOT, name: 'a [b](c)\n# d', targetName: '*e*' };
  const lines = details(named, { ...beside, consolePage }).split('\n');
  expect(lines[2]).toBe(
    String.raw`- Consumer: [a \[b\](c) # d](https://millrace.test/consumers/1)`,
  );
  expect(lines[3]).toContain(String.raw`- Target: \*e\* (`);
});

test('a summary is never longer than Temporal allows, whatever the names are', () => {
  expect(summaryOf({ name: 'orders', targetName: 'Receiver' })).toBe('orders → Receiver');
  const long = '🙂'.repeat(255);
  expect(
    Buffer.byteLength(JSON.stringify(summaryOf({ name: long, targetName: long }))),
  ).toBeLessThan(400);
});
