// what people are told of sources, and how: by mail, by the alert webhook, in the list of alerts
import { expect, test } from 'vitest';

import { alertWebhook } from '../../src/alerts/alertWebhook.ts';
import { smtpMail, type Send } from '../../src/alerts/mail.ts';
import { createSourceWatch } from '../../src/alerts/sourceWatch.ts';
import { createEgress } from '../../src/egress/egress.ts';
import type { Alert } from '../../src/schema/alert.ts';
import { ALERT_OPTIONS, openAlertDesk, type AlertDesk } from '../support/alertDesk.ts';
import { LOOPBACK } from '../support/app.ts';
import { openMailServer } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { addSource, addSourceTable, setSource } from '../support/sourceRow.ts';
import { silent } from '../support/streams.ts';
import { openWorld } from '../support/world.ts';

const FROM = 'Millrace <millrace@example.com>';
const GB = 2 ** 30;

function watchOf({ opened }: AlertDesk, more: Partial<typeof ALERT_OPTIONS> = {}) {
  return createSourceWatch({ ...ALERT_OPTIONS, ...more, db: opened.api.db, log: silent });
}

async function alertsOf({ opened }: AlertDesk, id: string): Promise<Alert[]> {
  const { status, body } = await opened.api.request('GET', `/v1/alerts?source_id=${id}`);
  expect(status).toBe(200);
  return body.data;
}

const webhookTo = (url: string, format: 'json' | 'slack'): Send =>
  alertWebhook({
    egress: createEgress({ allowCidrs: LOOPBACK }),
    format,
    url,
    secrets: ['whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3'],
    userAgent: 'Millrace/test',
    now: () => Date.now(),
  });

test('a source that has failed is told of once, to the operators and the alert webhook, with what to do and without its password', async () => {
  await using smtp = await openMailServer();
  await using operators = await openReceiver();
  await using desk = await openAlertDesk();
  const { db } = desk.opened.api;
  const look = watchOf(desk, { alertWebhook: true });
  const id = await addSource(db, 'Shop database', {
    status: "'failed'",
    status_reason: "'The role shop may not replicate.'",
    lag_bytes: '3145728',
    lag_ms: '120000',
  });
  await Promise.all([look(), look()]);
  await look();
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM), {
    sendWebhook: webhookTo(operators.url, 'json'),
  });
  await desk.sendAll(outbox);
  expect(smtp.mails.map(({ to }) => to)).toEqual([['ops@example.com']]);
  const [mail] = smtp.of('source-failed');
  expect(mail?.headers).toMatchObject({
    subject: 'Source failed: Shop database',
    'x-millrace-source': id,
  });
  for (const text of [
    'Source "Shop database" has failed: The role shop may not replicate.',
    `https://millrace.test/sources/${id}`,
    `millrace sources resume ${id}`,
    'Not stored:    3 MB, 2 minutes',
  ])
    expect(mail?.text).toContain(text);
  const [alert] = await alertsOf(desk, id);
  expect(operators.received.map(({ body }) => JSON.parse(body))).toEqual([
    {
      alert: {
        id: alert?.id,
        kind: 'source-failed',
        at: expect.any(String),
        source_id: id,
        name: 'Shop database',
        reason: 'The role shop may not replicate',
        database: 'postgres://millrace:••••@db.example.com:5432/shop',
        since: expect.any(String),
        lag_bytes: 3_145_728,
        lag_seconds: 120,
        limit_bytes: null,
        tables: [],
        url: `https://millrace.test/sources/${id}`,
      },
    },
  ]);
  expect(alert).toMatchObject({
    consumer_id: null,
    source_id: id,
    kind: 'source-failed',
    mail: { consumers: null, to: ['ops@example.com'], sent_at: expect.any(String) },
  });
});

test('a source that falls behind is told of at a gigabyte and at half of its limit, and when it has caught up', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const { db } = desk.opened.api;
  const look = watchOf(desk);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  const id = await addSource(db, 'Shop', { slot_limit_bytes: `${4 * GB}` });
  for (const bytes of [0.9, 1, 1.5, 2, 3, 0.2, 0.3].map((share) => share * GB)) {
    await setSource(db, id, { lag_bytes: `${Math.floor(bytes)}`, measured_at: 'now()' });
    await look();
    await desk.sendAll(outbox);
  }
  expect(smtp.mails.map(({ headers }) => headers['x-millrace-alert'])).toEqual([
    'source-behind',
    'source-behind',
    'source-recovered',
  ]);
  expect(smtp.mails[0]?.text).toContain('at 4 GB its slot is lost');
  const [recovered, half, gigabyte] = await alertsOf(desk, id);
  expect([half?.detail['lag_bytes'], gigabyte?.detail['lag_bytes']]).toEqual([2 * GB, GB]);
  expect(recovered?.detail).toMatchObject({ ends: half?.id, lag_bytes: Math.floor(0.2 * GB) });
});

