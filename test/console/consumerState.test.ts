import { expect, test } from 'vitest';

import {
  askedOf,
  beginOf,
  filterIn,
  filterSearch,
} from '../../src/console/consumers/attemptFilter.ts';
import { marksOf } from '../../src/console/consumers/marks.ts';
import { tabOfNote, wordsOf } from '../../src/console/consumers/notes.ts';
import { stateOf } from '../../src/console/consumers/state.ts';
import { isIn } from '../../src/console/overview/trouble.ts';
import { markedSteps } from '../../src/console/ui/chartMarks.ts';
import { consumerHealth } from '../../src/consumers/consumerHealth.ts';
import { givesUpAt } from '../../src/rules/givesUpAt.ts';
import type { Alert } from '../../src/schema/alert.ts';
import type { Change, Consumer } from '../../src/schema/consumer.ts';
import type { Trouble } from '../../src/schema/overview.ts';

const at = (minute: number): string => new Date(Date.UTC(2026, 10, 23, 11, minute)).toISOString();

function consumer(more: Partial<Consumer>): Consumer {
  const none = { cannot_start: null, last_failure: null, failing_since: null, status_reason: null };
  const lag = { entries: 31, seconds: 60, exact: true };
  return { status: 'active', ...none, next_attempt_at: null, lag, parked: 0, ...more } as Consumer;
}

function change(action: string, minute: number, detail: Record<string, unknown> = {}): Change {
  return { id: `${minute}`, consumer_id: 'c', action, actor: 'ada', detail, at: at(minute) };
}

function alert(kind: Alert['kind'], minute: number, reason: string): Alert {
  return {
    id: `${minute}`,
    consumer_id: 'c',
    source_id: null,
    kind,
    detail: { reason },
    at: at(minute),
    mail: null,
  };
}

const known = { url: 'https://example.com', retryWindow: '24h', changes: [], alerts: [] };

test('a consumer that sends, or has nothing to send, needs no explanation', () => {
  expect(stateOf(consumer({}), known)).toBeNull();
});

test('a blocked consumer shows the code and the text of its failure, since when, the next attempt, when it gives up and what waits', () => {
  const failure = { code: 'HTTP_4XX', status: 401, detail: 'HTTP 401', at: at(58), late: null };
  const blocked = consumer({
    status: 'blocked',
    last_failure: { ...failure, since: at(54) },
    failing_since: at(52),
    next_attempt_at: at(70),
    lag: { entries: 806, seconds: 900, exact: false },
    parked: 2,
  });
  expect(stateOf(blocked, known)).toEqual({
    tone: 'warn',
    title: 'Answered HTTP 401',
    code: 'HTTP_4XX',
    meaning: null,
    facts: [
      { name: 'Since', at: at(54) },
      { name: 'Failing since', at: at(52) },
      { name: 'Next attempt', at: at(70) },
      { name: 'Gives up and stops', at: '2026-11-24T11:52:00.000Z' },
      { name: 'Waiting', text: 'up to 806 entries, and 2 parked entries' },
    ],
    verb: 'retry',
  });
  const same = { ...blocked, last_failure: { ...failure, since: at(52) } };
  expect(stateOf(same, known)?.facts.map(({ name }) => name)).not.toContain('Failing since');
  const late = { ...failure, status: null, code: 'TIMEOUT', since: null };
  const slow = { ...blocked, last_failure: { ...late, late: { status: 200, after_ms: 16_400 } } };
  expect(stateOf(slow, known)?.title).toBe('Answers later than its timeout (about 16 s)');
});

test('a stopped consumer shows why and since when, a paused one by whom, and both offer resume', () => {
  const history = {
    url: undefined,
    retryWindow: undefined,
    changes: [change('resumed', 9), change('paused', 5), change('paused', 1)],
    alerts: [alert('warning', 9, 'x'), alert('stopped', 7, 'why'), alert('gone', 1, 'why')],
  };
  const why = { status_reason: 'the endpoint failed for the whole retry window' };
  const stopped = stateOf(consumer({ status: 'stopped', ...why, failing_since: at(2) }), history);
  expect(stopped).toMatchObject({
    tone: 'bad',
    title: 'Stopped: the endpoint failed for the whole retry window',
    meaning: 'Nothing is sent until you resume it; 31 entries wait.',
    facts: [
      { name: 'Since', at: at(7) },
      { name: 'Failing since', at: at(2) },
    ],
    verb: 'resume',
  });
  const gone = consumer({ status: 'stopped', failing_since: at(6) });
  const one = { ...gone, lag: { entries: 1, seconds: 60, exact: true } };
  expect(stateOf(one, history)).toMatchObject({
    meaning: 'Nothing is sent until you resume it; 1 entry waits.',
    facts: [{ name: 'Since', at: at(7) }], // one time, not two that differ by a minute
  });
  const pause = { status_reason: 'paused by ada', lag: { entries: 0, seconds: 0, exact: true } };
  expect(stateOf(consumer({ status: 'paused', ...pause }), history)).toEqual({
    tone: 'idle',
    title: 'Paused by ada',
    code: null,
    meaning: null,
    facts: [
      { name: 'Since', at: at(5) },
      { name: 'Waiting', text: 'nothing' },
    ],
    verb: 'resume',
  });
});

