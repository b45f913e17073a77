import { expect, test } from 'vitest';

import { findings } from '../../src/cli/status.ts';
import type { Status } from '../../src/schema/status.ts';

/** What is said of so many stopped and blocked consumers, consumers that can't send, parked entries and so on. */
function saidOf(many: number): Record<string, string> {
  const status: Status = {
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
  const found = findings(status, 'http://127.0.0.1:4600', new Map());
  return Object.fromEntries(found.map(({ name, detail }) => [name, detail]));
}

test('what is wrong is said in a sentence, of one and of several', () => {
  expect(saidOf(1)).toMatchObject({
    Stopped: '1 consumer sends nothing until it is resumed',
    Blocked: '1 consumer is retrying because its endpoint fails',
    "Can't send": '1 consumer is kept from sending by something other than its endpoint',
    Parked: '1 entry was rejected by its endpoint and is retried beside the others',
    'Dead letters': '1 entry was rejected for the whole retry window',
    Outbox: '1 mail or alert webhook is waiting to be sent',
  });
  expect(saidOf(2)).toMatchObject({
    Stopped: '2 consumers send nothing until they are resumed',
    Blocked: '2 consumers are retrying because their endpoints fail',
    "Can't send": '2 consumers are kept from sending by something other than their endpoints',
    Parked: '2 entries were rejected by their endpoints and are retried beside the others',
    'Dead letters': '2 entries were rejected for the whole retry window',
    Outbox: '2 mails or alert webhooks are waiting to be sent',
  });
  const well = saidOf(0);
  expect(Object.keys(well)).not.toContain('Stopped');
  expect(well['Outbox']).toBe('no mail or alert webhook is waiting');
});
