import { randomBytes } from 'node:crypto';

import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

import { alertSecrets, alertWebhook } from '../../src/alerts/alertWebhook.ts';
import { smtpMail } from '../../src/alerts/mail.ts';
import { openDb } from '../../src/db/db.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { LOOPBACK } from '../support/app.ts';
import { createDatabase, PATIENT } from '../support/database.ts';
import { createFeed } from '../support/feed.ts';
import { openMailServer } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { accept, openReceiver, type Respond } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

/** Its minute, in which stops share a mail, lasts 15 s. */
const SIX_HOURS = 6 * 3_600_000;
const FROM = 'Millrace <millrace@example.com>';
const gone: Respond = (_one, response) => void response.writeHead(410).end();

test.concurrent('stops of one target within its minute share a mail where they go to the same people', async () => {
  await using smtp = await openMailServer();
  await using world = await openWorld({
    retryWindowMs: SIX_HOURS,
    sendMail: smtpMail(smtp.url, FROM),
  });
  // All are answered once each has asked: on a slow machine, too, they stop within that minute.
  const waiting: (() => void)[] = [];
  await using receiver = await openReceiver((one, response) => {
    waiting.push(() => gone(one, response));
    const asked = new Set(receiver.received.map(({ headers }) => headers['millrace-consumer']));
    if (asked.size === 5) for (const answer of waiting.splice(0)) answer();
  });
  const target = await world.target(`${receiver.url}/in?token=hidden`);
  const other = await world.target(receiver.url);
  const shared = [];
  for (const name of ['one', 'two', 'three']) shared.push(await world.consumer(target, { name }));
  const named = await world.consumer(target, { name: 'own', alert_emails: ['own@example.com'] });
  const elsewhere = await world.consumer(other, { name: 'else' });
  await world.append.events(someEvents(3));
  for (const id of [...shared, named, elsewhere]) await world.becomes(id, 'stopped');
  await until(() => smtp.mails.length === 3);
  const covered = smtp.of('gone').map((mail) => mail.headers['x-millrace-consumer']?.split(', '));
  expect(covered).toHaveLength(3);
  const sorted = covered.map((ids) => ids?.toSorted()).toSorted((a, b) => a!.length - b!.length);
  expect(sorted[2]).toEqual(shared.toSorted());
  expect(new Set(sorted.slice(0, 2).flat())).toEqual(new Set([named, elsewhere]));
  const big = smtp.mails.find((mail) => mail.headers['x-millrace-consumer']?.includes(','));
  expect(big?.text).toContain('3 consumers of "receiver" have stopped');
  for (const id of shared) expect(big?.text).toContain(`millrace consumers resume ${id}`);
  expect(big?.text).not.toContain('hidden');
  expect(smtp.mails.find(({ to }) => to[0] === 'own@example.com')?.to).toHaveLength(1);
  // Each alert knows its mail; that it was taken is noted after the server's answer.
  await until(async () => {
    const { rows } = await world.db.query(
      'select from alerts a join outbox o using (message_id) where o.sent_at is not null',
    );
    return rows.length === 5;
  });
  const early = "select from outbox where sent_at < created_at + interval '15 seconds'";
  expect((await world.db.query(early)).rows).toEqual([]); // others might have followed
});

test.concurrent('a worker killed between the stop and its mail: exactly one mail goes out', async () => {
  await using smtp = await openMailServer();
  await using database = await createDatabase();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  await using cluster = await openCluster(database.url, {
    SMTP_URL: smtp.url,
    MILLRACE_PUBLIC_URL: 'https://millrace.test',
    MILLRACE_RETRY_WINDOW: '8h', // time enough to kill it
  });
  await using receiver = await openReceiver(gone);
  const worker = await cluster.startWorker();
  await cluster.startServer();
  await createFeed(cluster, 'a').append(0, 10);
  const { id } = await cluster.consumer(receiver.url);
  await until(async () => (await cluster.get(id)).status === 'stopped');
  const { length } = receiver.received;
  await worker.killHard();
  expect(smtp.mails).toHaveLength(0); // killed between the two
  await cluster.startWorker();
  await until(() => smtp.mails.length > 0);
  // A second one would be due with the first.
  await until(async () => (await db.query(UNSENT)).rows[0]?.['count'] === 0);
  expect(smtp.mails).toHaveLength(1);
  expect(smtp.mails[0]?.headers).toMatchObject({
    'x-millrace-alert': 'gone',
    'x-millrace-consumer': id,
    'message-id': expect.stringMatching(new RegExp(`^<gone\\.${id}\\.\\d+@millrace>$`, 'u')),
  });
  expect(smtp.mails[0]?.text).toContain(`https://millrace.test/consumers/${id}`);
  expect((await cluster.get(id)).status).toBe('stopped');
  expect(receiver.received).toHaveLength(length);
}, 180_000);

