import { expect, test } from 'vitest';

import { createDeadLetterDigest } from '../../src/alerts/deadLetterDigest.ts';
import { smtpMail, type Send } from '../../src/alerts/mail.ts';
import type { StopReason } from '../../src/consumers/lifecycle.ts';
import { createStartFaults } from '../../src/consumers/startFaults.ts';
import { createAging } from '../../src/retention/aging.ts';
import type { Change } from '../../src/schema/consumer.ts';
import { ALERT_OPTIONS, openAlertDesk, type AlertDesk } from '../support/alertDesk.ts';
import { openMailServer, type ReceivedMail } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';
import { silent } from '../support/streams.ts';

const FROM = 'Millrace <millrace@example.com>';
const consumersOf = (mail: ReceivedMail | undefined): string[] =>
  mail?.headers['x-millrace-consumer']?.split(', ').toSorted() ?? [];

async function named({ opened }: AlertDesk, ...names: string[]): Promise<string[]> {
  const ids = [];
  for (const name of names) ids.push((await opened.create({ name })).id as string);
  return ids;
}

async function subjects({ opened }: AlertDesk): Promise<string[]> {
  const written = 'select subject from outbox order by created_at, id';
  const { rows } = await opened.api.db.query<{ subject: string }>(written);
  return rows.map(({ subject }) => subject);
}

async function warn({ lifecycle }: AlertDesk, id: string, reason = 'HTTP 503'): Promise<void> {
  await lifecycle.block(id, reason, new Date());
  await lifecycle.warn(id, new Date());
}

const away: Send = () => Promise.reject(new Error('the mail server is away'));

/** Every mail that waits is tried once, in vain. */
async function tryInVain({ opened, outbox }: AlertDesk): Promise<void> {
  await using trying = outbox(away);
  await opened.api.db.query('update outbox set next_try_at = now() where sent_at is null');
  trying.hint();
  await until(async () => {
    const untried =
      'select from outbox where given_up_at is null and (attempts = 0 or last_error is null)';
    return (await opened.api.db.query(untried)).rowCount === 0;
  });
}

/** A consumer that stopped as its endpoint was gone, was resumed, and stopped again, for this reason; and one that stopped. */
async function stopTwice(desk: AlertDesk, again: StopReason): Promise<[string, string]> {
  const [twice = '', once = ''] = await named(desk, 'twice', 'once');
  await desk.lifecycle.stop(twice, new Date(), 'gone');
  await desk.lifecycle.stop(once, new Date(), 'gone');
  await desk.resume(twice);
  await desk.lifecycle.stop(twice, new Date(), again);
  return [twice, once];
}

test('a stop is among the changes of its consumer, with its reason, once for each time', async () => {
  await using desk = await openAlertDesk();
  const [twice] = await stopTwice(desk, 'parked');
  await desk.lifecycle.stop(twice, new Date(), 'parked'); // without effect: it is stopped
  const { body } = await desk.opened.api.request('GET', `/v1/changes?consumer_id=${twice}`);
  const found = (body.data as Change[]).map(({ action, actor, detail }) => [action, actor, detail]);
  expect(found).toEqual([
    ['stopped', 'millrace', { reason: 'entries of 10,000 records are parked' }],
    ['resumed', 'test', {}],
    ['stopped', 'millrace', { reason: 'the endpoint answered 410 Gone' }],
    ['created', expect.any(String), expect.any(Object)],
  ]);
});

test('a consumer that stopped, was resumed and stopped again is reported once, and counted once', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [twice, once] = await stopTwice(desk, 'gone');
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.mails).toHaveLength(1);
  expect(await subjects(desk)).toEqual(['Stopped, the endpoint is gone: 2 consumers → one']);
  expect(smtp.mails[0]?.text).toContain('2 consumers of "one" have stopped');
  expect(consumersOf(smtp.mails[0])).toEqual([once, twice].toSorted());
  expect(smtp.mails[0]?.text.match(new RegExp(`consumers resume ${twice}`, 'gu'))).toHaveLength(2); // text and HTML
  const alerts = await desk.alerts(twice, 'gone');
  expect(alerts.map(({ mail }) => mail?.message_id)).toEqual([
    smtp.mails[0]?.headers['message-id'],
    smtp.mails[0]?.headers['message-id'],
  ]);
});

test('a consumer that stopped again for another reason is named only in the mail of the newest stop', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [twice, once] = await stopTwice(desk, 'parked');
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.of('gone').map(consumersOf)).toEqual([[once]]);
  expect(smtp.of('stopped').map(consumersOf)).toEqual([[twice]]);
});

