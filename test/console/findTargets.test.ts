// targets are found among more of them than a page of the list has
import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const MANY = 210;
const OLDEST = 'Oldest of Accra';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let oldest: string;
beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
  const target = { name: OLDEST, base_url: 'https://accra.example.com/hooks' };
  oldest = (await opened.api.request('POST', '/v1/targets', target)).body.id;
  for (let n = 0; n < MANY; n += 1) {
    await opened.api.request('POST', '/v1/targets', {
      name: `Target ${n}`,
      base_url: `https://example.com/${n}`,
    });
  }
}, 120_000);
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

test('a target beyond the first page is found by its name or URL, and the search is a link', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/targets`);
  await page.getByRole('link', { name: `Target ${MANY - 1}` }).waitFor();
  const table = page.getByRole('table', { name: 'targets' });
  for (const text of ['accra', 'accra.EXAMPLE.com', oldest.slice(0, 30)]) {
    await page.getByRole('searchbox', { name: 'Search names and URLs' }).fill(text);
    await page.waitForURL(({ searchParams }) => searchParams.get('q') === text);
    await table.getByRole('link', { name: OLDEST }).waitFor();
    await expect.poll(() => table.getByRole('link').count()).toBe(1);
  }
  await page.reload();
  await table.getByRole('link', { name: OLDEST }).waitFor();
  await page.getByRole('searchbox', { name: 'Search names and URLs' }).fill('no such target');
  await page.getByText('No targets match').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.getByRole('link', { name: `Target ${MANY - 1}` }).waitFor();
});

test('the wizard finds a target beyond the first page, and shows the one that a link has chosen', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/consumers/new`);
  const found = page.getByRole('radio', { name: OLDEST });
  await page.getByRole('radio', { name: `Target ${MANY - 1}` }).waitFor();
  expect(await found.count()).toBe(0);
  const field = page.getByRole('textbox', { name: 'Search targets' });
  await field.fill('no such target');
  await page.getByText('No target matches.').waitFor();
  await field.fill('accra.example.com');
  await found.check();
  await field.fill('');
  await page.getByRole('radio', { name: `Target ${MANY - 1}` }).waitFor();
  await expect.poll(() => found.isChecked()).toBe(true);
  await expect.poll(() => page.getByRole('radio', { checked: true }).count()).toBe(1);

  await openPage(page, `${site.url}/consumers/new?target=${oldest}`);
  await found.waitFor();
  await expect.poll(() => found.isChecked()).toBe(true);
});
