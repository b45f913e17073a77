import { randomBytes } from 'node:crypto';

import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { alertSecrets, alertWebhook } from '../../src/alerts/alertWebhook.ts';
import { smtpMail } from '../../src/alerts/mail.ts';
import { startOutbox } from '../../src/alerts/outbox.ts';
import type { Db } from '../../src/db/db.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createAging } from '../../src/retention/aging.ts';
import { LOOPBACK } from '../support/app.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { openMailServer } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { silent } from '../support/streams.ts';

const DAY = 86_400_000;
/** Kept for 30 days: warned of at 24, over below 21. */
const KEPT = 30 * DAY;

function watch(db: Db) {
  const alerts = {
    alertEmails: ['ops@example.com'],
    publicUrl: 'http://127.0.0.1:4600',
    alertWebhook: true,
    retryWindowMs: DAY,
    eventRetentionMs: 30 * 86_400_000,
  };
  return createAging({ db, eventMs: KEPT, alerts, log: silent });
}

/** All events up to a position are so old; those after it are not touched. */
async function age(db: Db, position: number, days: number): Promise<void> {
  await db.query({
    text: `update events set event_inserted_at = now() - $2 * interval '1 day' - interval '1 hour'
            where position <= $1`,
    values: [position, days],
  });
}

async function noted(db: Db): Promise<string[]> {
  const { rows } = await db.query<{ consumer_id: string }>(
    `select consumer_id from alerts where kind = 'retention' order by at, id`,
  );
  return rows.map(({ consumer_id }) => consumer_id);
}

let opened: ConsumersApi;
let db: Db;
beforeAll(async () => {
  opened = await openConsumersApi();
  ({ db } = opened.api);
});
afterAll(() => opened[Symbol.asyncDispose]());

const told = async (id: string): Promise<number> =>
  (await noted(db)).filter((one) => one === id).length;

test('consumers for which old events wait are reported once and in one mail, whatever their status, even by two servers', async () => {
  await using smtp = await openMailServer();
  await using operators = await openReceiver();
  const [secret = ''] = alertSecrets(null, [{ id: 'k', key: randomBytes(32) }]);
  const become = (id: string, status: string) =>
    db.query(`update consumers set status = '${status}' where id = '${id}'`);
  const [blocked, paused, stopped, picky] = [
    await opened.create({ name: 'blocked' }),
    await opened.create({ name: 'paused', ordering: 'none' }),
    await opened.create({ name: 'stopped', alert_emails: ['own@example.com'] }),
    await opened.create({ name: 'picky', syncs: ['elsewhere'] }),
  ];
  const position = await opened.append('s', 3);
  await opened.create({ name: 'late' });
  for (const status of ['blocked', 'paused', 'stopped'] as const)
    await become({ blocked, paused, stopped }[status].id, status);
  await become(picky.id, 'paused');
  await watch(db).run();
  await age(db, position, 23);
  await watch(db).run();
  expect(await noted(db)).toEqual([]);
  await age(db, position, 24);
  await Promise.all([watch(db).run(), watch(db).run()]);
  await watch(db).run();
  const all = [blocked.id, paused.id, stopped.id];
  expect(await noted(db)).toHaveLength(all.length);
  expect(new Set(await noted(db))).toEqual(new Set(all));

  await using outbox = startOutbox({
    db,
    send: smtpMail(smtp.url, 'millrace@example.com'),
    sendWebhook: alertWebhook({
      format: 'json',
      egress: createEgress({ allowCidrs: LOOPBACK }),
      url: operators.url,
      secrets: [secret],
      now: Date.now,
      userAgent: 'Millrace/test',
    }),
    pollMs: 1_000,
    log: pino({ level: 'silent' }),
  });
  outbox.hint();
  await until(
    async () => (await db.query('select from outbox where sent_at is null')).rowCount === 0,
  );
  expect(smtp.of('warning')).toHaveLength(2);
  const mail = smtp.mails.find(({ to }) => to[0] === 'ops@example.com');
  const named = mail?.headers['x-millrace-consumer']?.split(', ');
  expect(new Set(named)).toEqual(new Set([blocked.id, paused.id]));
  expect(mail?.text).toContain('2 consumers of "one" are about to lose events.');
  expect(mail?.text).toContain('24 days old; events are dropped after 30 days');
  expect(mail?.text).toContain('Nothing is lost yet.');
  const own = smtp.mails.find(({ to }) => to[0] === 'own@example.com');
  expect(own?.text).toContain('Consumer "stopped" is about to lose events: the oldest of 3');
  const kinds = operators.received.map(({ body }) => JSON.parse(body).alert.kind);
  expect(kinds).toEqual(['retention', 'retention', 'retention']);

  const note = 'The oldest of 3 waiting events is 24 days old; events are dropped after 30 days';
  for (const { id } of [blocked, paused, stopped])
    expect((await opened.read(id)).health.notes).toContain(note);
  const { data } = (await opened.api.request('GET', '/v1/consumers')).body;
  const warned = data.filter((one: { health: { notes: string[] } }) =>
    one.health.notes.includes(note),
  );
  expect(new Set(warned.map((one: { id: string }) => one.id))).toEqual(new Set(all));
  await db.query(`update consumers set deleted_at = now()`);
});