test('a consumer that was resumed or deleted before the mail is sent is left out of it', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [resumed = '', deleted = '', left = ''] = await named(desk, 'resumed', 'deleted', 'left');
  for (const id of [resumed, deleted, left]) await desk.lifecycle.stop(id, new Date(), 'gone');
  await desk.resume(resumed);
  await desk.opened.api.db.query(`update consumers set deleted_at = now() where id = '${deleted}'`);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.mails.map(consumersOf)).toEqual([[left]]);
  expect(await subjects(desk)).toEqual(['Stopped, the endpoint is gone: left → one']);
  expect(smtp.mails[0]?.text).not.toContain(`consumers resume ${resumed}`);
});

test('no mail is sent when every consumer in it was resumed, and the alert says so', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [resumed = ''] = await named(desk, 'resumed');
  await desk.lifecycle.stop(resumed, new Date(), 'gone');
  await desk.resume(resumed);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.mails).toEqual([]);
  const [alert] = await desk.alerts(resumed, 'gone');
  expect(alert?.mail).toMatchObject({ sent_at: null, given_up_at: null });
  expect(alert?.mail?.dropped_at).not.toBeNull();
});

test('a mail that could not be sent for a while leaves out consumers that were resumed meanwhile, and names those that stopped again only once', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [resumed = '', again = '', left = ''] = await named(desk, 'resumed', 'again', 'left');
  for (const id of [resumed, again, left]) await desk.lifecycle.stop(id, new Date(), 'gone');
  await tryInVain(desk);
  for (const id of [resumed, again]) await desk.resume(id);
  await desk.lifecycle.stop(again, new Date(), 'gone'); // does not join what was tried
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.mails).toHaveLength(2);
  expect(new Set(smtp.mails.flatMap(consumersOf))).toEqual(new Set([left, again]));
});

test('a warning that is over before its mail is sent is not sent, and neither is its recovery', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [late = '', still = '', told = ''] = await named(desk, 'late', 'still', 'told');
  await warn(desk, told);
  {
    await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
    await desk.sendAll(outbox);
  }
  for (const id of [late, still]) await warn(desk, id);
  for (const id of [late, told]) await desk.lifecycle.unblock(id, new Date(), true);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.of('warning').map(consumersOf)).toEqual([[told], [still]]);
  expect(smtp.of('recovered').map(consumersOf)).toEqual([[told]]);
});

test('a warning that may have been accepted is followed by its recovery', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [tried = ''] = await named(desk, 'tried');
  await warn(desk, tried);
  await tryInVain(desk);
  await desk.lifecycle.unblock(tried, new Date(), true);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.mails.map(({ headers }) => headers['x-millrace-alert'])).toEqual(['recovered']);
});

test('warnings of one target within a minute share a mail, whatever their endpoints answer, and each is reported once', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const ids = await named(desk, 'one', 'two', 'three');
  const [own = ''] = [(await desk.opened.create({ name: 'own', alert_emails: ['own@x.org'] })).id];
  const [one = '', two = '', three = ''] = ids;
  await warn(desk, one, 'HTTP_5XX: HTTP 503');
  await warn(desk, two, 'TIMEOUT: no answer in 15 s');
  await warn(desk, three, 'HTTP_5XX: HTTP 503');
  await warn(desk, own, 'HTTP_5XX: HTTP 503');
  const { rows } = await desk.opened.api.db.query(
    "select bool_and(next_try_at - created_at > interval '59 s') as wait from outbox",
  );
  expect(rows).toEqual([{ wait: true }]);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.of('warning')).toHaveLength(2);
  expect(new Set(smtp.of('warning').map(consumersOf))).toEqual(new Set([ids.toSorted(), [own]]));
  expect(await subjects(desk)).toContain('Failing: 3 consumers → one');
  for (const id of ids) {
    const [alert] = await desk.alerts(id, 'warning');
    expect(alert?.mail?.sent_at).not.toBeNull();
  }
});

test('recoveries of one target share a mail, which omits consumers whose warning was left out', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [late = '', one = '', two = ''] = await named(desk, 'late', 'one', 'two');
  for (const id of [late, one, two]) await warn(desk, id);
  await desk.lifecycle.unblock(late, new Date(), true);
  // Its recovery waits for others, while the warning goes without it.
  await desk.opened.api.db.query("update outbox set next_try_at = now() where kind = 'warning'");
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  outbox.hint();
  await until(() => smtp.of('warning').length === 1);
  expect(smtp.of('warning').map(consumersOf)).toEqual([[one, two].toSorted()]);
  for (const id of [one, two]) await desk.lifecycle.unblock(id, new Date(), true);
  await desk.sendAll(outbox);
  expect(smtp.of('recovered').map(consumersOf)).toEqual([[one, two].toSorted()]);
  const [alert] = await desk.alerts(late, 'warning');
  expect(alert?.mail).toBeNull();
});