const UNSENT = 'select count(*) from outbox where sent_at is null';

test.concurrent('a mail server that is away gets the mail when it is back, once', async () => {
  const away = await openMailServer();
  await away[Symbol.asyncDispose]();
  await using world = await openWorld({
    retryWindowMs: 60_000,
    sendMail: smtpMail(away.url, FROM),
  });
  await using receiver = await openReceiver(gone);
  const consumer = await world.consumer(await world.target(receiver.url));
  await world.append.events(someEvents(1));
  await world.becomes(consumer, 'stopped');
  const error = await until(async () => {
    const { rows } = await world.db.query<{ last_error: string | null }>(
      'select last_error from outbox',
    );
    return rows[0]?.last_error ?? false;
  });
  expect(error).toContain('ECONNREFUSED');
  await using back = await openMailServer(away.port);
  await until(() => back.mails.length === 1);
  await until(async () => (await world.db.query(UNSENT)).rows[0]?.['count'] === 0);
  expect(back.mails).toHaveLength(1);
  expect(away.mails).toHaveLength(0);
});

test.concurrent('dead letters are reported once, in a digest, with the command that replays them', async () => {
  await using smtp = await openMailServer();
  await using world = await openWorld({
    retryWindowMs: 4_000,
    sendMail: smtpMail(smtp.url, FROM),
  });
  await using receiver = await openReceiver((one, response) => {
    if (/"n":[012]\}/u.test(one.body)) response.writeHead(400).end('no such customer');
    else accept(one, response);
  });
  const consumer = await world.consumer(await world.target(receiver.url), { name: 'Über <b>' });
  await world.append.events(someEvents(20));
  const told = () => smtp.of('dead-letters');
  const count = () =>
    told()
      .map((mail) => Number(/: (\d+) entr/u.exec(mail.text)?.[1]))
      .reduce((sum, one) => sum + one, 0);
  await until(() => count() === 3);
  expect(told()[0]?.text).toContain(`millrace dead-letters replay ${consumer} --all`);
  expect(told()[0]?.text).toContain('HTTP 400');
  expect(told()[0]?.text).toContain(`/consumers/${consumer}?tab=dead-letters`);
  expect(told()[0]?.text).not.toContain('<b>&quot;');
  expect(new Set(told().map((mail) => mail.headers['message-id'])).size).toBe(told().length);
  expect((await world.db.query('select from dead_letters where not told')).rows).toEqual([]);
});

test.concurrent('the alert webhook is signed like any webhook, and retried until it is accepted', async () => {
  const keys = [{ id: 'k', key: randomBytes(32) }];
  const [secret = ''] = alertSecrets(null, keys);
  await using operators = await openReceiver((one, response) => {
    if (operators.received.length === 1) response.writeHead(500).end();
    else accept(one, response);
  });
  const url = `${operators.url}/alerts`;
  await using world = await openWorld({
    sendAlertWebhook: alertWebhook({
      egress: createEgress({ allowCidrs: LOOPBACK }),
      format: 'json',
      url,
      secrets: [secret],
      now: Date.now,
      userAgent: 'Millrace/test',
    }),
  });
  await using receiver = await openReceiver(gone);
  const consumer = await world.consumer(await world.target(receiver.url), { name: 'orders' });
  await world.append.events(someEvents(2));
  await world.becomes(consumer, 'stopped');
  await until(() => operators.received.length === 2);
  const [first, second] = operators.received;
  expect(second?.id).toBe(first?.id);
  const headers = second?.headers as Record<string, string>;
  const payload = new Webhook(secret).verify(second?.body ?? '', headers);
  expect(payload).toMatchObject({
    alert: { id: second?.id, kind: 'gone', consumer_id: consumer, name: 'orders', waiting: 2 },
  });
});
