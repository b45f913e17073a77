// a page that can't be drawn
import { expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { serve } from '../support/serve.ts';

const openTab = browserOfFile();
const LIST = /\/v1\/consumers(?:\?|$)/u;

test('a page that fails while it is drawn says so and offers a way out, the navigation stays, and a reload brings it back', async () => {
  await using opened = await openConsumersApi();
  await opened.create({ name: 'Orders' });
  await using site = await serve(opened.api);
  await using tab = await openTab({ expected: [/Cannot read properties of null/u] });
  const { page, context } = tab;
  await site.signIn(context);
  await page.route(LIST, (route) => route.fulfill({ json: { data: [null], next_cursor: null } }));
  await page.goto(`${site.url}/consumers`);
  await page.getByRole('heading', { name: 'This page could not be shown' }).waitFor();
  await page.getByRole('alert').getByText('Cannot read properties of null').waitFor();
  await page.getByRole('link', { name: 'Targets' }).click();
  await page.getByRole('heading', { level: 1, name: 'Targets' }).waitFor();

  await page.goBack();
  await page.getByRole('heading', { name: 'This page could not be shown' }).waitFor();
  await page.unroute(LIST);
  await page.getByRole('button', { name: 'Reload' }).click();
  await page.getByRole('row').filter({ hasText: 'Orders' }).waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
});
