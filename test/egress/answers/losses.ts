import type { Socket } from 'node:net';

import type { AnswerRow } from '../../support/answerRow.ts';
import { thenReset } from '../../support/rawServer.ts';

const HALF_LINE = 'HTTP/1.1 20';
const HALF_HEAD = 'HTTP/1.1 200 OK\r\ncontent-le';
const HALF_ERROR = 'HTTP/1.1 500 No\r\ncontent-le';
const HALF_BODY = 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok';
const WAITS = 'HTTP/1.1 102 Processing\r\n\r\n';

const fin = (text: string) => (socket: Socket) => socket.end(text);
const rst = (text: string) => (socket: Socket) => thenReset(socket, text);

/** How a connection is closed. */
const WAYS: [how: string, close: (text: string) => (socket: Socket) => unknown][] = [
  ['closes (FIN)', fin],
  ['resets (RST)', rst],
];
const BEFORE = 'connection lost before an answer';
const WITHIN = 'connection lost within the answer';
const LOST = { code: 'CONNECTION_RESET', says: BEFORE } as const;

/** On a connection that carries its first request. */
export const ON_A_NEW_CONNECTION: AnswerRow[] = WAYS.flatMap(([how, close]): AnswerRow[] => [
  {
    when: `${how} while it gets the request`,
    large: true,
    early: true,
    always: true,
    answer: close(''),
    ...LOST,
    came: 1,
  },
  { when: `${how} before an answer`, always: true, answer: close(''), ...LOST, came: 1 },
  {
    when: `${how} after an interim answer`,
    always: true,
    answer: close(WAITS),
    ...LOST,
    says: WITHIN,
    came: 1,
  },
  {
    when: `${how} within the status line`,
    always: true,
    answer: close(HALF_LINE),
    ...LOST,
    says: WITHIN,
    came: 1,
  },
  { when: `${how} within the headers of a 200`, always: true, answer: close(HALF_HEAD), came: 1 },
  {
    when: `${how} within the headers of a 500`,
    always: true,
    answer: close(HALF_ERROR),
    status: 500,
    code: 'HTTP_5XX',
    came: 1,
  },
  { when: `${how} within the body of a 200`, always: true, answer: close(HALF_BODY), came: 1 },
]).concat([
  {
    when: 'takes connections and resets (RST) them',
    always: true,
    connected: (socket) => socket.resetAndDestroy(),
    eitherPhase: true,
    code: 'CONNECTION_RESET',
    says: 'connection lost',
  },
  {
    when: 'says nothing',
    timeoutMs: 1_500,
    answer: () => undefined,
    code: 'TIMEOUT',
    says: 'no answer within 1500 ms',
  },
  {
    when: 'stops within the status line',
    timeoutMs: 1_500,
    answer: (socket) => socket.write(HALF_LINE),
    code: 'TIMEOUT',
    says: 'no answer within 1500 ms',
  },
  {
    when: 'stops within the headers of a 200',
    timeoutMs: 3_000,
    answer: (socket) => socket.write(HALF_HEAD),
  },
  {
    when: 'stops within the body of a 200',
    timeoutMs: 3_000,
    answer: (socket) => socket.write(HALF_BODY),
  },
]);

/** On a connection that has served before: where no byte of an answer came, it is sent once more. */
export const ON_A_USED_CONNECTION: AnswerRow[] = WAYS.flatMap(([how, close]): AnswerRow[] => [
  {
    when: `${how} while it gets the request, then takes it on a new connection`,
    used: true,
    large: true,
    early: true,
    answer: close(''),
    came: 2,
    kept: true,
  },
  {
    when: `${how} before an answer, then takes it on a new connection`,
    used: true,
    answer: close(''),
    came: 2,
    kept: true,
  },
  {
    when: `${how} before an answer, and on the new connection too`,
    used: true,
    always: true,
    answer: close(''),
    ...LOST,
    came: 2,
  },
  {
    when: `${how} within the status line`,
    used: true,
    answer: close(HALF_LINE),
    ...LOST,
    says: WITHIN,
    came: 1,
  },
  {
    when: `${how} within the headers of a 200`,
    used: true,
    answer: close(HALF_HEAD),
    came: 1,
  },
  { when: `${how} within the body of a 200`, used: true, answer: close(HALF_BODY), came: 1 },
]).concat([
  {
    when: 'says nothing',
    used: true,
    timeoutMs: 3_000,
    answer: () => undefined,
    code: 'TIMEOUT',
    says: 'no answer within 3000 ms',
    came: 1,
  },
]);
