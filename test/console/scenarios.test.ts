// how many acts it takes a person to get something done in the console
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Locator, Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { SHORT_WINDOW } from '../support/consoleScene.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type Received } from '../support/receiver.ts';

const openTab = browserOfFile();
const site = siteOfFile(SHORT_WINDOW);

/** Does what a person does, and counts: each click and each field that is filled in. */
function counting() {
  let count = 0;
  return {
    click: async (what: Locator) => {
      await what.click();
      count += 1;
    },
    fill: async (field: Locator, text: string) => {
      await field.fill(text);
      count += 1;
    },
    /** Follows a link from outside of the console. */
    follow: async (page: Page, link: string) => {
      await openPage(page, link);
      count += 1;
    },
    get count() {
      return count;
    },
  };
}

test('from the empty console to a first webhook that your own endpoint verifies takes at most 8 actions', async () => {
  const { url, signIn } = site();
  await using receiver = await openReceiver();
  await using tab = await openTab();
  const { page, context } = tab;
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(context);
  await openPage(page, url);
  const acts = counting();
  await acts.click(page.getByRole('link', { name: 'My own endpoint' }));
  await acts.fill(page.getByLabel('Base URL'), receiver.url);
  const copied = page.getByText('Copied').waitFor(); // it says so for two seconds only
  await Promise.all([copied, acts.click(page.getByRole('button', { name: 'Copy the secret' }))]);
  const secret = String(await page.evaluate('navigator.clipboard.readText()'));
  await acts.click(page.getByRole('button', { name: 'Save target' }));
  await acts.click(page.getByRole('button', { name: /^Send every event to 127\.0\.0\.1/u }));
  await acts.click(page.getByRole('button', { name: 'Send a sample', exact: true }));
  await until(() => receiver.received.length === 1);
  expect(verified(secret, receiver.received[0])).toHaveProperty('event.upstream_id', 'cus_1');
  await page.getByRole('status').getByText('delivered').waitFor();
  await page.getByRole('link', { name: 'Verify the signature' }).waitFor();
  expect(await page.getByRole('link', { name: 'Open the receiver' }).count()).toBe(0);
  expect(await page.getByText('appears here automatically').count()).toBe(0);
  await page.getByRole('button', { name: 'Send a change of it' }).click();
  await until(() => receiver.received.length === 2);
  const changed = verified(secret, receiver.received[1]);
  expect(changed).toHaveProperty('event.event', 'updated');
  expect(changed).toHaveProperty('event.changes.plan', 'free');
  process.stderr.write(`to the first webhook: ${acts.count} acts\n`);
  expect(acts.count).toBeLessThanOrEqual(8);
});

test('in the form of six steps a further webhook takes at most 8 actions as well, if unchanged steps are skipped', async () => {
  const { url, signIn } = site();
  await using receiver = await openReceiver();
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await openPage(page, `${url}/targets/new`);
  const acts = counting();
  await acts.fill(page.getByLabel('Base URL'), receiver.url);
  await acts.click(page.getByRole('button', { name: 'Save target' }));
  await acts.click(page.getByRole('link', { name: 'Next: add webhooks' }));
  await acts.click(page.getByRole('button', { name: 'Skip to save' }));
  await page.getByRole('heading', { name: '6. Save' }).waitFor();
  await acts.click(page.getByRole('button', { name: 'Save', exact: true }));
  await acts.click(page.getByRole('button', { name: 'Send a sample…' }));
  await acts.click(page.getByRole('dialog').getByRole('button', { name: 'Send', exact: true }));
  await until(() => receiver.received.length === 1);
  process.stderr.write(`to a further webhook: ${acts.count} acts\n`);
  expect(acts.count).toBeLessThanOrEqual(8);
});

test.each([1280, 400])(
  'from the mail about a stopped consumer to its next delivery takes at most 3 clicks on a screen of %i px, each of them in sight',
  async (width) => {
    const { url, signIn, cluster } = site();
    await using receiver = await openReceiver(answer(503));
    const { id } = await cluster.consumer(receiver.url, { name: `At night ${width}` });
    const one = { sync_id: 's', collection_id: 'a:b', upstream_id: 'night', event: 'created' };
    await cluster.request('POST', '/v1/events', { events: [{ ...one, data: {} }] });
    await until(async () => (await cluster.get(id)).status === 'stopped');
    const link = await until(() => linkOfMail(cluster.env['MILLRACE_DATA_DIR'] ?? '', id));
    expect(link).toBe(`${url}/consumers/${id}`);
    receiver.respond = accept; // someone has mended the endpoint
    const before = receiver.received.length;

    await using tab = await openTab({ viewport: { width, height: 800 } });
    const { page, context } = tab;
    await signIn(context);
    const acts = counting();
    await acts.follow(page, link);
    const resume = page
      .getByRole('region', { name: 'Why it does not send' })
      .getByRole('button', { name: 'Resume' });
    await resume.waitFor();
    const box = await resume.boundingBox();
    expect((box?.y ?? NaN) + (box?.height ?? NaN)).toBeLessThan(800);
    await acts.click(resume);
    await acts.click(page.getByRole('dialog').getByRole('button', { name: 'Resume' }));
    await page.getByRole('heading', { level: 1 }).getByText('active').waitFor();
    await until(() => receiver.received.slice(before).some(({ body }) => body.includes('"night"')));
    process.stderr.write(`from the mail to sending again, ${width} px: ${acts.count} clicks\n`);
    expect(acts.count).toBeLessThanOrEqual(3);
  },
);

/** The body of a webhook, verified as a receiver does; throws when the signature does not fit. */
function verified(secret: string, got: Received | undefined): unknown {
  return new Webhook(secret).verify(got?.body ?? '', got?.headers as Record<string, string>);
}

/** The link of the mail that says that the consumer has stopped; null while there is none. */
async function linkOfMail(dataDir: string, consumerId: string): Promise<string | null> {
  const folder = join(dataDir, 'outbox');
  const files = await readdir(folder).catch(() => []); // it is created with the first mail
  for (const file of files.filter((name) => name.endsWith('.eml'))) {
    const raw = await readFile(join(folder, file), 'utf8');
    const mail = raw.replaceAll(/=\r?\n/gu, '').replaceAll('=3D', '='); // quoted-printable, RFC 2045 6.7
    const isAbout = /^X-Millrace-Alert: stopped$/mu.test(mail) && mail.includes(consumerId);
    if (isAbout) return /https?:\/\/\S+\/consumers\/[\da-f-]{36}/u.exec(mail)?.[0] ?? null;
  }
  return null;
}
