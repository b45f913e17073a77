import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { expect, test } from 'vitest';

import { alertWebhook } from '../../src/alerts/alertWebhook.ts';
import { isRefusal, smtpMail } from '../../src/alerts/mail.ts';
import type { Db } from '../../src/db/db.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { openAlertDesk, type AlertDesk } from '../support/alertDesk.ts';
import { LOOPBACK } from '../support/app.ts';
import { openMailServer } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';

const FROM = 'Millrace <millrace@example.com>';
/** Of this window the minute in which stops share a mail lasts less than a ms. */
const SHORT = { retryWindowMs: 1_000 };

/** Stops so many consumers, each with people of its own. */
async function stopped({ opened, lifecycle }: AlertDesk, addresses: string[]): Promise<void> {
  for (const address of addresses) {
    const { id } = await opened.create({ alert_emails: [address] });
    await lifecycle.stop(id, new Date(), 'gone');
  }
}

const people = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `ops${n}@example.com`);

interface Silent extends AsyncDisposable {
  url: string;
  /** Connections, when they came, monotonic ms. */
  came: number[];
  mostOpen: number;
}

/** A TCP server that never says a word, or hangs up at once. */
async function openSilent(onConnection: (socket: Socket) => void): Promise<Silent> {
  const open = new Set<Socket>();
  const came: number[] = [];
  const server: Server = createServer((socket) => {
    came.push(performance.now());
    open.add(socket);
    silent.mostOpen = Math.max(silent.mostOpen, open.size);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const silent: Silent = {
    url: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    came,
    mostOpen: 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return silent;
}

async function unsent(db: Db, channel: 'mail' | 'webhook'): Promise<number> {
  const { rowCount } = await db.query({
    text: 'select from outbox where sent_at is null and channel = $1',
    values: [channel],
  });
  return rowCount ?? 0;
}

test.concurrent('an alert webhook that hangs does not hold up mails, and gets a few alerts at a time', async () => {
  await using smtp = await openMailServer();
  await using webhook = await openSilent((socket) => void socket.resume());
  await using desk = await openAlertDesk({ ...SHORT, alertWebhook: true });
  await stopped(desk, people(20));
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM), {
    sendWebhook: alertWebhook({
      egress: createEgress({ allowCidrs: LOOPBACK }),
      format: 'json',
      url: `http://${webhook.url}/alerts`,
      secrets: ['whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3'],
      userAgent: 'Millrace/test',
      now: () => Date.now(),
    }),
  });
  outbox.hint();
  await until(() => smtp.mails.length === 20);
  expect(webhook.mostOpen).toBeLessThanOrEqual(4);
  expect(await unsent(desk.opened.api.db, 'webhook')).toBe(20);
});

test.concurrent('a mail that hangs occupies one slot for a bounded time, and the others go out meanwhile', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk(SHORT);
  await stopped(desk, ['hang@example.com', ...people(12)]);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM), { attemptMs: 12_000 });
  outbox.hint();
  await until(() => smtp.mails.length === 12);
  expect([...smtp.hanging]).toEqual(['hang@example.com']);
  const noted = "select from outbox where last_error = 'it was not accepted in time'";
  await until(async () => (await desk.opened.api.db.query(noted)).rowCount === 1);
  await until(() => smtp.hanging.size === 0); // its connection is closed, too
});

test.concurrent('two processes share the mails, and hand each of them over once', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk(SHORT);
  await stopped(desk, people(40));
  await using one = desk.outbox(smtpMail(smtp.url, FROM));
  await using two = desk.outbox(smtpMail(smtp.url, FROM));
  one.hint();
  two.hint();
  await until(async () => (await unsent(desk.opened.api.db, 'mail')) === 0);
  expect(smtp.mails).toHaveLength(40);
  expect(new Set(smtp.mails.flatMap(({ to }) => to))).toEqual(new Set(people(40)));
});

test.concurrent('a mail server that is away is tried less and less often, however many mails wait', async () => {
  await using away = await openSilent((socket) => void socket.resetAndDestroy());
  await using desk = await openAlertDesk(SHORT);
  const { db } = desk.opened.api;
  await stopped(desk, people(1));
  await db.query(`
    insert into outbox (id, message_id, alert_id, recipients, channel, kind, items, subject, body,
                        headers, created_at, next_try_at)
    select gen_random_uuid(), n::text, alert_id, recipients, channel, kind, items, subject, body,
           headers, created_at, next_try_at
      from outbox, generate_series(1, 999) n`);
  // The mails tell of a consumer each: which of them tells of it is not what is tested.
  await db.query('update outbox set kind = null');
  await using outbox = desk.outbox(smtpMail(`smtp://${away.url}`, FROM));
  outbox.hint();
  await until(() => away.came.length >= 6);
  const [, , , fourth = 0, fifth = 0, sixth = 0] = away.came;
  expect(fifth - fourth).toBeGreaterThanOrEqual(950);
  expect(sixth - fifth).toBeGreaterThanOrEqual(1_950);
  expect(away.mostOpen).toBeLessThanOrEqual(4);
  const { rows } = await db.query<{ tried: number }>(
    'select sum(attempts)::int as tried from outbox',
  );
  expect(Math.abs(rows[0]!.tried - away.came.length)).toBeLessThanOrEqual(1); // which is being tried
});

test.concurrent('a message that is being sent when the outbox closes does not hold up the end of the process', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk(SHORT);
  await stopped(desk, ['hang@example.com']);
  const outbox = desk.outbox(smtpMail(smtp.url, FROM));
  outbox.hint();
  await until(() => smtp.hanging.size === 1);
  const began = performance.now();
  await outbox[Symbol.asyncDispose]();
  expect(performance.now() - began).toBeLessThan(12_000);
  const { rows } = await desk.opened.api.db.query('select last_error from outbox');
  expect(rows).toEqual([{ last_error: 'the process ended before it was sent' }]);
});

test.concurrent.each([
  ['a recipient that is unknown', { code: 'EENVELOPE', responseCode: 550 }, true],
  ['a body that is refused', { code: 'EMESSAGE', responseCode: 554 }, true],
  ['a server that is busy', { code: 'EENVELOPE', responseCode: 451 }, false],
  ['a refused login', { code: 'EAUTH', responseCode: 535 }, false],
  ['a refused connection', { code: 'ESOCKET' }, false],
])('%s: whether the refusal concerns only this mail', (_what, error, refused) => {
  expect(isRefusal(Object.assign(new Error('x'), error))).toBe(refused);
});
