// people are warned before a client certificate ends
import { expect, test } from 'vitest';

import { createCertificateWatch } from '../../src/alerts/certificateWatch.ts';
import { smtpMail } from '../../src/alerts/mail.ts';
import { ALERT_OPTIONS, openAlertDesk, type AlertDesk } from '../support/alertDesk.ts';
import { issue } from '../support/certificate.ts';
import { openMailServer } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';
import { silent } from '../support/streams.ts';
import { openWorld } from '../support/world.ts';

const DAY = 86_400_000;
const FROM = 'Millrace <millrace@example.com>';

const endsIn = (days: number) => {
  const { cert, key } = issue({
    subject: `in ${days} days`,
    isAuthority: true,
    until: Date.now() + days * DAY,
  });
  return { certificate: cert, key };
};

function watchOf({ opened }: AlertDesk) {
  return createCertificateWatch({ ...ALERT_OPTIONS, db: opened.api.db, log: silent });
}

async function addTarget({ opened }: AlertDesk, name: string, days: number): Promise<string> {
  const { status, body } = await opened.api.request('POST', '/v1/targets', {
    name,
    base_url: 'https://example.com/hooks',
    client_certificate: endsIn(days),
  });
  expect(status).toBe(201);
  return body.id;
}

test('the end of a client certificate is told 14 days before, once for each certificate, to the recipients of its consumers', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const { create, api } = desk.opened;
  const look = watchOf(desk);
  const soon = await addTarget(desk, 'Shop', 13);
  const later = await addTarget(desk, 'Bank', 15);
  const unused = await addTarget(desk, 'Unused', 1);
  const first = await create({ name: 'Orders', target_id: soon });
  const second = await create({ name: 'Items', target_id: soon });
  const own = { alert_emails: ['shop@example.com'] };
  const third = await create({ name: 'Own', target_id: soon, ...own });
  await create({ name: 'Far', target_id: later });
  await Promise.all([look(), look()]); // as two servers
  await watchOf(desk)(); // as another leader

  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  const to = (address: string) => smtp.mails.filter((mail) => mail.to.includes(address));
  expect(smtp.mails).toHaveLength(2);
  const [shared] = to('ops@example.com');
  expect(shared?.headers).toMatchObject({
    'x-millrace-alert': 'warning',
    'x-millrace-consumer': expect.stringContaining(first.id),
  });
  expect(shared?.headers['x-millrace-consumer']).toContain(second.id);
  const { body: target } = await api.request('GET', `/v1/targets/${soon}`);
  const { valid_until, fingerprint } = target.client_certificate;
  const [single] = to('shop@example.com');
  for (const mail of [shared, single]) {
    const { text = '' } = mail ?? {};
    expect(text).toContain(`ends at ${valid_until.slice(0, 16).replace('T', ' ')} UTC`);
    expect(text).toContain('CN=in 13 days');
    expect(text).toContain(fingerprint.slice(0, 23));
    expect(text).toContain(`https://millrace.test/targets/${soon}`);
    const command = `millrace targets update ${soon} --client-certificate FILE --client-key FILE`;
    expect(text.split(command).length - 1).toBeGreaterThan(0);
    expect(text).not.toContain('PRIVATE KEY');
  }
  for (const { id } of [first, second, third]) {
    const [alert, ...more] = await desk.alerts(id, 'certificate');
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ consumer_id: id, detail: { target_id: soon } });
  }

  // A target that gets its first consumer, and one that gets another certificate.
  const fourth = await create({ name: 'Fourth', target_id: unused });
  await api.request('PATCH', `/v1/targets/${soon}`, { client_certificate: endsIn(3) });
  await look();
  await look();
  expect(await desk.alerts(fourth.id, 'certificate')).toHaveLength(1);
  expect(await desk.alerts(first.id, 'certificate')).toHaveLength(2);
  expect((await desk.alerts(first.id, 'certificate'))[0]?.detail['reason']).toMatch(
    /^"CN=in 3 days"/u,
  );
});

test('a certificate that has ended by the time it is looked at is told of as such', async () => {
  await using desk = await openAlertDesk();
  const target = await addTarget(desk, 'Shop', 1);
  const { id } = await desk.opened.create({ target_id: target });
  await desk.opened.api.db.query(
    `update targets set client_certificate_ends = now() - interval '1 min' where client_certificate_ends is not null`,
  );
  await watchOf(desk)();
  const [alert] = await desk.alerts(id, 'certificate');
  expect(alert?.detail['reason']).toMatch(/ ended at \d{4}-\d\d-\d\d \d\d:\d\d UTC$/u);
});

test('a certificate that was replaced before its mail goes out is not mailed', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const target = await addTarget(desk, 'Shop', 13);
  const { id } = await desk.opened.create({ target_id: target });
  await watchOf(desk)();
  const change = { client_certificate: endsIn(300) };
  await desk.opened.api.request('PATCH', `/v1/targets/${target}`, change);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.mails).toEqual([]);
  const [alert] = await desk.alerts(id, 'certificate');
  expect(alert?.mail?.dropped_because).toBe(
    'the target had another client certificate by then, or none',
  );
});

test('the leader looks at certificates by itself', async () => {
  await using smtp = await openMailServer();
  await using world = await openWorld({
    retryWindowMs: 60_000, // its minute lasts less than a second
    sendMail: smtpMail(smtp.url, FROM),
  });
  const target = await world.target('https://127.0.0.1:4/in', { client_certificate: endsIn(2) });
  await world.consumer(target, { name: 'Orders' });
  const mail = await until(() =>
    smtp.of('warning').find(({ text }) => text.includes('"CN=in 2 days"')),
  );
  expect(mail.to).toEqual(['ops@example.com']);
});
