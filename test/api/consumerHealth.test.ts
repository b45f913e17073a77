import { expect, test } from 'vitest';

import { consumerHealth, type HealthInput } from '../../src/consumers/consumerHealth.ts';
import { clockText, splitAtTimes } from '../../src/rules/clockText.ts';

const well: HealthInput = {
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
  filter: { syncs: ['*'], collections: ['*'], event_types: ['*'] },
  alertsReachSomeone: true,
  now: new Date('2026-11-23T14:20:00Z'),
};

test('a consumer that works is ok, without notes', () => {
  expect(consumerHealth(well)).toEqual({
    status: 'ok',
    notes: [],
    time: '2026-11-23T14:20:00.000Z',
  });
});

test('a blocked consumer warns, with what fails, since when, and what comes next', () => {
  const blocked: HealthInput = {
    ...well,
    status: 'blocked',
    failingSince: '2026-11-23T14:02:11.5Z',
    nextAttemptAt: '2026-11-23T14:37:00Z',
    lastFailure: { code: 'CONNECTION_REFUSED', status: null, since: '2026-11-23T14:02:11.5Z' },
    attempts: 8,
    waiting: { entries: 1_204, exact: true },
  };
  expect(consumerHealth(blocked)).toMatchObject({
    status: 'warn',
    notes: [
      'Refused connections since 14:02 UTC; next attempt 14:37 UTC (attempt 9); 1,204 entries are waiting',
    ],
  });
  const yesterday = {
    ...blocked,
    failingSince: '2026-11-22T23:59:00Z',
    lastFailure: { code: 'HTTP_5XX', status: 503, since: '2026-11-22T23:59:00Z' },
    nextAttemptAt: null,
  };
  expect(consumerHealth(yesterday).notes).toEqual([
    'Answered HTTP 503 since 2026-11-22 23:59 UTC; next attempt now (attempt 9); 1,204 entries are waiting',
  ]);
});

test('the newest failure and the whole time of failing each have their own beginning', () => {
  const failing = (lastFailure: HealthInput['lastFailure'], exact = true): string[] =>
    consumerHealth({
      ...well,
      status: 'blocked',
      failingSince: '2026-11-23T11:52:30Z',
      nextAttemptAt: '2026-11-23T14:37:00Z',
      lastFailure,
      attempts: 2,
      waiting: { entries: 1, exact },
    }).notes;
  const rest = 'next attempt 14:37 UTC (attempt 3)';
  expect(failing({ code: 'HTTP_4XX', status: 401, since: '2026-11-23T11:54:00Z' })).toEqual([
    `Answered HTTP 401 since 11:54 UTC, failing since 11:52 UTC; ${rest}; 1 entry is waiting`,
  ]);
  expect(failing({ code: 'HTTP_4XX', status: 401 })).toEqual([
    `Answered HTTP 401, failing since 11:52 UTC; ${rest}; 1 entry is waiting`,
  ]);
  expect(failing(null, false)).toEqual([
    `Failing since 11:52 UTC; ${rest}; up to 1 entry is waiting`,
  ]);
});

test('a page finds the times in a sentence, and nothing else', () => {
  const now = new Date('2026-11-23T14:20:00Z');
  const times = ['2026-11-23T14:02:00Z', '2026-11-22T23:59:00Z', '2027-01-01T00:00:00Z'];
  for (const at of times) {
    const sentence = `Failing since ${clockText(at, now)}; next`;
    expect(splitAtTimes(sentence, now)).toEqual([
      { text: 'Failing since ' },
      { at },
      { text: '; next' },
    ]);
  }
  for (const text of ['', 'In UTC', '12:60 UTC', 'at 114:02 UTC', '14:02']) {
    expect(splitAtTimes(text, now)).toEqual(text === '' ? [] : [{ text }]);
  }
});

test('a stopped consumer is an error that says how to continue', () => {
  const stopped: HealthInput = {
    ...well,
    status: 'stopped',
    statusReason: 'the endpoint failed for 24 hours',
    failingSince: '2026-11-22T14:02:00Z',
  };
  expect(consumerHealth(stopped)).toMatchObject({
    status: 'error',
    notes: [
      'Stopped: the endpoint failed for 24 hours, failing since 2026-11-22 14:02 UTC; resuming continues where it stopped',
    ],
  });
});

test('an empty list in the filter and alerts that reach nobody lead to warnings', () => {
  const filter = { syncs: [], collections: ['*'], event_types: [] };
  expect(consumerHealth({ ...well, filter, alertsReachSomeone: false })).toMatchObject({
    status: 'warn',
    notes: [
      'The filter matches nothing: syncs and event_types are empty',
      'Nobody is alerted: set alert_emails or MILLRACE_ALERT_EMAIL',
    ],
  });
});

test('parked entries and dead letters are counted, with the next attempt', () => {
  const parked = { ...well, parked: 1, deadLetters: 2, nextAttemptAt: '2026-11-23T14:37:00Z' };
  expect(consumerHealth(parked)).toMatchObject({
    status: 'warn',
    notes: ['1 entry is parked; next attempt 14:37 UTC', '2 dead letters: replay or delete them'],
  });
  expect(consumerHealth({ ...parked, status: 'paused', deadLetters: 0 }).notes).toEqual([
    '1 entry is parked until the consumer is active',
  ]);
});

test('parked entries of which no body could be made say why, and those that the endpoint refuses do not', () => {
  const parked = { ...well, parked: 254, nextAttemptAt: '2026-11-23T14:37:00Z' };
  const unmade = {
    code: 'BODY_FAILED',
    detail: 'the expression of the body has no value: There is no field "n" (line 1, column 9)',
  };
  expect(consumerHealth({ ...parked, newestParked: unmade }).notes).toEqual([
    '254 entries are parked; next attempt 14:37 UTC; of the newest no body can be made: There is no field "n" (line 1, column 9)',
  ]);
  const other = { code: 'BODY_FAILED', detail: 'the result has no form in JSON' };
  expect(consumerHealth({ ...parked, newestParked: other }).notes).toEqual([
    '254 entries are parked; next attempt 14:37 UTC; of the newest no body can be made: the result has no form in JSON',
  ]);
  const refused = { code: 'HTTP_4XX', detail: 'HTTP 400' };
  expect(consumerHealth({ ...parked, newestParked: refused }).notes).toEqual([
    '254 entries are parked; next attempt 14:37 UTC',
  ]);
});

test('events that are old enough to be lost soon are counted, with both ages in whole units', () => {
  const hour = 3_600_000;
  const aging = {
    waiting: { entries: 1_204, exact: true },
    ageMs: 24.3 * 24 * hour,
    keptMs: 720 * hour,
  };
  expect(consumerHealth({ ...well, status: 'paused', aging })).toMatchObject({
    status: 'warn',
    notes: ['The oldest of 1,204 waiting events is 24 days old; events are dropped after 30 days'],
  });
  const notes = (waiting: number, ageMs: number, keptMs: number): string[] =>
    consumerHealth({
      ...well,
      aging: { waiting: { entries: waiting, exact: true }, ageMs, keptMs },
    }).notes;
  expect(notes(1, 50.6 * hour, 60 * hour)).toEqual([
    'The waiting event is 50 hours old; events are dropped after 60 hours',
  ]);
  expect(notes(2, 95_000, 120_000)).toEqual([
    'The oldest of 2 waiting events is 95 seconds old; events are dropped after 2 minutes',
  ]);
});
