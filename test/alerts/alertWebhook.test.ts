import { expect, test } from 'vitest';

import { alertWebhook } from '../../src/alerts/alertWebhook.ts';
import type { Mail } from '../../src/alerts/mail.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { newSigningSecret } from '../../src/egress/signing.ts';
import { LOOPBACK } from '../support/app.ts';
import { openRaw, type RawServer } from '../support/rawServer.ts';

const ALERT: Mail = {
  id: 'one',
  channel: 'webhook',
  kind: 'stopped',
  items: [],
  message_id: 'one',
  recipients: [],
  subject: '',
  body: '{"alert":{}}',
  html: null,
  headers: {},
  attempts: 1,
};

function sendTo({ port }: Pick<RawServer, 'port'>) {
  const send = alertWebhook({
    egress: createEgress({ allowCidrs: LOOPBACK }),
    url: `http://127.0.0.1:${port}/alerts`,
    format: 'json',
    secrets: [newSigningSecret()],
    userAgent: 'Millrace/test',
    now: Date.now,
  });
  return send(ALERT, new AbortController().signal);
}

/** Answers with this status, and with a body that goes on until the connection is closed. */
function openEndless(status: string, chunk: string) {
  return openRaw({
    answer: (socket) => {
      socket.write(`HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\n\r\n`);
      const drip = setInterval(() => socket.write(chunk), 20);
      socket.once('close', () => clearInterval(drip));
    },
  });
}

test.each([
  ['drips', '.'],
  ['floods', '.'.repeat(30_000)],
])('an alert is accepted by a 2xx whose body %s without an end', async (_how, chunk) => {
  await using server = await openEndless('202 Accepted', chunk);
  expect(await sendTo(server)).toEqual({ status: 202 });
  expect(server.requests).toHaveLength(1);
});

test('an alert is accepted by a 2xx whose connection breaks within the body', async () => {
  await using server = await openRaw({
    answer: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
      setTimeout(() => socket.resetAndDestroy(), 50); // once the headers have been read
    },
  });
  expect(await sendTo(server)).toEqual({ status: 200 });
});

test('a refusal is reported by its status, whatever happens to its body', async () => {
  await using server = await openEndless('503 Service Unavailable', '.');
  await expect(sendTo(server)).rejects.toMatchObject({
    message: 'the alert webhook answered HTTP 503',
    status: 503,
  });
});
