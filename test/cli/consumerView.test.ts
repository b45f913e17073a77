import { expect, test } from 'vitest';

import { consumerFields } from '../../src/cli/consumerView.ts';
import { whatMatters } from '../../src/cli/watch.ts';
import { consumerHealth } from '../../src/consumers/consumerHealth.ts';
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

test('a blocked consumer shows when it gives up and how long that is from now, by the clock of the API', async () => {
  await using opened = await openConsumersApi();
  const consumer = (await opened.create()) as Consumer;
  const gives = (more: Partial<Consumer>, window?: string) =>
    Object.fromEntries(consumerFields({ ...consumer, ...more }, window))['Gives up'];
  const health = { ...consumer.health, time: '2026-11-30T12:00:00.000Z' };
  const blocked = { health, status: 'blocked', failing_since: '2026-11-30T11:00:00.000Z' } as const;
  expect(gives(blocked, '24h')).toBe('2026-12-01T11:00:00.000Z, in 23 hours');
  expect(gives(blocked, '90m')).toBe('2026-11-30T12:30:00.000Z, in 30 minutes');
  expect(gives(blocked, '1h')).toBe('2026-11-30T12:00:00.000Z, at any moment');
  expect(gives(blocked)).toBeNull();
  expect(gives({ ...blocked, status: 'stopped' }, '24h')).toBeNull();
  expect(gives({ ...blocked, failing_since: null }, '24h')).toBeNull();
});

test('the fields say who gets the alerts, and who paused it', async () => {
  await using opened = await openConsumersApi();
  const consumer = (await opened.create()) as Consumer;
  const fields = (more: Partial<Consumer>) =>
    Object.fromEntries(consumerFields({ ...consumer, ...more }));
  expect(fields({})['Alerts to']).toBe("the operator's addresses (MILLRACE_ALERT_EMAIL)");
  const health = consumerHealth({
    status: 'active',
    statusReason: null,
    failingSince: null,
    nextAttemptAt: null,
    lastFailure: null,
    attempts: 0,
    waiting: { entries: 0, exact: true },
    parked: 0,
    newestParked: null,
    deadLetters: 0,
    cannotStart: null,
    conditionFault: null,
    aging: null,
    filter: consumer,
    alertsReachSomeone: false,
    now: new Date(),
  });
  expect(fields({ health })['Alerts to']).toBe('nobody');
  expect(fields({ alert_emails: ['a@b.example'] })['Alerts to']).toBe('a@b.example');
  expect(fields({})['Status']).toBe('active');
  const statusOf = (status: Consumer['status'], status_reason: string) =>
    fields({ status, status_reason })['Status'];
  expect(statusOf('paused', 'paused by bootstrap')).toBe('paused by the admin key');
  expect(statusOf('paused', 'paused by ada')).toBe('paused by ada');
  expect(statusOf('blocked', 'HTTP_5XX: HTTP 503')).toBe('blocked: HTTP_5XX: HTTP 503');
});
