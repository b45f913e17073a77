import { expect, test } from 'vitest';

import {
  judgeSource,
  type Episode,
  type SourceState,
  type TroubleKind,
} from '../../src/alerts/sourceTroubles.ts';
import { sizeInWords } from '../../src/rules/words.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MB = 2 ** 20;
const GB = 2 ** 30;

/** Followed for a week, without a lag; the last change came a minute ago. */
const FINE: SourceState = {
  now: NOW,
  status: 'active',
  statusReason: null,
  statusSince: NOW - 168 * HOUR,
  interruption: null,
  interruptedSince: null,
  leaseUntil: NOW + 8_000,
  lagBytes: 0,
  limitBytes: null,
  measuredAt: NOW - 2_000,
  lastChangeAt: NOW - MINUTE,
  expectWithinMs: 24 * HOUR,
  asking: [],
};

const was = (kind: TroubleKind, points: string[], since = NOW - HOUR): Episode => ({
  kind,
  points,
  since,
});

/** What is told, as `kind: reason`. */
function told(state: Partial<SourceState>, episodes: Episode[] = []): string[] {
  const { tell } = judgeSource({ ...FINE, ...state }, episodes);
  return tell.map(({ kind, reason }) => `${kind}: ${reason}`);
}

/** What has ended, as `kind: what people are told of it`. */
function ended(state: Partial<SourceState>, episodes: Episode[]): string[] {
  const { end } = judgeSource({ ...FINE, ...state }, episodes);
  return end.map(({ kind, recovered }) => `${kind}: ${recovered}`);
}

test('of a source that is followed nothing is told, and nothing of one that is paused or deleted in time', () => {
  const nothing = { tell: [], lessen: [], end: [] };
  expect(judgeSource(FINE, [])).toEqual(nothing);
  const unheld = { leaseUntil: null, measuredAt: NOW - HOUR, lagBytes: 0 };
  const paused = { ...FINE, ...unheld, status: 'paused', statusSince: NOW - 23 * HOUR } as const;
  expect(judgeSource(paused, [])).toEqual(nothing);
  const deleting = { ...FINE, ...unheld, status: 'deleting', statusSince: NOW - MINUTE } as const;
  expect(judgeSource(deleting, [])).toEqual(nothing);
});

test.each<[string, Partial<SourceState>, string]>([
  [
    'has failed',
    { status: 'failed', statusReason: 'Two things are\nwrong. Right them.', statusSince: NOW },
    'source-failed: Two things are wrong. Right them',
  ],
  [
    'has had an interruption for a quarter of an hour',
    { interruption: 'connection refused', interruptedSince: NOW - 15 * MINUTE },
    'source-interrupted: connection refused',
  ],
  [
    'no worker follows',
    { leaseUntil: null, measuredAt: NOW - 20 * MINUTE },
    'source-interrupted: no worker takes it',
  ],
  [
    "can't be deleted",
    {
      status: 'deleting',
      statusSince: NOW - HOUR,
      interruption: 'connection refused',
      interruptedSince: NOW - HOUR,
    },
    "source-interrupted: its slot can't be dropped: connection refused",
  ],
  [
    'is a gigabyte behind',
    { lagBytes: GB },
    'source-behind: 1 GB of the log of its database are not stored yet',
  ],
  [
    'is behind by half of what its server keeps',
    { lagBytes: 520 * MB, limitBytes: GB },
    'source-behind: 520 MB of the log of its database are not stored yet; at 1 GB its slot is lost',
  ],
  [
    'has been paused for a day',
    { status: 'paused', statusSince: NOW - 24 * HOUR, measuredAt: null, leaseUntil: null },
    'source-behind: it has been paused for 24 hours, and its database keeps the log for it',
  ],
  [
    'has been silent for longer than is expected',
    { lastChangeAt: NOW - 25 * HOUR },
    'source-silent: nothing has changed in its tables for 25 hours',
  ],
  [
    'asks',
    { asking: [{ table: 'public.users', detail: 'It would delete 30 of 100 records.' }] },
    'source-asking: public.users: It would delete 30 of 100 records',
  ],
])('a source that %s is told of once', (_how, state, expected) => {
  expect(told(state)).toEqual([expected]);
  const { tell } = judgeSource({ ...FINE, ...state }, []);
  const episodes = tell.map(({ kind, points, since }) => ({ kind, points, since }));
  const later = { ...FINE, ...state, now: NOW + 2_000 };
  expect(judgeSource(later, episodes)).toEqual({ tell: [], lessen: [], end: [] });
});

