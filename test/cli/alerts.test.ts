// what people see of alerts and of a test alert: in the shell and in the console's settings
import { expect, test } from 'vitest';

import { smtpMail } from '../../src/alerts/mail.ts';
import { startTestSender } from '../../src/alerts/testSender.ts';
import { createListener } from '../../src/db/listener.ts';
import { openAlertDesk } from '../support/alertDesk.ts';
import { KEY } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { runCli } from '../support/cli.ts';
import { openMailServer } from '../support/mailServer.ts';
import { serve } from '../support/serve.ts';
import { silent } from '../support/streams.ts';

const openTab = browserOfFile();

test('alerts are listed with their texts, and a test alert shows its outcome, in the shell and in the console', async () => {
  await using smtp = await openMailServer();
  await using desk = await openAlertDesk();
  const { api, databaseUrl } = desk.opened;
  await using served = await serve(api);
  const env = { MILLRACE_URL: served.url, MILLRACE_API_KEY: KEY };
  const { id } = await desk.opened.create({ name: 'orders' });
  await desk.lifecycle.stop(id, new Date('2026-11-23T11:52:00Z'), 'gone');

  const listed = await runCli(['alerts'], env);
  expect(listed.stdout).toMatch(/^AT +KIND +ABOUT +MAIL +REASON$/mu);
  expect(listed.stdout).toMatch(
    /^2026-11-23T11:52:00Z +gone +orders +waiting +the endpoint answered 410 Gone$/mu,
  );

  await using listener = createListener({ url: databaseUrl, log: silent });
  await using _ = startTestSender({
    db: api.db,
    listener,
    send: smtpMail(smtp.url, 'millrace@example.com'),
    sendWebhook: null,
    alertEmails: ['ops@example.com'],
    publicUrl: 'https://millrace.example.com',
    holder: 'host/1',
    pollMs: 1_000,
    log: silent,
  });
  const tested = await runCli(['alerts', 'test'], env);
  expect(tested.code).toBe(0);
  expect(tested.stdout).toContain('accepted, to ops@example.com');
  expect(tested.stdout).toContain('MILLRACE_ALERT_WEBHOOK is not set for the workers.');
  const refused = await runCli(['alerts', 'test', '--to', 'refuse@example.com'], env);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toContain('no such mailbox');
  const wrong = await runCli(['alerts', 'test', '--to', 'nobody'], env);
  expect([wrong.code, wrong.stdout]).toEqual([1, '']);
  expect(wrong.stderr).toContain('--to');

  await using tab = await openTab();
  const { page } = tab;
  await served.signIn(tab.context);
  await page.goto(`${served.url}/settings`);
  await page.getByLabel('Mail the test to').fill('me@example.com');
  await page.getByRole('button', { name: 'Send test alert' }).click();
  const result = page.getByRole('status').filter({ hasText: 'me@example.com' });
  await result.getByText('accepted').waitFor();
  await result.getByText('MILLRACE_ALERT_WEBHOOK is not set').waitFor();
  expect(smtp.mails.map(({ to }) => to)).toEqual([['ops@example.com'], ['me@example.com']]);
});
