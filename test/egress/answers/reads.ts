import type { Socket } from 'node:net';

import type { AnswerRow } from '../../support/answerRow.ts';
import { byteByByte } from '../../support/rawServer.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const NO = 'HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno';
const interim = (status: number): string => `HTTP/1.1 ${status} Wait\r\nlink: </a>\r\n\r\n`;
const says =
  (...texts: string[]) =>
  (socket: Socket): void => {
    for (const text of texts) socket.write(text);
  };
const slowly = (text: string) => (socket: Socket) => byteByByte(socket, text);
const ends = (text: string) => (socket: Socket) => socket.end(text);
const headers = (kilobytes: number): string =>
  `HTTP/1.1 200 OK\r\nset-cookie: ${'a'.repeat(kilobytes * 1_024)}\r\ncontent-length: 0\r\n\r\n`;

/** Interim answers are read and dropped. */
export const INTERIM: AnswerRow[] = [
  ...[100, 102, 103, 199].flatMap((status): AnswerRow[] => [
    { when: `sends ${status}, then 200`, answer: says(interim(status), OK), kept: true },
    {
      when: `sends ${status} and 200 in one packet`,
      answer: says(interim(status) + OK),
      kept: true,
    },
    {
      when: `sends ${status}, then 200, byte by byte`,
      answer: slowly(`HTTP/1.1 ${status} W\r\n\r\n${OK}`),
      kept: true,
    },
  ]),
  { when: 'sends 100 twice, then 200', answer: says(interim(100) + interim(100), OK), kept: true },
  {
    when: 'sends 100, 102 and 103, then 200, in one packet',
    answer: says(interim(100) + interim(102) + interim(103) + OK),
    kept: true,
  },
  {
    when: 'sends 100 as soon as it has the headers, then 200',
    early: true,
    large: true,
    answer: (socket) => {
      socket.write(interim(100));
      setImmediate(() => socket.write(OK));
    },
    kept: true,
  },
  {
    when: 'sends 100, then 500',
    answer: says(interim(100), NO),
    status: 500,
    code: 'HTTP_5XX',
    kept: true,
  },
  {
    when: 'sends 103 on a connection that has served before, then 200',
    used: true,
    answer: says(interim(103), OK),
    kept: true,
    came: 1,
  },
  {
    when: 'sends 102 again and again, and nothing else',
    timeoutMs: 1_500,
    answer: (socket) => {
      const timer = setInterval(() => {
        if (socket.destroyed) clearInterval(timer);
        else socket.write(interim(102));
      }, 20);
    },
    code: 'TIMEOUT',
    says: 'no answer within 1500 ms',
  },
  {
    when: 'sends 102 without end',
    answer: (socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(interim(102).repeat(500)));
      };
      socket.on('drain', more);
      more();
    },
    code: 'PROTOCOL_ERROR',
    says: 'the server sent more than 1 MB of interim answers (1xx) and no final one',
  },
  {
    when: 'sends 101 (switching protocols)',
    answer: says('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    code: 'PROTOCOL_ERROR',
    says: 'the server switched protocols (HTTP 101) without being asked',
  },
];

/** The status line decides, and what follows it is about the connection. */
export const WHOLE: AnswerRow[] = [
  { when: 'answers 200', answer: says(OK), kept: true },
  { when: 'answers 200, byte by byte', answer: slowly(OK), kept: true },
  { when: 'answers 200 with 16 KB of headers', answer: says(headers(16)), kept: true },
  { when: 'answers 200 with 64 KB of headers', answer: says(headers(64)), kept: true },
  { when: 'answers 200 with 256 KB of headers', answer: says(headers(256)), kept: true },
  { when: 'answers 200 with 512 KB of headers', answer: says(headers(512)) },
  {
    when: 'answers 200 with a trailer',
    answer: says(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n',
      '2\r\nok\r\n0\r\nx: 1\r\n\r\n',
    ),
    kept: true,
  },
  {
    when: 'answers 200 with `connection: close`',
    answer: ends('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
  },
  { when: 'answers 200 without a length, and closes', answer: ends('HTTP/1.1 200 OK\r\n\r\nok') },
  {
    when: 'answers `HTTP/1.0 200`',
    answer: ends('HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'),
  },
  { when: 'answers 204', answer: says('HTTP/1.1 204 No Content\r\n\r\n'), status: 204, kept: true },
  {
    when: 'answers 204 with a body',
    answer: says('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok'),
    status: 204,
  },
  {
    when: 'answers 304 with a body',
    answer: says('HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\nok'),
    status: 304,
    code: 'REDIRECT',
  },
  { when: 'answers 200, and half-closes the connection', answer: ends(OK) },
  { when: 'answers 200, and then 500 unasked', answer: says(OK + NO) },
  {
    when: 'answers 200 before it has read the body, and reads on',
    early: true,
    large: true,
    answer: says(OK),
    kept: true,
  },
  {
    when: 'answers 413 before it has read the body, and reads on',
    early: true,
    large: true,
    answer: says('HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n'),
    status: 413,
    code: 'HTTP_4XX',
    kept: true,
  },
  {
    when: 'answers 413 before it has read the body, and closes',
    early: true,
    large: true,
    answer: (socket) => {
      socket.pause();
      socket.end('HTTP/1.1 413 Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    },
    status: 413,
    code: 'HTTP_4XX',
  },
  {
    when: 'answers 410',
    answer: says('HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n'),
    status: 410,
    code: 'GONE',
    kept: true,
  },
];