test('a warning ends when the consumer has passed the old events, and a later warning is a new one', async () => {
  const start = await opened.append('s');
  const { id } = await opened.create();
  const first = await opened.append('s', 4);
  await age(db, first, 25);
  await watch(db).run();
  expect(await told(id)).toBe(1);

  const next = await opened.append('s', 2);
  await opened.setCursor(id, `position = ${start}, ahead = '{${first},${first - 1}}'`);
  await watch(db).run();
  const { health } = await opened.read(id);
  expect(health.notes[0]).toMatch(/^The oldest of 4 waiting events is 25 days old;/u);
  await opened.setCursor(id, `position = ${first}, ahead = '{}'`);
  expect((await opened.read(id)).health.status).toBe('ok'); // before anyone has looked
  await age(db, next, 22); // it just keeps up: nobody wants to hear of it each hour
  await watch(db).run();
  await age(db, next, 24);
  await watch(db).run();
  expect(await told(id)).toBe(1);

  await opened.setCursor(id, `position = ${next}`);
  await watch(db).run();
  const last = await opened.append('s');
  await age(db, last, 24);
  await watch(db).run();
  expect(await told(id)).toBe(2);
  expect((await opened.read(id)).health.notes).toEqual([
    'The waiting event is 24 days old; events are dropped after 30 days',
  ]);
  await opened.setCursor(id, `position = ${last}`);
});

test('entries that are settled ahead, filtered out or before the one that an idle consumer wants do not count as old; after a seek backwards they are checked again', async () => {
  const start = await opened.append('s');
  const settled = await opened.create();
  const elsewhere = await opened.create({ collections: ['c:d'] });
  const idle = await opened.create();
  const end = await opened.append('s', 2);
  await age(db, end, 26);
  await opened.setCursor(settled.id, `ahead = '{${end},${end - 1}}'`);
  await db.query(`update tails set position = ${end} where stream = 'events'`);
  await opened.setCursor(idle.id, `indexed_epoch = (select epoch from leader), idle = true`);
  await opened.setCursor(elsewhere.id, `idle = false`);
  await watch(db).run();
  for (const { id } of [settled, elsewhere, idle]) expect(await told(id)).toBe(0);
  // As an edit and a seek would: the version counts, and the filter lets everything through.
  await db.query(
    `update filter_versions set collections = '{*}' where consumer_id = '${elsewhere.id}'`,
  );
  await db.query(`update consumers set version = version + 1 where id = '${elsewhere.id}'`);
  await opened.setCursor(elsewhere.id, `position = ${start}`);
  await watch(db).run();
  expect(await told(elsewhere.id)).toBe(1);
  await opened.setCursor(settled.id, `ahead = '{}', idle = false`);
  await db.query(`update consumers set version = version + 1 where id = '${settled.id}'`);
  await watch(db).run();
  expect(await told(settled.id)).toBe(1);
  await db.query(`update cursors set position = ${end}, ahead = '{}'`);
});

test('events behind a filter that rarely matches are checked part by part, and no part is checked twice', async () => {
  const [wide, few] = await Promise.all([
    opened.create({ syncs: Array.from({ length: 100 }, (_, n) => `rare-${n}`) }),
    opened.create({ syncs: ['common', 'rare-1'], collections: ['x:y'] }),
  ]);
  for (let part = 0; part < 3; part += 1) await opened.append('common', 4_000);
  const end = await opened.append('common');
  await age(db, end, 24);
  await watch(db).run();
  const clear = async (): Promise<number[]> => {
    const { rows } = await db.query<{ clear_to: number }>({
      text: 'select clear_to from aging where consumer_id = any ($1) and looked_at is not null',
      values: [[wide.id, few.id]],
    });
    return rows.map(({ clear_to }) => clear_to);
  };
  await until(async () => {
    await watch(db).run();
    return (await clear()).length === 2;
  });
  expect(await clear()).toEqual([end, end]);
  const rare = await opened.append('rare-7');
  await age(db, rare, 24);
  await watch(db).run();
  expect(await told(wide.id)).toBe(1);
  expect(await told(few.id)).toBe(0);
});
