import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import type { CommandRequest } from '../../src/rules/command.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const FAILURE = { code: 'HTTP_5XX', status: 503, detail: 'HTTP 503', at: '2026-11-24T12:00:00Z' };
/** The consumers of a target by name, and how many entries wait for each. */
const WAITING = { orders: 45, returns: 15, stock: 45 };
/** What a command makes of a consumer. */
const BECOMES: Record<string, string> = { pause: 'paused', resume: 'active' };

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let target: string;
const ids: Record<string, string> = {};

beforeAll(async () => {
  opened = await openConsumersApi({ commands: { give: take } });
  site = await serve(opened.api);
  const made = await opened.api.request('POST', '/v1/targets', {
    name: 'Warehouse Accra',
    base_url: 'https://accra.example.com/webhooks',
  });
  target = made.body.id;
  for (const [name, entries] of Object.entries(WAITING)) {
    const path = `/${name}?key=hidden`;
    ids[name] = (await opened.create({ name, target_id: target, path, syncs: [name] })).id;
    await opened.append(name, entries);
  }
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms,
                           outcome, status, error_code, response_head, stored_at)
     values ($1, $2, 1, 'm', 1, now(), 7, 'failed', 503, 'HTTP_5XX', $3, now())`,
    [newId(), ids['stock'], 'Closed for\n<b>stock-taking</b>'],
  );
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** Does in the place of Temporal what a command does to the status. */
async function take(id: string, { command }: CommandRequest) {
  const status = BECOMES[command.kind];
  if (status !== undefined) {
    await sql('update consumers set status = $2, failing_since = null where id = $1', [id, status]);
  }
  return { ok: true, version: 2 } as const;
}

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function stopAll(): Promise<void> {
  for (const id of Object.values(ids)) {
    await opened.setCursor(id, `last_failure = '${JSON.stringify(FAILURE)}'`);
  }
  await sql(
    `update consumers set status = 'stopped', failing_since = '2026-11-23T12:00:00Z',
            status_reason = 'the endpoint failed for the whole retry window' where target_id = $1`,
    [target],
  );
}

async function openAt(
  path: string,
  {
    width = 1280,
    height = 800,
    isAlone = false,
  }: { width?: number; height?: number; isAlone?: boolean } = {},
) {
  const tab = await openTab({ viewport: { width, height }, isAlone });
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}${path}`);
  return { tab, page: tab.page };
}

const health = (page: Page) =>
  page.locator('section').filter({ has: page.getByRole('heading', { name: 'Health' }) });

test('while consumers are stopped the health of their target says what waits for each, that nothing is lost and what was answered, and has Resume all as its main button, far from the test', async () => {
  await stopAll();
  const { tab, page } = await openAt(`/targets/${target}`, { width: 400 });
  await using _ = tab;
  const box = health(page);
  await box.getByText('105 entries wait: 45, 15 and 45. Nothing is lost.').waitFor();
  await box.getByText('Last answer: HTTP 503').waitFor();
  await box.getByText('Closed for <b>stock-taking</b>', { exact: true }).waitFor();
  const resume = page.getByRole('button', { name: 'Resume all' });
  await expect.poll(() => box.getByRole('button').all()).toHaveLength(1);
  await expect.poll(() => resume.getAttribute('class')).toContain('bg-accent');
  const at = (await resume.boundingBox())!;
  const send = (await page.getByRole('button', { name: 'Send test webhook' }).boundingBox())!;
  expect(at.y - (send.y + send.height)).toBeGreaterThan(80);
});

test('Resume all says how many entries will be sent, in which order and in which window, and afterwards, until it is closed, what is being sent', async () => {
  await stopAll();
  const { tab, page } = await openAt(`/targets/${target}`, { isAlone: true });
  await using _ = tab;
  await page.getByRole('button', { name: 'Resume all' }).click();
  const dialog = page.getByRole('dialog', { name: 'Resume 3 consumers of Warehouse Accra?' });
  const said =
    '105 entries will be sent: 45, 15 and 45. Each continues in order from where it stopped';
  await dialog.getByText(/^105 entries will be sent: /u).waitFor();
  const text = await dialog.innerText();
  expect(text).toMatch(/105 entries will be sent: (?:45|15)(?:, | and )(?:45|15) and (?:45|15)\./u);
  expect(text).toContain(said.slice(said.indexOf('Each')));
  expect(text).toContain('with a new retry window of 24 hours.');
  await page.clock.install();
  await dialog.getByRole('button', { name: 'Resume 3 consumers' }).click();
  const note = page.getByText('3 consumers resumed; 105 entries are being sent.');
  await note.waitFor();
  await page.clock.runFor(60_000);
  await expect.poll(() => note.isVisible()).toBe(true);
  await page
    .getByText('All 3 of its consumers are sending. 105 entries wait: 45, 15 and 45.')
    .waitFor();
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await note.waitFor({ state: 'detached' });
});

test('where consumers have paths the page says which address a test is sent to, without what may be secret', async () => {
  const { tab, page } = await openAt(`/targets/${target}`);
  await using _ = tab;
  const said = page.getByText(/^A test is sent to /u);
  await said.waitFor();
  await expect
    .poll(() => said.innerText())
    .toBe(
      'A test is sent to https://accra.example.com/webhooks itself; its consumers send to /orders, /returns, /stock below it.',
    );
});

test.each([1280, 400])(
  'confirming Pause and Resume at %i pixels leaves the page where it is',
  async (width) => {
    await sql(`update consumers set status = 'active', status_reason = null`);
    const { tab, page } = await openAt(`/consumers/${ids['orders']}`, { width, height: 500 });
    await using _ = tab;
    const top = (): Promise<unknown> => page.evaluate('scrollY');
    await page.evaluate('scrollTo(0, 60)');
    await expect.poll(top).toBe(60);
    for (const [verb, next] of [
      ['Pause', 'Resume'],
      ['Resume', 'Pause'],
    ] as const) {
      await page.getByRole('button', { name: verb, exact: true }).click();
      const before = await top();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: verb, exact: true }).click();
      await dialog.waitFor({ state: 'detached' });
      await page.getByRole('button', { name: next, exact: true }).waitFor();
      expect(await top(), verb).toBe(before);
    }
  },
);
