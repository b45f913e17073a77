import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

import { curlOf } from '../../src/console/consumers/curl.ts';
import { deltaOf, isSameFilter } from '../../src/console/consumers/filterDelta.ts';
import { fieldText, fieldTime } from '../../src/console/dateField.ts';
import { appendedText } from '../../src/console/overview/sumText.ts';
import { causeOf } from '../../src/console/overview/trouble.ts';
import { amountOf, chartValue, duration, relative, roughly } from '../../src/console/words.ts';
import type { Filter } from '../../src/schema/consumer.ts';
import { openReceiver } from '../support/receiver.ts';

const run = promisify(execFile);

const list: fc.Arbitrary<string[]> = fc.oneof(
  fc.constant<string[]>(['*']),
  fc.uniqueArray(fc.constantFrom<string[]>('a', 'b', 'c', 'd'), { maxLength: 4 }),
);
const filter = fc.record({
  syncs: list,
  collections: list,
  event_types: list,
  where: fc.constantFrom(null, 'event.data.a > 1', 'event.data.b > 1', ' ', ''),
});

test('a large value of a chart is said in millions or billions', () => {
  const said = [0, 1_204, 999_999, 2_500_000, 2_000_000_000].map((value) => chartValue(value, ''));
  expect(said).toEqual(['0', '1,204', '999,999', '2.5M', '2B']);
  expect([chartValue(20, '%'), chartValue(null, 'ms')]).toEqual(['20 %', '–']);
});

test('an edited filter is sent as additions and removals, with its condition only if that is another one, and ends up as it was edited', () => {
  fc.assert(
    fc.property(filter, filter, (before, after) => {
      const delta = deltaOf(before, after);
      const stopsBeingAll = (['syncs', 'collections', 'event_types'] as const).some(
        (name) => before[name][0] === '*' && after[name][0] !== '*',
      );
      expect(delta === null).toBe(stopsBeingAll);
      if (delta === null) return;
      expect(isSameFilter(applied(before, delta), after)).toBe(true);
      expect('where' in delta).toBe(
        (before.where?.trim() || null) !== (after.where?.trim() || null),
      );
    }),
  );
});

/** As the API does it: adding `*` means everything. */
function applied(before: Filter, delta: NonNullable<ReturnType<typeof deltaOf>>): Filter {
  const { add, remove, where = before.where } = delta;
  const apply = (name: 'syncs' | 'collections' | 'event_types'): string[] => {
    const added: readonly string[] = add[name] ?? [];
    if (before[name][0] === '*' || added[0] === '*') return ['*'];
    const removed: readonly string[] = remove[name] ?? [];
    return [...before[name], ...added].filter((value) => !removed.includes(value));
  };
  return {
    syncs: apply('syncs'),
    collections: apply('collections'),
    event_types: apply('event_types'),
    where,
  };
}

test('the copied cURL sends the body byte for byte, with a signature that verifies', async () => {
  await using receiver = await openReceiver();
  const secret = `whsec_${Buffer.from('a signing secret of the test').toString('base64')}`;
  const body = JSON.stringify({ event: { data: `it's $HOME \`id\` "\\n" é 😀 %s` } });
  const script = curlOf({
    url: receiver.url,
    headers: { 'content-type': 'application/json', 'x-name': "O'Hara" },
    messageId: 'evt_1',
    body,
  });
  await run('sh', ['-c', script.replace('whsec_…', secret)]);
  const [got] = receiver.received;
  expect(got?.body).toBe(body);
  expect(got?.headers['x-name']).toBe("O'Hara");
  const headers = got?.headers as Record<string, string>;
  expect(() => new Webhook(secret).verify(got?.body ?? '', headers)).not.toThrow();
});

test('durations and times are shown as people say them', () => {
  expect([0, 0.4, 59, 61, 3_700, 90_000].map(duration)).toEqual([
    '0 s',
    '< 1 s',
    '59 s',
    '1 min 1 s',
    '1 h 1 min',
    '1 d 1 h',
  ]);
  expect([0.4, 61, 7_900].map(roughly)).toEqual(['< 1 s', '1 min', '2 h']);
  expect(relative(5_000, 0)).toBe('in 5 s');
  expect(relative(0, 7_200_000)).toBe('2 h ago');
  expect(relative(100, 0)).toBe('now');
});

test('a list says how many of what it has, with the plural of each', () => {
  const lists = [
    'deliveries',
    'consumers',
    'parked entries',
    'API keys',
    'changes',
    'dead letters',
  ];
  expect(lists.map((what) => amountOf(1, what))).toEqual([
    '1 delivery',
    '1 consumer',
    '1 parked entry',
    '1 API key',
    '1 change',
    '1 dead letter',
  ]);
  expect(amountOf(1_200, 'deliveries')).toBe('1,200 deliveries');
});

test('the sum of a range leaves out how many events were appended where nothing knows it', () => {
  const said = (appended: (number | null)[]): string | undefined =>
    appendedText(appended.map((one) => ({ appended: one })));
  expect(said([null, null])).toBeUndefined();
  expect(said([null, 0])).toBe('0 events appended');
  expect(said([null, 1])).toBe('1 event appended');
});

test('the cause of a stop names the failure that led to it, once', () => {
  const stopped = { status: 'stopped', code: 'HTTP_5XX', http_status: 503 } as const;
  const reason = 'the endpoint failed for the whole retry window';
  expect(causeOf({ ...stopped, reason })).toBe(`${reason} (HTTP 503)`);
  expect(causeOf({ ...stopped, reason, code: null, http_status: null })).toBe(reason);
  expect(
    causeOf({
      ...stopped,
      reason: 'the endpoint answered 410 Gone',
      code: 'GONE',
      http_status: 410,
    }),
  ).toBe('the endpoint answered 410 Gone');
  expect(causeOf({ ...stopped, status: 'blocked', reason: null })).toBe('HTTP 503');
});

test('a field for a date and a time is in UTC or in the zone of the browser, and gives back what it was given', () => {
  const at = '2026-11-22T14:02:07.000Z';
  expect(fieldText(Date.parse(at), 'utc')).toBe('2026-11-22T14:02:07');
  for (const zone of ['utc', 'local'] as const) {
    expect(fieldTime(fieldText(Date.parse(at), zone), zone)).toBe(at);
    expect(['', 'soon'].map((text) => fieldTime(text, zone))).toEqual([undefined, undefined]);
  }
  expect(fieldTime('2026-11-22T14:02', 'utc')).toBe('2026-11-22T14:02:00.000Z');
});
