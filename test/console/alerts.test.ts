import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { createSourceWatch } from '../../src/alerts/sourceWatch.ts';
import { ALERT_OPTIONS } from '../support/alertDesk.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';
import { addSource } from '../support/sourceRow.ts';
import { silent } from '../support/streams.ts';

const WARNING = '<warning.1@millrace>';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
const ids: string[] = [];

beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
  for (const name of ['Orders', 'Stock', 'Returns'])
    ids.push((await opened.create({ name })).id as string);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});
/** A warning of all three in one mail, which was not needed any more, as one of them had stopped; that mail was sent. */
beforeEach(async () => {
  await sql('delete from alerts', []);
  for (const [n, id] of ids.entries()) await alert(id, 'warning', n + 2, WARNING);
  await alert(ids[1] ?? '', 'stopped', 1, '<stopped>');
  await mail('warning', WARNING, { names: 3, droppedMinutes: 0 });
  await mail('stopped', '<stopped>', { names: 1, sentMinutes: 0 });
});

async function sql(text: string, values: unknown[]): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function alert(id: string, kind: string, minutes: number, mailId: string): Promise<void> {
  const name = ['Orders', 'Stock', 'Returns'][ids.indexOf(id)] ?? '';
  await sql(
    `insert into alerts (id, consumer_id, kind, detail, at, message_id)
     values ($1, $2, $3, $4, now() - $5 * interval '1 min', $6)`,
    [
      randomUUID(),
      id,
      kind,
      JSON.stringify({
        consumer_id: id,
        name,
        reason: `${name} answered 503`,
        target: 'Accra',
        endpoint: 'https://a.test/',
        failing_since: null,
        last_failure: null,
        position: 4,
        waiting: 9,
        url: `https://m.test/consumers/${id}`,
      }),
      minutes,
      mailId,
    ],
  );
}

async function mail(
  kind: string,
  messageId: string,
  state: { names: number; droppedMinutes?: number; sentMinutes?: number },
): Promise<void> {
  const { names, droppedMinutes = null, sentMinutes = null } = state;
  await sql(
    `insert into outbox (id, message_id, alert_id, recipients, subject, body, headers, created_at, next_try_at,
                         kind, items, dropped_at, given_up_at, sent_at)
     select $1, $2, id, '{night@example.com}', '', '', '{}', now(), now(), $3,
            (select json_agg(n) from generate_series(1, $4::int) n), now() - $5::int * interval '1 min',
            now() - $5::int * interval '1 min', now() - $6::int * interval '1 min'
       from alerts where message_id = $2 limit 1`,
    [randomUUID(), messageId, kind, names, droppedMinutes, sentMinutes],
  );
}