test('a mail names a hundred consumers at most, and the next mail names the others', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [first = '', ...rest] = await named(desk, 'first', 'second', 'third');
  await warn(desk, first);
  await desk.opened.api.db.query(`
    update outbox set items = array_to_json(array_fill(items->0, array[100]))`);
  for (const id of rest) await warn(desk, id);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.of('warning')).toHaveLength(2);
  expect(new Set(smtp.of('warning').map(consumersOf))).toEqual(new Set([[first], rest.toSorted()]));
});

test('dead letters that are gone before their mail is sent are not in it', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const { db } = desk.opened.api;
  const [kept = '', replayed = ''] = await named(desk, 'kept', 'replayed');
  for (const id of [kept, replayed]) {
    await db.query({
      text: `insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id,
                                       upstream_id, event, body, attempts, parked_at, died_at, last_failure)
             values (gen_random_uuid(), $1, 1, 'm', 's', 'c:o', 'u', 'created', '{}', 3, now(), now(),
                     '{"code":"HTTP_4XX","status":422,"detail":"HTTP 422","at":"2026-01-01T00:00:00Z"}')`,
      values: [id],
    });
  }
  await createDeadLetterDigest({ ...ALERT_OPTIONS, db, log: silent })();
  await db.query({ text: 'delete from dead_letters where consumer_id = $1', values: [replayed] });
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.of('dead-letters').map(consumersOf)).toEqual([[kept]]);
});

test('a consumer that has passed its old events before the mail is sent is left out of the warning', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const { db } = desk.opened.api;
  const [behind = '', passed = ''] = await named(desk, 'behind', 'passed');
  const position = await desk.opened.append('s', 3);
  await db.query("update events set event_inserted_at = now() - interval '25 days'");
  await desk.opened.setCursor(behind, 'position = 0');
  const eventMs = 30 * 86_400_000;
  const watch = createAging({ db, eventMs, alerts: ALERT_OPTIONS, log: silent });
  await watch.run();
  await desk.opened.setCursor(passed, `position = ${position}, idle = false`);
  await watch.run();
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.of('warning').map(consumersOf)).toEqual([[behind]]);
});

test("a consumer that can't send is reported while that lasts, whatever its status", async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const [lasting = '', over = ''] = await named(desk, 'lasting', 'over');
  const { db } = desk.opened.api;
  const faults = createStartFaults({ ...ALERT_OPTIONS, db });
  const fault = { code: 'url_unreadable', detail: 'Its URL can not be read' } as const;
  for (const consumerId of [lasting, over]) {
    const faulty = { consumerId, fault, isCrash: false, target: null };
    await faults.note(faulty);
    await db.query("update start_faults set since = since - interval '1 minute'");
    await faults.note(faulty);
  }
  await faults.clear(over);
  await using outbox = desk.outbox(smtpMail(smtp.url, FROM));
  await desk.sendAll(outbox);
  expect(smtp.mails.map(consumersOf)).toEqual([[lasting]]);
});

test('consumers of several targets that the egress proxy keeps from sending share a mail, and so do their recoveries', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const { api, create } = desk.opened;
  const { db } = api;
  const ids: string[] = [];
  for (const name of ['first', 'second']) {
    const target = { name, base_url: `https://${name}.example.com/hooks` };
    const { body } = await api.request('POST', '/v1/targets', target);
    for (const number of [1, 2]) {
      ids.push((await create({ name: `${name} ${number}`, target_id: body.id })).id as string);
    }
  }
  const faults = createStartFaults({ ...ALERT_OPTIONS, db });
  const fault = { code: 'proxy_unreachable', detail: 'The proxy is away' } as const;
  for (const consumerId of ids) {
    const faulty = { consumerId, fault, isCrash: true, target: null };
    await faults.note(faulty);
    await db.query("update start_faults set since = since - interval '1 minute'");
    await faults.note(faulty);
  }
  const send = smtpMail(smtp.url, FROM);
  {
    await using outbox = desk.outbox(send);
    await desk.sendAll(outbox);
  }
  for (const id of ids) await faults.clear(id);
  await using outbox = desk.outbox(send);
  await desk.sendAll(outbox);
  expect(smtp.mails.map(consumersOf)).toEqual([ids.toSorted(), ids.toSorted()]);
  expect(await subjects(desk)).toEqual([
    'Cannot send: 4 consumers → 2 targets',
    'Recovered: 4 consumers → 2 targets',
  ]);
  const text = smtp.mails[0]?.text ?? '';
  expect(text).toContain("4 consumers of 2 targets can't send: The proxy is away.");
  expect(text).toContain('This is not the fault of the endpoint.');
  expect(text).toMatch(/Target: +second\r?\nEndpoint: +https:\/\/second\.example\.com\/hooks/u);
  expect(text).toContain(`${ALERT_OPTIONS.publicUrl}/consumers`);
});
