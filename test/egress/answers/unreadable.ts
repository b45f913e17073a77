import type { AnswerRow } from '../../support/answerRow.ts';

const unreadable = (when: string, text: string, says: string): AnswerRow => ({
  when,
  answer: (socket) => socket.write(text),
  code: 'PROTOCOL_ERROR',
  says: `the answer is not valid HTTP/1.1: ${says}`,
});
const OK = 'HTTP/1.1 200 OK\r\n';
const LENGTH = 'content-length: 2\r\n';

/** What the parser refuses. */
export const UNREADABLE: AnswerRow[] = [
  unreadable('answers what is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'Expected HTTP/'),
  unreadable(
    'answers a status that is no number',
    'HTTP/1.1 OK 200\r\n\r\n',
    'Invalid status code',
  ),
  unreadable('answers `HTTP/3.1 200`', 'HTTP/3.1 200 OK\r\n\r\n', 'Invalid HTTP version'),
  unreadable(
    'answers 200 and a header without a colon',
    `${OK}no colon\r\n\r\n`,
    'Invalid header token',
  ),
  unreadable(
    'answers 200 and a header with a NUL',
    `${OK}a: \u0000\r\n\r\n`,
    'Invalid header value char',
  ),
  unreadable(
    'answers 200 with `content-length` and `transfer-encoding`',
    `${OK}${LENGTH}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    'unreadable headers',
  ),
  unreadable(
    'answers 200 with `content-length` twice',
    `${OK}${LENGTH}content-length: 3\r\n\r\nok`,
    'unreadable headers',
  ),
  {
    when: 'answers 200 and a bad chunk',
    answer: (socket) => socket.write(`${OK}transfer-encoding: chunked\r\n\r\nzz\r\n`),
  },
];
