import { expect, test } from 'vitest';

import { allPlan, outcomeText, type Concerned } from '../../src/console/overview/allPlan.ts';
import { testedText, waitingText, type Waiter } from '../../src/console/targets/waitingText.ts';
import { answerWords } from '../../src/rules/answerWords.ts';
import { waitingInAll } from '../../src/rules/waitingWords.ts';

const HOUR_MS = 3_600_000;

const lag = (entries: number, exact = true) => ({
  entries,
  exact,
  seconds: entries === 0 ? 0 : 60,
});

test('what waits in all has the number of each consumer if they are few, with "up to" where it is a bound', () => {
  const all = (...many: number[]) => waitingInAll(many.map((entries) => lag(entries)));
  expect(all(1)).toBe('1 entry');
  expect(all(45, 15, 1_045)).toBe('1,105 entries: 45, 15 and 1,045');
  expect(all(0, 0)).toBe('0 entries');
  expect(all(1, 1, 1, 1, 1, 1)).toBe('6 entries');
  expect(waitingInAll([lag(4), lag(12, false)])).toBe('up to 16 entries: 4 and up to 12');
});

const waiter = (fields: Partial<Waiter>): Waiter => ({
  name: 'orders',
  status: 'stopped',
  stream: 'events',
  lag: lag(3),
  parked: 0,
  ...fields,
});

test('of a target it is said what waits, in the order of the names, and that nothing is lost only where that is sure', () => {
  expect(waitingText([], HOUR_MS)).toBe('Nothing waits.');
  expect(waitingText([waiter({ lag: lag(0) })], HOUR_MS)).toBe('Nothing waits.');
  const two = [waiter({ name: 'b', lag: lag(5) }), waiter({ name: 'a' })];
  expect(waitingText(two, HOUR_MS)).toBe('8 entries wait: 3 and 5. Nothing is lost.');
  expect(waitingText([waiter({ status: 'active' })], HOUR_MS)).toBe('3 entries wait.');
  expect(waitingText([waiter({})], null)).toBe('3 entries wait.');
  expect(waitingText([waiter({})], 59_000)).toBe('3 entries wait.');
  expect(waitingText([waiter({ stream: 'records' })], 59_000)).toContain('Nothing is lost.');
  expect(waitingText([waiter({ lag: lag(0), parked: 2 })], HOUR_MS)).toContain(
    '2 parked entries are retried beside the others.',
  );
});

test('before a command for all it is said how many entries it concerns, and in order only where they are sent in order', () => {
  const one = (fields: Partial<Concerned> = {}): Concerned => ({
    lag: lag(3),
    parked: 0,
    ordering: 'record',
    ...fields,
  });
  expect(allPlan('resume', [one()], '24h')).toBe(
    '3 entries will be sent. It continues in order from where it stopped, with a new retry window of 24 hours.',
  );
  expect(
    allPlan('resume', [one({ lag: lag(0) }), one({ lag: lag(0), parked: 1 })], undefined),
  ).toBe(
    'Nothing waits. Each continues in order from where it stopped, with a new retry window. 1 parked entry is retried when due.',
  );
  expect(allPlan('resume', [one(), one({ ordering: 'none' })], '3d')).toBe(
    '6 entries will be sent: 3 and 3. Each continues from where it stopped, with a new retry window of 3 days.',
  );
  expect(allPlan('retry', [one(), one({ lag: lag(9, false) })], '24h')).toBe(
    'up to 12 entries wait: 3 and up to 9. The next entry of each is tried now; once it is delivered, the others follow in order. The retry window of 24 hours is not reset.',
  );
});

test('after a command for all it is said what became of it, of those that took it', () => {
  const all = ['a', 'b', 'c'].map((id) => ({ id, lag: lag(5) }));
  const failed = [{ id: 'b', name: 'second', reason: 'It is busy' }];
  expect(outcomeText('resume', all, { done: 3, failed: [] })).toBe(
    '3 consumers resumed; 15 entries are being sent.',
  );
  expect(outcomeText('resume', all, { done: 2, failed })).toBe(
    '2 consumers resumed; 10 entries are being sent. Failed for 1 consumer: second: It is busy',
  );
  expect(outcomeText('retry', all.slice(0, 1), { done: 1, failed: [] })).toBe(
    '1 consumer retried; 5 entries wait for the outcome.',
  );
  expect(outcomeText('resume', [{ id: 'a', lag: lag(0) }], { done: 1, failed: [] })).toBe(
    '1 consumer resumed; nothing waits.',
  );
});

test('which address is tested is said only where a consumer sends to another one', () => {
  const to = (...paths: string[]) =>
    testedText(
      'https://a.example',
      paths.map((path) => ({ path })),
    );
  expect(to()).toBeNull();
  expect(to('', '')).toBeNull();
  expect(to('', '/orders?key=1')).toBe(
    'A test is sent to https://a.example itself; some of its consumers send to /orders below it.',
  );
});

test('the beginning of an answer is one line without characters that change how text is shown', () => {
  expect(answerWords(null)).toBeNull();
  expect(answerWords(' \n\u0000')).toBeNull();
  expect(answerWords('{\n  "error":\u202e "full"\n}')).toBe('{ "error": "full" }');
  expect(answerWords('é'.repeat(200))).toBe(`${'é'.repeat(159)}…`);
});
