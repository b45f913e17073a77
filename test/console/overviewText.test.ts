import { expect, test } from 'vitest';

import { failureRates } from '../../src/console/overview/failureRate.ts';
import { oneOf, waitingText } from '../../src/console/overview/trouble.ts';
import { testText } from '../../src/console/targets/testText.ts';
import type { TargetTest } from '../../src/schema/targetTest.ts';

test('a trouble says whether anything is sent, and how many entries wait', () => {
  const waiting = (entries: number, exact = true) => ({ entries, exact });
  const stopped = { status: 'stopped', consumers: 1 } as const;
  expect(waitingText({ ...stopped, waiting: waiting(115) })).toBe(
    'Nothing is sent until it is resumed. 115 entries wait.',
  );
  expect(waitingText({ ...stopped, consumers: 2, waiting: waiting(0) })).toBe(
    'Nothing is sent until they are resumed.',
  );
  const blocked = { status: 'blocked', consumers: 1 } as const;
  expect(waitingText({ ...blocked, waiting: waiting(1) })).toBe('1 entry waits.');
  expect(waitingText({ ...blocked, waiting: waiting(806, false) })).toBe('Up to 806 entries wait.');
  expect(waitingText({ ...blocked, waiting: waiting(0) })).toBe('');
  expect([oneOf(6), oneOf(1)]).toEqual(['1 of 6 consumers', 'the only consumer']);
});

test('the words of a test name the URL that was tested, and the consumers whose paths were not', () => {
  const tested = {
    request: { url: 'https://toronto.example.com/hooks' },
    outcome: 'delivered',
    status: 200,
    detail: null,
    duration_ms: 1_087,
  } as TargetTest;
  const said = 'Test webhook to https://toronto.example.com/hooks: delivered, HTTP 200, 1,087 ms.';
  expect(testText(tested, [{ path: '' }])).toBe(said);
  expect(testText(tested, [{ path: '' }, { path: '/prices' }])).toBe(
    `${said} Not tested: 1 consumer of it sends to a path below this URL.`,
  );
  expect(testText(tested, [{ path: '/stock' }, { path: '/prices' }])).toBe(
    `${said} Not tested: 2 consumers of it send to paths below this URL.`,
  );
  const late: TargetTest = { ...tested, outcome: 'failed', status: null, detail: 'no answer' };
  expect(testText(late, [])).toContain(': failed, no answer, 1,087 ms.');
});

test('a step that is not over has no failure rate', () => {
  const series = [
    { delivered: 99, failed: 1 },
    { delivered: null, failed: null },
    { delivered: 0, failed: 2 },
  ];
  expect(failureRates(series)).toEqual([1, null, null]);
});