async function openAlerts(width: number) {
  const tab = await openTab({ viewport: { width, height: 800 } });
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}/alerts`);
  await tab.page.getByRole('table', { name: 'alerts' }).waitFor();
  return tab;
}

test('on a phone each alert says what it is about and whether its mail was sent', async () => {
  await using tab = await openAlerts(400);
  const columns = await tab.page.getByRole('columnheader').allInnerTexts();
  expect(columns).toEqual(['Time', 'About']); // with more, names of consumers and states of mails would be broken
  const rows = tab.page.getByRole('row');
  const stopped = await rows.filter({ hasText: 'stopped' }).innerText();
  for (const text of ['Stock', 'Stock answered 503', 'Mail:', 'sent', ' ago'])
    expect(stopped).toContain(text);
  const warned = await rows.filter({ hasText: 'Orders answered 503' }).innerText();
  expect(warned).toContain('not needed');
  expect(await tab.page.evaluate('document.documentElement.scrollWidth')).toBe(400);
});

test('an alert says why its mail was not sent, to whom it was addressed, and with how many others', async () => {
  await using tab = await openAlerts(1280);
  const drawer = tab.page.getByRole('dialog');
  const said = async (row: string): Promise<string> => {
    await tab.page.getByText(row).click();
    await drawer.getByText('Message-ID').waitFor();
    const text = await drawer.innerText();
    await tab.page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    return text;
  };
  const [, stock = ''] = ids;
  const texts = await tab.page.getByText('Stock answered 503').count();
  expect(texts).toBe(2); // its warning and its stop
  const orders = await said('Orders answered 503');
  expect(orders).toContain('the consumer was no longer failing by then, or was paused.');
  expect(orders).toContain('with 2 others');
  expect(orders).toContain('night@example.com');
  await openPage(tab.page, `${site.url}/alerts?consumer=${stock}&kind=warning`);
  await expect
    .poll(() => said('Stock answered 503'))
    .toContain('the consumer had stopped by then, which has a mail of its own.');
});

test('an alert about a source is listed by its name, says what the mail says, and leads to the source', async () => {
  const { db } = opened.api;
  const id = await addSource(db, 'Shop', {
    status: "'failed'",
    status_reason: "'Wrong password.'",
  });
  const watch = createSourceWatch({ ...ALERT_OPTIONS, db, log: silent });
  await watch();
  await using tab = await openAlerts(1280);
  const row = tab.page.getByRole('row').filter({ hasText: 'source-failed' });
  await expect.poll(() => row.innerText()).toContain('Wrong password');
  await expect
    .poll(() => row.getByRole('link', { name: 'Shop' }).getAttribute('href'))
    .toBe(`/sources/${id}`);
  await row.getByRole('button', { name: 'Open: source-failed' }).click();
  const drawer = tab.page.getByRole('dialog');
  await drawer.getByText('Source "Shop" has failed: Wrong password.').first().waitFor();
  await drawer.getByRole('link', { name: 'Open the source' }).click();
  await tab.page.waitForURL(`${site.url}/sources/${id}`);
  await tab.page.getByRole('heading', { name: 'Shop' }).waitFor();
  await tab.page.getByRole('link', { name: 'Its alerts' }).click();
  await tab.page.waitForURL(`${site.url}/alerts?source=${id}`);
  const buttons = tab.page.getByRole('button', { name: /^Open: / });
  await expect.poll(() => buttons.count()).toBe(1);
  const field = tab.page.getByRole('combobox', { name: 'Source' });
  await expect.poll(() => field.inputValue()).toBe('Shop');
  await tab.page.getByRole('combobox', { name: 'Consumer' }).click();
  await tab.page.getByRole('option', { name: 'Orders' }).click();
  await tab.page.waitForURL(`${site.url}/alerts?consumer=${ids[0]}`);
  await expect.poll(() => field.inputValue()).toBe('');
  await expect.poll(() => buttons.count()).toBe(1);
  await tab.page.getByRole('button', { name: 'Clear' }).click();
  await expect.poll(() => buttons.count()).toBe(5);
  await db.query('delete from sources');
});

test('a tap on a time shows when that was, and opens nothing', async () => {
  await using tab = await openTab({
    viewport: { width: 400, height: 800 },
    hasTouch: true,
    isMobile: true,
  });
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}/alerts`);
  const row = tab.page.getByRole('row').filter({ hasText: 'Orders answered 503' });
  await row.locator('time').first().tap();
  const shown = tab.page.getByRole('tooltip');
  await shown.getByText(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/u).waitFor();
  expect(await tab.page.getByRole('dialog').count()).toBe(0);
  await tab.page.getByRole('heading', { name: 'Alerts' }).tap();
  await shown.waitFor({ state: 'detached' });
  await row.getByRole('button', { name: 'Open: warning' }).tap();
  await tab.page.getByRole('dialog').waitFor();
});

test('a key that only reads sees how many people a mail was addressed to, and no addresses', async () => {
  const answer = await opened.api.request('POST', '/v1/api-keys', {
    name: 'reader',
    scopes: ['read'],
  });
  const read = await opened.api.app.request('/v1/alerts', {
    headers: { authorization: `Bearer ${answer.body.key}` },
  });
  const { data } = (await read.json()) as { data: { mail: { to: unknown; recipients: number } }[] };
  expect(data.map(({ mail: { to, recipients } }) => [to, recipients])).toEqual(
    data.map(() => [null, 1]),
  );
  expect(data).toHaveLength(4);
});
