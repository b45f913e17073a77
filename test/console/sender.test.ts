import { expect, test } from 'vitest';

import { openOwnApp } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { serve } from '../support/serve.ts';

const openTab = browserOfFile();

test("a consumer's page says which lane of which process visits it, and when it has no sender", async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const target = await api.request('POST', '/v1/targets', {
    name: 'endpoint',
    base_url: 'http://127.0.0.1:9',
  });
  const { body: consumer } = await api.request('POST', '/v1/consumers', {
    name: 'Orders',
    target_id: target.body.id,
    stream: 'events',
  });
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await page.goto(`${site.url}/consumers/${consumer.id}`);
  const figure = page.locator('dl > div').filter({ hasText: 'Sender' });
  await expect.poll(() => figure.allInnerTexts()).toEqual([expect.stringMatching(/none/u)]);
  await api.db.query(`
    insert into visit_lanes (id, region, lease_until) values ('host/1/ab/lane-2.1', 'us-west-2', clock_timestamp() + interval '1 minute');
    update cursors set holder = 'host/1/ab/lane-2.1', visited = true, lease_until = null`);
  await expect
    .poll(() => figure.allInnerTexts(), { timeout: 15_000 })
    .toEqual([expect.stringMatching(/lane 2 of visits\s+host\/1\/ab/u)]);
});