test('a table that asks is told of with the command that confirms it, for Slack as well', async () => {
  await using smtp = await openMailServer();
  await using slack = await openReceiver();
  await using desk = await openAlertDesk();
  const { db } = desk.opened.api;
  const id = await addSource(db, 'Shop <b>');
  const detail = 'Reading it anew would delete 30 of 100 records.';
  await addSourceTable(db, id, ['public', 'Line items'], { state: 'asking', detail });
  await watchOf(desk, { alertWebhook: true })();
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM), {
    sendWebhook: webhookTo(slack.url, 'slack'),
  });
  await desk.sendAll(outbox);
  const command = `millrace sources snapshot ${id} --table 'public.Line items' --confirm`;
  expect(smtp.mails[0]?.text).toContain(command);
  const { text } = JSON.parse(slack.received[0]?.body ?? '') as { text: string };
  expect(text).toContain('*Source "Shop &lt;b&gt;" asks: public.Line items: Reading it anew would');
  expect(text).toContain(`\`${command}\``);
  expect(text).toContain(`<https://millrace.test/sources/${id}|Open the source>`);
});

test('a mail that was late tells nothing that is over, and then its recovery is not told either', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const { db } = desk.opened.api;
  const look = watchOf(desk);
  const behind = await addSource(db, 'Behind', { lag_bytes: `${GB}` });
  const silentFor = "now() - interval '2 h'";
  const quiet = await addSource(db, 'Quiet', {
    status_since: silentFor,
    created_at: silentFor,
    expect_within_s: '3600',
  });
  await look();
  await setSource(db, behind, { lag_bytes: '0' });
  await look();
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.mails.map(({ headers }) => headers['subject'])).toEqual(['Source silent: Quiet']);
  const [recovered, first] = await alertsOf(desk, behind);
  expect(recovered?.mail?.dropped_because).toBe('the alert before it was not sent either');
  expect(first?.mail?.dropped_because).toContain('the source had caught up by then');
  await setSource(db, quiet, { last_change_at: 'now()' });
  await look();
  await desk.sendAll(outbox);
  expect(smtp.of('source-recovered')[0]?.text).toContain('its tables have changed again');
});

test('alerts of a source are listed among all, and go with it when it is deleted', async () => {
  await using desk = await openAlertDesk();
  const { db, request } = desk.opened.api;
  const consumer = await desk.opened.create({ name: 'orders' });
  await desk.lifecycle.stop(consumer.id, new Date(), 'gone');
  const id = await addSource(db, 'Shop', {
    status_since: "now() - interval '1 day'",
    interruption: "'connection refused'",
    interrupted_since: "now() - interval '16 min'",
    holder: 'null',
    lease_until: 'null',
  });
  await watchOf(desk)();
  const all = (await request('GET', '/v1/alerts')).body.data as Alert[];
  expect(all.map(({ kind, consumer_id, source_id }) => [kind, consumer_id, source_id])).toEqual([
    ['source-interrupted', null, id],
    ['gone', consumer.id, null],
  ]);
  expect((await request('GET', '/v1/alerts?kind=source-interrupted')).body.data).toHaveLength(1);
  expect(await desk.alerts(consumer.id, 'gone')).toHaveLength(1);
  await db.query({ text: 'delete from sources where id = $1', values: [id] });
  await watchOf(desk)();
  expect((await request('GET', '/v1/alerts')).body.data).toHaveLength(1);
  expect((await db.query("select from outbox where kind like 'source%'")).rowCount).toBe(0);
});

test('the leader of the workers tells of a source by itself', async () => {
  await using smtp = await openMailServer();
  await using world = await openWorld({
    retryWindowMs: 60_000, // its minute lasts less than a second
    sendMail: smtpMail(smtp.url, FROM),
  });
  await addSource(world.db, 'Shop', {
    lag_bytes: `${2 * GB}`,
    measured_at: "now() + interval '1 min'",
  });
  const mail = await until(() => smtp.of('source-behind')[0] ?? false);
  expect(mail.to).toEqual(['ops@example.com']);
});
