import { expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openScene, SHORT_WINDOW } from '../support/consoleScene.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { until } from '../support/poll.ts';
import { accept } from '../support/receiver.ts';

const openTab = browserOfFile();
const site = siteOfFile(SHORT_WINDOW);

test('dead letters are found by their failure, can be read in full, and are replayed after their exact number was shown', async () => {
  const { url, signIn, cluster } = site();
  await using scene = await openScene(cluster);
  const { refused, receiver } = scene;
  const letters = async (): Promise<number> => {
    const path = `/v1/consumers/${refused.id}/dead-letters`;
    return (await cluster.request<{ data: unknown[] }>('GET', path)).data.length;
  };
  await until(async () => (await letters()) === 2, {
    timeoutMs: 60_000,
    what: 'both versions of the record die',
  });
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);

  await page.goto(`${url}/dead-letters`);
  await page.getByRole('link', { name: refused.name }).waitFor(); // its alert told of it
  await page.getByRole('combobox', { name: 'Consumer' }).click();
  await page.keyboard.type('Refuses');
  await page.getByRole('option', { name: refused.name }).click();
  await page.getByRole('button', { name: /HTTP_4XX 422/u }).click();
  await page.waitForURL(/consumer=[0-9a-f-]+&code=HTTP_4XX&status=422$/u);

  await page
    .getByRole('button', { name: /^r-\d+$/u })
    .first()
    .click();
  const drawer = page.getByRole('dialog');
  await drawer.getByLabel('The whole body').getByText('"poison"').waitFor();
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });

  await page.getByRole('checkbox').first().check();
  await page.getByRole('button', { name: 'Delete 1 selected…' }).click();
  await page.getByRole('button', { name: 'Delete 1 dead letter', exact: true }).click();
  await page.getByText('1 dead letter deleted').waitFor();
  expect(await letters()).toBe(1);

  receiver.respond = accept;
  const before = receiver.received.length;
  await page.getByRole('button', { name: 'Replay all 1 dead letter…' }).click();
  await page.getByRole('dialog', { name: 'Replay 1 dead letter?' }).waitFor();
  expect(receiver.received.slice(before).some(isPoison)).toBe(false);
  await page.getByRole('button', { name: 'Replay 1 dead letter', exact: true }).click();
  await page.getByText('1 dead letter queued for replay').waitFor();
  await until(() => receiver.received.slice(before).some(isPoison), { what: 'it arrives' });
  await page.getByText('No dead letters match').waitFor();
});

function isPoison({ path, body }: { path: string; body: string }): boolean {
  return path.endsWith('/refused') && body.includes('poison');
}
