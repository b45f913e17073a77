import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

import { alertWebhook, type AlertFormat } from '../../src/alerts/alertWebhook.ts';
import { fileMail, smtpMail } from '../../src/alerts/mail.ts';
import { startTestSender, type TestSenderOptions } from '../../src/alerts/testSender.ts';
import { createListener } from '../../src/db/listener.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { ALERT_OPTIONS, openAlertDesk } from '../support/alertDesk.ts';
import { LOOPBACK, openApp, type TestApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';
import { openMailServer } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { silent } from '../support/streams.ts';

const FROM = 'Millrace <millrace@example.com>';
const SECRET = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3';

interface Desk extends AsyncDisposable {
  api: TestApp;
  /** Runs what a worker runs. */
  worker(more: Partial<TestSenderOptions>): AsyncDisposable;
}

async function openDesk(): Promise<Desk> {
  const database = await createDatabase();
  const api = openApp(database.url);
  const listener = createListener({ url: database.url, log: silent });
  return {
    api,
    worker: (more) =>
      startTestSender({
        db: api.db,
        listener,
        send: () => Promise.reject(new Error('no mail is expected')),
        sendWebhook: null,
        alertEmails: [],
        publicUrl: 'https://millrace.example.com',
        holder: 'host/1',
        pollMs: 1_000,
        log: silent,
        ...more,
      }),
    [Symbol.asyncDispose]: async () => {
      await listener.close();
      await api[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

const webhookTo = (url: string, format: AlertFormat) =>
  alertWebhook({
    egress: createEgress({ allowCidrs: LOOPBACK }),
    url,
    format,
    secrets: [SECRET],
    userAgent: 'Millrace/test',
    now: Date.now,
  });

test('a test alert goes to the default addresses and to the alert webhook, and shows the outcome of each', async () => {
  await using smtp = await openMailServer();
  await using operators = await openReceiver();
  await using desk = await openDesk();
  await using _ = desk.worker({
    send: smtpMail(smtp.url, FROM),
    sendWebhook: webhookTo(operators.url, 'json'),
    alertEmails: ['ops@example.com', 'two@example.com'],
  });
  const { status, body } = await desk.api.request('POST', '/v1/alerts/test');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    mail: { outcome: 'accepted', to: ['ops@example.com', 'two@example.com'], detail: null },
    webhook: { outcome: 'accepted', status: 204, detail: null },
    sent_by: 'host/1',
  });
  expect(smtp.mails.map(({ to }) => to)).toEqual([['ops@example.com', 'two@example.com']]);
  const [mail] = smtp.of('test');
  expect(mail?.headers['subject']).toBe('Test alert from Millrace');
  expect(mail?.text).toContain('Nothing has happened.');
  expect(new Set(mail?.text.match(/https?:\/\/[^\s"<]+/gu))).toEqual(
    new Set(['https://millrace.example.com/settings']),
  );
  const [hook] = operators.received;
  const payload = new Webhook(SECRET).verify(hook!.body, hook!.headers as Record<string, string>);
  expect(payload).toMatchObject({
    alert: { id: hook!.id, kind: 'test', url: 'https://millrace.example.com/settings' },
  });
  const list = await desk.api.request('GET', '/v1/alerts');
  expect(list.body.data).toEqual([]); // nothing has happened to a consumer
});

test('a test alert says in words why it failed, and is not retried', async () => {
  const gone = await openMailServer();
  await gone[Symbol.asyncDispose]();
  await using operators = await openReceiver((_one, response) => {
    response.writeHead(403).end('invalid_token');
  });
  await using desk = await openDesk();
  await using _ = desk.worker({
    send: smtpMail(gone.url, FROM),
    sendWebhook: webhookTo(operators.url, 'json'),
  });
  const { body } = await desk.api.request('POST', '/v1/alerts/test', { to: 'me@example.com' });
  expect(body.mail).toMatchObject({ outcome: 'failed', to: ['me@example.com'] });
  expect(body.mail.detail).toContain('ECONNREFUSED');
  expect(body.webhook).toMatchObject({
    outcome: 'failed',
    status: 403,
    detail: 'the alert webhook answered HTTP 403',
  });
  expect(operators.received).toHaveLength(1);
});

test('an address that the mail server refuses beside others is named', async () => {
  await using smtp = await openMailServer();
  await using desk = await openDesk();
  await using _ = desk.worker({
    send: smtpMail(smtp.url, FROM),
    alertEmails: ['ops@example.com', 'refuse@example.com'],
  });
  const { body } = await desk.api.request('POST', '/v1/alerts/test');
  expect(body.mail).toMatchObject({
    outcome: 'failed',
    detail: 'The mail server refused refuse@example.com',
  });
  expect(smtp.mails.map(({ to }) => to)).toEqual([['ops@example.com']]);
});

test('a channel that is not configured is named by its variables', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-outbox-'));
  await using desk = await openDesk();
  await using _ = desk.worker({ send: fileMail(folder, FROM) });
  const nobody = await desk.api.request('POST', '/v1/alerts/test');
  expect(nobody.body.mail).toMatchObject({ outcome: 'not_set', to: [] });
  expect(nobody.body.mail.detail).toContain('MILLRACE_ALERT_EMAIL is not set');
  expect(nobody.body.webhook).toMatchObject({ outcome: 'not_set', status: null });
  expect(nobody.body.webhook.detail).toContain('MILLRACE_ALERT_WEBHOOK is not set');
  const written = await desk.api.request('POST', '/v1/alerts/test', { to: 'me@example.com' });
  expect(written.body.mail).toMatchObject({ outcome: 'written', to: ['me@example.com'] });
  expect(written.body.mail.detail).toContain('SMTP_URL is not set');
  const [file = ''] = await readdir(folder);
  expect(await readFile(join(folder, file), 'utf8')).toContain('To: me@example.com');
  await rm(folder, { recursive: true });
});

test('without a worker nothing is sent, then or later, and the answer says so', async () => {
  await using smtp = await openMailServer();
  await using desk = await openDesk();
  const { status, body } = await desk.api.request('POST', '/v1/alerts/test', { to: 'a@b.org' });
  expect([status, body.code]).toEqual([503, 'worker_unavailable']);
  expect(body.detail).toContain('check that one is running');
  const { db } = desk.api;
  await db.query("update alert_tests set asked_at = asked_at - interval '1 minute'");
  await using _ = desk.worker({ send: smtpMail(smtp.url, FROM) });
  const next = await desk.api.request('POST', '/v1/alerts/test', { to: 'c@d.org' });
  expect(next.body.mail.outcome).toBe('accepted');
  expect(smtp.mails.map(({ to }) => to)).toEqual([['c@d.org']]);
});

test('a test alert needs the scope manage and an address', async () => {
  await using desk = await openDesk();
  const { api } = desk;
  const key = await api.request('POST', '/v1/api-keys', { name: 'r', scopes: ['read'] });
  const reader = { authorization: `Bearer ${key.body.key}` };
  expect((await api.request('POST', '/v1/alerts/test', undefined, reader)).status).toBe(403);
  const wrong = await api.request('POST', '/v1/alerts/test', { to: 'not an address' });
  expect(wrong.status).toBe(422);
  expect(wrong.body.errors[0].pointer).toBe('/to');
  expect((await api.request('GET', '/v1/alerts/test')).status).toBe(405);
});

test('with the format slack the alert webhook gets a text, both for alerts and for a test', async () => {
  await using slack = await openReceiver();
  await using alerts = await openAlertDesk({ alertWebhook: true });
  const sendWebhook = webhookTo(slack.url, 'slack');
  const { id } = await alerts.opened.create({ name: 'a <b> & c' });
  await alerts.lifecycle.block(id, 'HTTP_5XX: HTTP 503', new Date('2026-11-23T11:52:00Z'));
  await alerts.lifecycle.warn(id, new Date('2026-11-23T12:52:00Z'));
  {
    await using outbox = alerts.outbox(() => Promise.resolve(), { sendWebhook });
    await alerts.sendAll(outbox);
  }
  const [first] = slack.received;
  const said = new Webhook(SECRET).verify(first!.body, first!.headers as Record<string, string>);
  expect(Object.keys(said as object)).toEqual(['text']);
  const { text } = said as { text: string };
  expect(text).toContain('*Consumer "a &lt;b&gt; &amp; c" is failing: HTTP 503.*');
  expect(text).toContain('Retries continue automatically until 2026-11-24 11:52 UTC.');
  expect(text.match(/<http[^>]*>/gu)).toEqual([
    `<${ALERT_OPTIONS.publicUrl}/consumers/${id}|Open the consumer and retry it>`,
  ]);
  await using desk = await openDesk();
  await using _ = desk.worker({ sendWebhook });
  const { body } = await desk.api.request('POST', '/v1/alerts/test');
  expect(body.webhook.outcome).toBe('accepted');
  expect(JSON.parse(slack.received[1]!.body).text).toContain('*This is a test alert.');
});

test('many alerts of one target that are due together become a few texts for Slack, and each is reported once', async () => {
  let refusals = 1;
  await using slack = await openReceiver((_one, response) => {
    response.writeHead(refusals > 0 ? 503 : 200).end();
    refusals -= 1;
  });
  await using alerts = await openAlertDesk({ alertWebhook: true });
  const ids: string[] = [];
  for (let n = 0; n < 45; n += 1) {
    const { id } = await alerts.opened.create({ name: `consumer ${n}` });
    await alerts.lifecycle.stop(id, new Date(), n < 43 ? 'gone' : 'parked');
    ids.push(id);
  }
  await using outbox = alerts.outbox(() => Promise.resolve(), {
    sendWebhook: webhookTo(slack.url, 'slack'),
  });
  outbox.hint();
  await until(async () => {
    const untried = `select from outbox where channel = 'webhook' and sent_at is null and last_error is null`;
    return (await alerts.opened.api.db.query(untried)).rowCount === 0;
  });
  await alerts.sendAll(outbox);
  const texts = slack.received
    .filter(({ status }) => status === 200)
    .map(({ body }) => (JSON.parse(body) as { text: string }).text);
  expect(texts.length).toBeLessThanOrEqual(6);
  for (const id of ids) {
    expect(texts.filter((text) => text.includes(id))).toHaveLength(1);
  }
  for (const text of texts) {
    expect(text.match(/millrace consumers resume/gu)?.length ?? 1).toBeLessThanOrEqual(20);
    // Those that stopped for another reason have a message of their own.
    const isParked = ids.slice(43).some((id) => text.includes(id));
    expect(ids.slice(0, 43).some((id) => text.includes(id))).toBe(!isParked);
  }
});

test('the JSON of the alert webhook has the fields it has always had', async () => {
  await using operators = await openReceiver();
  await using alerts = await openAlertDesk({ alertWebhook: true });
  const { id } = await alerts.opened.create({ name: 'orders' });
  await alerts.lifecycle.block(id, 'HTTP_5XX: HTTP 503', new Date());
  await alerts.lifecycle.warn(id, new Date());
  await using outbox = alerts.outbox(() => Promise.resolve(), {
    sendWebhook: webhookTo(operators.url, 'json'),
  });
  outbox.hint();
  await until(() => operators.received.length === 1);
  expect(Object.keys(JSON.parse(operators.received[0]!.body).alert)).toEqual(
    (
      'id kind at consumer_id name reason target endpoint failing_since last_failure position ' +
      'waiting waiting_exact url'
    ).split(' '),
  );
});

test('a worker that ends gives up a mail server that hangs, and says so', async () => {
  await using smtp = await openMailServer();
  await using desk = await openDesk();
  const worker = desk.worker({ send: smtpMail(smtp.url, FROM) });
  const asked = desk.api.request('POST', '/v1/alerts/test', { to: `hang-${randomUUID()}@x.org` });
  await until(() => smtp.hanging.size === 1);
  await worker[Symbol.asyncDispose]();
  const { body } = await asked;
  expect(body.mail).toMatchObject({
    outcome: 'failed',
    detail: 'the process ended before it was sent',
  });
});