test('nothing is told shortly before it is due', () => {
  expect(told({ interruption: 'away', interruptedSince: NOW - 15 * MINUTE + 1 })).toEqual([]);
  expect(told({ lagBytes: GB - 1 })).toEqual([]);
  expect(told({ lagBytes: 512 * MB - 1, limitBytes: GB })).toEqual([]);
  expect(told({ lastChangeAt: NOW - 24 * HOUR + 1 })).toEqual([]);
});

test('silence is counted from when a source was created or resumed, and not without an expectation', () => {
  const quiet = { lastChangeAt: NOW - 48 * HOUR };
  expect(told({ ...quiet, statusSince: NOW - HOUR })).toEqual([]);
  expect(told({ lastChangeAt: null, statusSince: NOW - 25 * HOUR })).toHaveLength(1);
  expect(told({ ...quiet, expectWithinMs: null })).toEqual([]);
});

test('more of the same is told again: half of the limit after a gigabyte, another failure, another table that asks, a pause', () => {
  const limit = { limitBytes: 10 * GB };
  const atGigabyte = [was('source-behind', ['gigabyte'])];
  expect(told({ ...limit, lagBytes: 4.9 * GB }, atGigabyte)).toEqual([]);
  expect(told({ ...limit, lagBytes: 5 * GB }, atGigabyte)).toHaveLength(1);
  expect(told({ status: 'paused', statusSince: NOW - 30 * HOUR }, atGigabyte)).toHaveLength(1);
  const failed = { status: 'failed', statusReason: 'again', statusSince: NOW - MINUTE } as const;
  const before = was('source-failed', [new Date(NOW - HOUR).toISOString()]);
  expect(told(failed, [before])).toHaveLength(1);
  const asking = ['a.b', 'a.c'].map((table) => ({ table, detail: null }));
  expect(told({ asking }, [was('source-asking', ['a.b'])])).toEqual([
    'source-asking: 2 of its tables have to be confirmed: a.b, a.c',
  ]);
});

test('half of the limit includes a gigabyte, so that the less urgent mail never comes second', () => {
  const [first] = judgeSource({ ...FINE, lagBytes: 700 * MB, limitBytes: 1.2 * GB }, []).tell;
  expect(first?.points).toEqual(['gigabyte', 'half of the limit']);
  const more = { lagBytes: 1.1 * GB, limitBytes: 1.2 * GB };
  expect(told(more, [was('source-behind', first?.points ?? [])])).toEqual([]);
});

test('a source that hovers about an amount is told of once: it has caught up below half of that amount', () => {
  const behind = [was('source-behind', ['gigabyte'])];
  expect(ended({ lagBytes: 513 * MB }, behind)).toEqual([]);
  expect(ended({ lagBytes: 511 * MB }, behind)).toEqual([
    'source-behind: only 511 MB of the log of its database are not stored now',
  ]);
  const half = [was('source-behind', ['gigabyte', 'half of the limit'])];
  const state = { ...FINE, limitBytes: 10 * GB, lagBytes: 2.4 * GB };
  expect(judgeSource(state, half).lessen).toEqual([
    { kind: 'source-behind', points: ['gigabyte'] },
  ]);
});

test('a lag that is not known at the moment ends nothing and tells nothing', () => {
  const old = { measuredAt: NOW - 5 * MINUTE };
  expect(told({ ...old, lagBytes: 2 * GB })).toEqual([]);
  expect(ended({ ...old, lagBytes: 0 }, [was('source-behind', ['gigabyte'])])).toEqual([]);
});

test('what ends by itself is told, and what someone has to end is not', () => {
  const interrupted = [was('source-interrupted', ['interrupted'])];
  expect(ended({}, interrupted)).toEqual(['source-interrupted: it is followed again']);
  expect(ended({ status: 'paused' }, interrupted)).toEqual(['source-interrupted: null']);
  const silent = [was('source-silent', ['silent'], NOW - 30 * HOUR)];
  expect(ended({}, silent)).toEqual(['source-silent: its tables have changed again']);
  const unexpected = { expectWithinMs: null, lastChangeAt: NOW - 30 * HOUR };
  expect(ended(unexpected, silent)).toEqual(['source-silent: null']);
  expect(ended({}, [was('source-failed', ['x'])])).toEqual(['source-failed: null']);
  expect(ended({}, [was('source-asking', ['a.b'])])).toEqual(['source-asking: null']);
});

test('amounts are told in units that people read', () => {
  expect([0, 1_023, 1_024, 1_572_864, GB, 25.4 * GB, 3 * 2 ** 50].map(sizeInWords)).toEqual([
    '0 bytes',
    '1,023 bytes',
    '1 KB',
    '1.5 MB',
    '1 GB',
    '25 GB',
    '3,072 TB',
  ]);
});
