import { expect, test } from 'vitest';

import { findings } from '../../src/cli/status.ts';
import { troubleText } from '../../src/cli/troubleText.ts';
import type { Trouble } from '../../src/schema/overview.ts';
import type { Status } from '../../src/schema/status.ts';

/** So many stopped and blocked consumers, consumers that can't send, parked entries and so on. */
function statusOf(many: number): Status {
  return {
    version: '1.0.0',
    region: 'here',
    parts: { database: true },
    figures: {
      consumers: { active: 0, paused: 0, blocked: many, stopped: many },
      lag: { entries: 0, seconds: 0, exact: true },
      parked: many,
      dead_letters: many,
      cannot_start: many,
      outbox: many,
      worst: [],
    },
  };
}

function saidOf(many: number): Record<string, string> {
  const known = { names: new Map<string, string>(), troubles: [] };
  const found = findings(statusOf(many), 'http://127.0.0.1:4600', known);
  return Object.fromEntries(found.map(({ name, detail }) => [name, detail]));
}

test('what is wrong is said in a sentence, of one and of several', () => {
  expect(saidOf(1)).toMatchObject({
    Stopped: '1 consumer sends nothing until it is resumed',
    Blocked: '1 consumer is retrying because its endpoint fails',
    "Can't send": '1 consumer is kept from sending by something other than its endpoint',
    Parked: '1 entry failed by itself and is retried beside the others',
    'Dead letters': '1 entry failed for the whole retry window',
    Outbox: '1 mail or alert webhook is waiting to be sent',
  });
  expect(saidOf(2)).toMatchObject({
    Stopped: '2 consumers send nothing until they are resumed',
    Blocked: '2 consumers are retrying because their endpoints fail',
    "Can't send": '2 consumers are kept from sending by something other than their endpoints',
    Parked: '2 entries failed by themselves and are retried beside the others',
    'Dead letters': '2 entries failed for the whole retry window',
    Outbox: '2 mails or alert webhooks are waiting to be sent',
  });
  const well = saidOf(0);
  expect(Object.keys(well)).not.toContain('Stopped');
  expect(well['Outbox']).toBe('no mail or alert webhook is waiting');
});

const blocked: Trouble = {
  target_id: 't',
  target_name: 'shop',
  status: 'blocked',
  code: 'HTTP_5XX',
  http_status: 503,
  reason: null,
  consumers: 1,
  of: 6,
  consumer_id: 'c',
  consumer_name: 'orders',
  named: [{ consumer_id: 'c', name: 'orders' }],
  since: '2026-11-30T12:03:11.482Z',
  next_attempt_at: null,
  waiting: { entries: 3, exact: true },
  gives_up_at: '2026-12-01T12:03:11.482Z',
};

test('consumers in trouble are said in groups: which, why, since when, and when they give up', () => {
  const ends = 'since 2026-11-30T12:03:11Z; gives up at 2026-12-01T12:03:11Z';
  expect(troubleText(blocked)).toBe(`orders (target shop): Answered HTTP 503 ${ends}`);
  const many = { ...blocked, consumers: 4, consumer_id: null, consumer_name: null, named: [] };
  expect(troubleText({ ...many, code: 'TIMEOUT', http_status: null })).toBe(
    '4 of 6 consumers of shop: No answer in time since 2026-11-30T12:03:11Z; the first gives up at 2026-12-01T12:03:11Z',
  );
  const ended = { ...blocked, gives_up_at: null };
  const reason = 'the endpoint failed for the whole retry window';
  expect(troubleText({ ...ended, status: 'stopped', reason })).toBe(
    `orders (target shop): ${reason}, failing since 2026-11-30T12:03:11Z`,
  );
  const fault = { status: 'cannot_start', code: 'filter_unreadable', http_status: null } as const;
  expect(troubleText({ ...ended, ...fault, reason: 'Set its filter anew.' })).toBe(
    'orders (target shop): Set its filter anew since 2026-11-30T12:03:11Z',
  );
});

test('each group of consumers has a line with its status, up to ten of them', () => {
  const stopped = { ...blocked, status: 'stopped', gives_up_at: null } as const;
  const troubles = [stopped, ...Array.from({ length: 12 }, () => blocked)];
  const found = findings(statusOf(12), '', { names: new Map(), troubles });
  const partsOf = (name: string) => found.find((one) => one.name === name)?.parts;
  expect(partsOf('Stopped')).toEqual([troubleText(stopped)]);
  expect(partsOf('Blocked')).toHaveLength(11);
  expect(partsOf('Blocked')?.at(-1)).toBe('and 2 more groups of consumers');
  expect(partsOf("Can't send")).toBeUndefined();
});
