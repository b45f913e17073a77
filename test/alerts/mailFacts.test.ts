import { expect, test } from 'vitest';

import type { AlertItem } from '../../src/alerts/alertItem.ts';
import { mailHtml, mailText, slackText } from '../../src/alerts/alertText.ts';
import { cursorOf } from '../../src/streams/cursor.ts';
import { openAlertDesk } from '../support/alertDesk.ts';

test("a mail counts the waiting entries as the consumer's page does, and names the URL and the newest failure", async () => {
  await using desk = await openAlertDesk();
  const { opened, lifecycle } = desk;
  const start = await opened.append('other');
  const { id } = await opened.create({
    syncs: ['mine'],
    path: '/v2?token=hidden',
    start: { cursor: cursorOf('events', start) },
  });
  await opened.append('mine', 2);
  await opened.append('other', 5);
  await lifecycle.block(id, 'HTTP_5XX: HTTP 503', new Date('2026-11-23T11:52:00Z'));
  const failure = { code: 'HTTP_4XX', status: 401, detail: 'HTTP 401', at: '2026-11-23T12:50:00Z' };
  await opened.setCursor(id, `head = ${start + 1}, last_failure = '${JSON.stringify(failure)}'`);
  await lifecycle.warn(id, new Date('2026-11-23T12:52:00Z'));

  const { rows } = await opened.api.db.query<{ body: string }>('select body from outbox');
  const lines = rows[0]?.body.split('\n') ?? [];
  expect(lines[0]).toBe('Consumer "orders" is failing: HTTP_4XX: HTTP 401.');
  expect(lines).toContain('Endpoint:      https://example.com/hooks/v2');
  expect(lines).toContain(`Waiting:       2 entries, from position ${start + 1}. Nothing is lost.`);
  expect((await opened.read(id)).lag.entries).toBe(2);
  const [alert] = await desk.alerts(id, 'warning');
  expect(alert?.detail).toMatchObject({ waiting: 2, waiting_exact: true });

  await opened.setCursor(id, `position = ${start + 7}`);
  await lifecycle.stop(id, new Date(), 'window');
  const all = await opened.api.db.query<{ body: string }>('select body from outbox order by id');
  expect(all.rows[1]?.body).not.toContain('Waiting');
});

const warning = (fields: Partial<AlertItem>): AlertItem => ({
  consumer_id: 'c1',
  name: 'orders',
  reason: 'HTTP_5XX: HTTP 503',
  target: 'Shop & <Co>',
  target_id: 't1',
  endpoint: 'https://shop.example/in?a=1&b=2',
  failing_since: '2026-11-23T11:52:00.123Z',
  last_failure: { code: 'HTTP_5XX', detail: 'HTTP 503', at: '2026-11-23T12:50:00Z' },
  position: 4,
  waiting: 0,
  waiting_exact: false,
  url: 'https://millrace.example.com/consumers/c1',
  retries_until: '2026-11-24T11:52:00.123Z',
  ...fields,
});

const linksIn = (text: string): string[] =>
  text.match(/https:\/\/millrace\.example\.com[^\s"<>|]*/gu) ?? [];

test('a warning says what happened, since when, how long it is retried, what happens then, what to do, and where to look', () => {
  expect(mailText('warning', [warning({})])).toBe(`Consumer "orders" is failing: HTTP_5XX: HTTP 503.

Endpoint:      https://shop.example/in?a=1&b=2
Failing since: 2026-11-23 11:52 UTC
Last failure:  HTTP_5XX, HTTP 503 (2026-11-23 12:50 UTC)

Retries continue automatically until 2026-11-24 11:52 UTC. If it still fails then, the consumer stops and keeps its position, and a mail says so.

Find out why the endpoint fails, and fix it. To retry now:

  millrace retry c1
  https://millrace.example.com/consumers/c1
`);
});

test('a warning of several consumers has one link, to the page of their target', () => {
  const other = {
    consumer_id: 'c2',
    name: 'more',
    url: 'https://millrace.example.com/consumers/c2',
  };
  const both = [warning({}), warning(other)];
  const text = mailText('warning', both);
  expect(text).toContain('2 consumers of "Shop & <Co>" are failing: HTTP_5XX: HTTP 503.');
  expect(text).toContain('Retries continue automatically until 2026-11-24 11:52 UTC.');
  expect(linksIn(text)).toEqual(['https://millrace.example.com/targets/t1']);
  expect(new Set(linksIn(mailHtml('warning', both)))).toEqual(new Set(linksIn(text)));
  for (const id of ['c1', 'c2']) expect(text).toContain(`  millrace retry ${id}`);

  const later = warning({
    ...other,
    reason: 'TIMEOUT: no answer in 15 s',
    retries_until: '2026-11-24T12:30:00Z',
  });
  const apart = mailText('warning', [warning({}), later]);
  expect(apart).toContain('2 consumers of "Shop & <Co>" are failing.');
  expect(apart).toContain('until the time given for each');
  expect(apart).toContain('Retries until: 2026-11-24 12:30 UTC');
});

test('an alert that an older version has written is shown without the facts that it lacks', () => {
  const { target_id, retries_until, ...old } = warning({});
  expect([target_id, retries_until]).not.toContain(undefined);
  expect(mailText('warning', [old])).toContain('until the retry window ends.');
  expect(linksIn(mailText('warning', [old, old]))).toEqual([
    'https://millrace.example.com/consumers',
  ]);
});

test('a message for Slack has the facts of the mail, with text from outside escaped, and one link', () => {
  const hostile = warning({ name: '<!channel> & <https://evil.example|pay>', waiting: 3 });
  expect(slackText('warning', [hostile])).toBe(
    `*Consumer "&lt;!channel&gt; &amp; &lt;https://evil.example|pay&gt;" is failing: HTTP_5XX: HTTP 503.*
Endpoint: \`https://shop.example/in?a=1&amp;b=2\`
Failing since: 2026-11-23 11:52 UTC
Last failure: HTTP_5XX, HTTP 503 (2026-11-23 12:50 UTC)
Waiting: up to 3 entries, from position 5. Nothing is lost.
Retries continue automatically until 2026-11-24 11:52 UTC. If it still fails then, the consumer stops and keeps its position, and a mail says so.
Find out why the endpoint fails, and fix it. To retry now:
\`millrace retry c1\`
<https://millrace.example.com/consumers/c1|Open in Millrace>`,
  );
});
