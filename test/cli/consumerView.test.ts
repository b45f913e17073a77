import { expect, test } from 'vitest';

import { consumerFields } from '../../src/cli/consumerView.ts';
import { whatMatters } from '../../src/cli/watch.ts';
import type { Consumer } from '../../src/schema/consumer.ts';
import { openConsumersApi } from '../support/consumers.ts';

const VISIT = { activity: 'visit', process: 'host/1/ab', lane: 0 } as const;
const LEASE = { lease_until: '2026-11-29T00:00:08.000Z' };

test.each([
  ['nobody', null, 'none'],
  ['a lane of visits', { ...VISIT, ...LEASE }, 'lane 0 of visits in host/1/ab'],
  [
    'a drain of its own',
    { activity: 'drain', process: 'host/1/ab', lane: null, ...LEASE } as const,
    'drain in host/1/ab',
  ],
])('the fields of a consumer say that %s sends for it', async (_, sender, shown) => {
  await using opened = await openConsumersApi();
  const consumer = (await opened.create()) as Consumer;
  const fields = Object.fromEntries(consumerFields({ ...consumer, sender }));
  expect(fields['Sender']).toBe(shown);
});

test('while a consumer is watched, another sender counts as a change, and a renewed lease does not', async () => {
  await using opened = await openConsumersApi();
  const consumer = (await opened.create()) as Consumer;
  const by = (sender: Consumer['sender']): string => whatMatters({ ...consumer, sender });
  const visited = by({ ...VISIT, ...LEASE });
  expect(by({ ...VISIT, lease_until: '2026-11-29T00:00:16.000Z' })).toBe(visited);
  expect(by({ ...VISIT, lane: 1, ...LEASE })).not.toBe(visited);
  expect(by(null)).not.toBe(visited);
});
