import { expect, test } from 'vitest';

import { timedOut } from '../../src/egress/exchange.ts';
import { outcomeOfError } from '../../src/egress/networkError.ts';
import { blameOf, failed, mayBeMessage } from '../../src/rules/outcome.ts';

const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

test('an outcome distinguishes a failure to connect from one after the request was written', () => {
  expect(timedOut('connect', 500)).toMatchObject({
    code: 'TIMEOUT',
    phase: 'connect',
    detail: 'connecting took too long',
  });
  expect(timedOut('answer', 500)).toMatchObject({
    code: 'TIMEOUT',
    phase: 'answer',
    detail: 'no answer within 500 ms',
  });
  expect(outcomeOfError(reset, 'connect')).toMatchObject({
    code: 'CONNECTION_RESET',
    phase: 'connect',
    detail: 'connection lost while connecting (ECONNRESET)',
  });
  expect(outcomeOfError(reset, 'answer')).toMatchObject({
    code: 'CONNECTION_RESET',
    phase: 'answer',
    detail: 'connection lost before an answer (ECONNRESET)',
  });
});

test("an answer that can't be read may be the fault of the message", () => {
  const unreadable = failed('PROTOCOL_ERROR', 'bad status line', 'answer');
  expect([blameOf(unreadable), mayBeMessage(unreadable)]).toEqual(['message', true]);
});
