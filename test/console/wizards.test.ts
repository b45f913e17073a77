import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import type { Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

import type { Target } from '../../src/schema/target.ts';
import { browserOfFile } from '../support/browser.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { until } from '../support/poll.ts';
import { openReceiver, type Received } from '../support/receiver.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const openTab = browserOfFile();
const site = siteOfFile();

test('the secret is shown before the first test, with code that verifies it; a single target is preselected, names are proposed, and at the end a sample arrives', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await page.goto(`${url}/targets`);
  await choose(page, 'Webhook endpoint');
  await page.getByRole('heading', { name: 'New target: Webhook endpoint' }).waitFor();
  const secret = await page.locator('[data-secret]').innerText();
  await page.getByText('How a receiver verifies').click();
  const code = new Map<string, string>();
  for (const language of ['Node', 'Python', 'Go']) {
    await page.getByRole('tab', { name: language }).click();
    code.set(language, (await page.getByLabel(`Verify in ${language}`).textContent()) ?? '');
  }
  await page.getByLabel('Base URL').fill(receiver.url);
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await page.getByText('delivered').waitFor();
  const [tested] = receiver.received;
  expect(await takes(code.get('Node') ?? '', secret, tested)).toContain('"test"');
  await expect(
    takes(code.get('Node') ?? '', secret.replace(/.{8}$/u, 'AAAAAAA='), tested),
  ).rejects.toThrow(/matching signature/u);
  expect(code.get('Python')).toContain('standardwebhooks.webhooks');
  expect(code.get('Go')).toContain('standard-webhooks/libraries/go');

  await page.getByRole('button', { name: 'Save target' }).click();
  await page.getByRole('heading', { name: 'Send your first webhook' }).waitFor();
  await expect.poll(() => page.locator('[data-secret]').innerText()).toBe(secret);
  const { data } = await cluster.request<{ data: Target[] }>('GET', '/v1/targets');
  expect(data.map(({ name }) => name)).toEqual([new URL(receiver.url).host]);

  await page.getByRole('link', { name: 'Consumers' }).click();
  await choose(page, 'Webhooks');
  await page.getByRole('heading', { name: '1. Select target' }).waitFor();
  await expect.poll(() => page.getByRole('radio').isChecked()).toBe(true);
  for (const step of [
    '2. Select syncs',
    '3. Select collections',
    '4. Select event types',
    '5. Select start position',
  ]) {
    await page.getByRole('button', { name: /^Next: select/u }).click();
    await page.getByRole('heading', { name: step }).waitFor();
  }
  await page.getByRole('button', { name: 'Next: save' }).click();
  const name = page.getByLabel('Name', { exact: true });
  await expect.poll(() => name.inputValue()).toBe(`Events to ${new URL(receiver.url).host}`);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'Send a sample…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('table', { name: 'deliveries' }).getByText('delivered').waitFor();
  await until(() => receiver.received.length === 2);
  const [, sample] = receiver.received;
  const headers = sample?.headers as Record<string, string>;
  expect(new Webhook(secret).verify(sample?.body ?? '', headers)).toHaveProperty('event');
});

test('a consumer may start at a point in time, in the zone of the browser; a name that was emptied is not filled in again', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  const { target_id } = await cluster.consumer(receiver.url, { name: 'Another' });
  const since = new Date(Date.now() - 60_000);
  const event = { sync_id: 'since', collection_id: 'a:b', event: 'created', data: {} };
  await cluster.request('POST', '/v1/events', { events: [{ ...event, upstream_id: 'kept' }] });
  await using tab = await openTab({ timezoneId: 'Asia/Kathmandu' });
  const { page, context } = tab;
  await signIn(context);
  await page.goto(`${url}/consumers/new?target=${target_id}&step=5`);
  await page.getByRole('radio', { name: /A point in time/u }).check();
  const time = page.getByLabel('Time, in your time zone');
  await expect.poll(() => time.inputValue()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d$/u);
  const there = new Date(since.getTime() + (5 * 60 + 45) * 60_000).toISOString().slice(0, 16);
  await time.fill(there);
  await page.getByRole('button', { name: 'Next: save' }).click();
  await page.getByRole('definition').getByText(there.replace('T', ' ')).waitFor();
  const name = page.getByLabel('Name', { exact: true });
  await name.fill('');
  await expect.poll(() => name.inputValue()).toBe('');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Fill in a name for the consumer.').waitFor();
  await name.fill('Since then');
  const before = receiver.received.length;
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  await until(() => receiver.received.slice(before).some(({ body }) => body.includes('"kept"')));
});

/** Adds something new by the menu of the page. */
async function choose(page: Page, what: string): Promise<void> {
  await page.getByRole('button', { name: 'Add new' }).first().click();
  await page.getByRole('menuitem', { name: what, exact: true }).click();
}

/** What the code for Node says of a webhook that was received; rejects where it refuses it. */
async function takes(code: string, secret: string, got: Received | undefined): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-snippet-'));
  try {
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const given = `${JSON.stringify(got?.body)}, ${JSON.stringify(got?.headers)}`;
    const file = join(folder, 'receive.mjs');
    await writeFile(file, `${code}\nconsole.log(JSON.stringify(receive(${given})));\n`);
    const env = { ...process.env, SIGNING_SECRET: secret };
    return (await run(process.execPath, [file], { env })).stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}