test('a consumer that cannot send says what to do, and offers no command, because none would help', () => {
  const fault = { code: 'filter_unreadable', detail: 'Set it anew.', since: at(1) };
  const state = stateOf(consumer({ cannot_start: { ...fault, next_try_at: at(9) } }), known);
  expect(state).toMatchObject({
    tone: 'bad',
    title: "Can't send: Set it anew.",
    code: 'filter_unreadable',
    verb: null,
  });
});

test('the time at which a consumer gives up is known for each notation of the retry window', () => {
  const ends = (window: string | undefined) => givesUpAt(at(0), window);
  expect(ends('90m')).toBe(at(90));
  expect(ends('4s')).toBe('2026-11-23T11:00:04.000Z');
  expect(ends('2d')).toBe('2026-11-25T11:00:00.000Z');
  expect(ends('1500ms')).toBe('2026-11-23T11:00:01.500Z');
  expect(ends(undefined)).toBeNull();
  expect(givesUpAt(null, '24h')).toBeNull();
});

test('a command for all consumers of a trouble is given to those that it counts', () => {
  const trouble = {
    target_id: 't',
    status: 'blocked',
    code: 'HTTP_5XX',
    http_status: 503,
    reason: null,
  } as Trouble;
  const failure = { code: 'HTTP_5XX', status: 503 } as Consumer['last_failure'];
  const one = { target_id: 't', status: 'blocked', last_failure: failure } as const;
  const fault = { code: 'internal_error' } as Consumer['cannot_start'];
  expect(isIn(trouble, consumer(one))).toBe(true);
  expect(isIn(trouble, consumer({ ...one, cannot_start: fault }))).toBe(false);
  expect(isIn(trouble, consumer({ ...one, target_id: 'u' }))).toBe(false);
  expect(isIn(trouble, consumer({ ...one, last_failure: null }))).toBe(false);
});

test('the notes of a health lead to where something can be done about them', () => {
  const { notes } = consumerHealth({
    status: 'active',
    statusReason: null,
    failingSince: null,
    nextAttemptAt: at(9),
    lastFailure: null,
    attempts: 0,
    waiting: { entries: 0, exact: true },
    parked: 1_300,
    newestParked: null,
    deadLetters: 1,
    cannotStart: null,
    conditionFault: null,
    aging: { waiting: { entries: 5, exact: true }, ageMs: 9, keptMs: 10 },
    filter: { syncs: [], collections: ['*'], event_types: ['*'] },
    alertsReachSomeone: false,
    now: new Date(at(0)),
  });
  expect(notes.map(tabOfNote)).toEqual([null, 'parked', 'dead-letters', 'filter', 'settings']);
  // The page has a field for what the API calls alert_emails.
  expect(notes.map(wordsOf)).toEqual([
    ...notes.slice(0, -1),
    'Nobody is alerted: add an alert address',
  ]);
});

test('charts are marked with stops, edits, pauses, resumes and seeks, each at its time', () => {
  const marks = marksOf(
    [
      change('seeked', 8, { to: 'end' }),
      change('retried', 7),
      change('resumed', 6),
      change('filter', 3, { added: { syncs: ['shop'] }, removed: {} }),
      change('paused', 2),
      change('created', 0, { start: 'end' }),
    ],
    [
      alert('recovered', 5, 'it is delivering again'),
      alert('stopped', 2, 'why'),
      alert('warning', 1, ''),
    ],
  );
  expect(marks.map(({ tone, text }) => [tone, text])).toEqual([
    ['idle', 'Paused by ada'],
    ['bad', 'Stopped: why'],
    ['accent', 'Filter: added sync shop (ada)'],
    ['ok', 'Recovered: it is delivering again'],
    ['ok', 'Resumed by ada'],
    ['accent', 'Moved to the end by ada'],
  ]);
  const second = Date.parse(at(2)) / 1_000;
  const steps = markedSteps([second, second + 120, second + 240], marks);
  expect(steps.map(({ index, place, marks: of }) => [index, place, of.length])).toEqual([
    [0, 0, 3],
    [1, 0.5, 1],
    [2, expect.closeTo(4 / 6), 1],
  ]);
  expect(markedSteps([], marks)).toEqual([]);
});

test('a filter in the address is passed to the API, without values that the API would refuse', () => {
  const address = {
    outcome: 'failed',
    status: '50',
    record: 'r 1',
    event: '',
    since: '1h',
    tab: 'x',
  };
  const filter = filterIn(address);
  expect(filter).toEqual({ outcome: 'failed', status: '50', record: 'r 1', since: '1h' });
  expect(askedOf(filter)).toEqual({ outcome: 'failed', upstream_id: 'r 1', since: '1h' });
  const odd = { ...filter, outcome: 'perhaps', tab: 'settings', until: '' };
  expect(filterSearch(odd)).toEqual({ status: '50', record: 'r 1', since: '1h' });
  expect(askedOf({ status: '503', event: 'e', since: at(1), until: 'soon' })).toEqual({
    status: '503',
    event_id: 'e',
    since: at(1),
  });
  const now = Date.parse(at(30));
  expect(beginOf('15m', now)).toBe(Date.parse(at(15)));
  expect(beginOf(at(1), now)).toBe(Date.parse(at(1)));
  expect(beginOf(undefined, now)).toBeNull();
});
