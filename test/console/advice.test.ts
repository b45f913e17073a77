import { expect, test } from 'vitest';

import { adviceOf } from '../../src/console/attempts/advice.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';

const openTab = browserOfFile();
const site = siteOfFile();

test.each([
  [
    'https://example.com/hook',
    'No connection to example.com:443 is accepted. Is your endpoint running on that port?',
  ],
  [
    'http://example.com:8080/',
    'No connection to example.com:8080 is accepted. Is your endpoint running on that port?',
  ],
  [
    'http://localhost/hook',
    'No connection to localhost:80 is accepted. Is your endpoint running on that port, on the machine where Millrace runs?',
  ],
  [
    'http://[::1]:4801',
    'No connection to [::1]:4801 is accepted. Is your endpoint running on that port, on the machine where Millrace runs?',
  ],
])('a connection that is refused names the host and the port of %s', (url, says) => {
  expect(adviceOf({ code: 'CONNECTION_REFUSED', status: null }, url)).toBe(says);
});

test('advice is given only where no connection came about, or where there was nothing to send', () => {
  const url = 'https://example.com';
  expect(adviceOf({ code: 'DNS_FAILED', status: null }, url)).toBe(
    'The host name example.com was not found. Is it spelt correctly?',
  );
  expect(adviceOf({ code: 'BODY_FAILED', status: null }, '')).toMatch(/expression of the body/u);
  expect(adviceOf({ code: 'HTTP_5XX', status: 503 }, url)).toBeNull();
  expect(adviceOf({ code: 'TIMEOUT', status: null }, url)).toBeNull();
  expect(adviceOf({ code: null, status: null }, url)).toBeNull();
  expect(adviceOf({ code: 'CONNECTION_REFUSED', status: null }, '')).toBeNull();
});

test('where an endpoint does not run, a test webhook, the consumer, its delivery and the target name its host and port, and ask whether it runs', async () => {
  const { url, signIn, cluster } = site();
  const { url: nowhere } = await closedEndpoint();
  const port = new URL(nowhere).port;
  const says = `No connection to 127.0.0.1:${port} is accepted. Is your endpoint running on that port, on the machine where Millrace runs?`;
  const { id, target_id } = await cluster.consumer(nowhere, { name: 'Nobody there' });
  const event = {
    sync_id: 's',
    collection_id: 'a:b',
    upstream_id: 'r-1',
    event: 'created',
    data: {},
  };
  await cluster.request('POST', '/v1/events', { events: [event] });
  await until(async () => (await cluster.get(id)).status === 'blocked');

  await using tab = await openTab({ viewport: { width: 400, height: 800 } });
  const { page, context } = tab;
  await signIn(context);
  await openPage(page, `${url}/consumers/${id}`);
  const band = page.getByRole('region', { name: 'Why it does not send' });
  await band.getByText(says).waitFor();
  await page.getByRole('button', { name: 'r-1' }).first().click();
  await page.getByRole('dialog').getByText(says).waitFor();
  await page.keyboard.press('Escape');

  await openPage(page, `${url}/targets/${target_id}`);
  await page.getByText(says).waitFor();
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  const tested = page.getByRole('status').filter({ hasText: 'connection refused' });
  await tested.getByText(says).waitFor();
  expect(await page.getByText(says).count()).toBe(2); // the last failure says so as well
});

/** An address at which nothing listens any more. */
async function closedEndpoint(): Promise<{ url: string }> {
  await using receiver = await openReceiver();
  return { url: receiver.url };
}
