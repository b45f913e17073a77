import { expect, test } from 'vitest';

import type { AlertItem } from '../../src/alerts/alertItem.ts';
import { mailHtml, mailText, slackText } from '../../src/alerts/alertText.ts';
import { newId } from '../../src/db/ids.ts';
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
  expect(lines[0]).toBe('Consumer "orders" is failing: HTTP 401.');
  expect(lines).toContain('Endpoint:      https://example.com/hooks/v2');
  expect(lines).toContain(`Waiting:       2 entries, from position ${start + 1}`);
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
  expect(mailText('warning', [warning({})])).toBe(`Consumer "orders" is failing: HTTP 503.

Find out why the endpoint fails, and fix it. To retry at once, open the consumer's page and retry it there:

  https://millrace.example.com/consumers/c1

Endpoint:      https://shop.example/in?a=1&b=2
Failing since: 2026-11-23 11:52 UTC
Last answer:   HTTP 503 (2026-11-23 12:50 UTC)

Retries continue automatically until 2026-11-24 11:52 UTC. If it still fails then, the consumer stops and keeps its position, and a mail says so.

To retry by a command:

  millrace retry c1
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
  expect(text).toContain('2 consumers of "Shop & <Co>" are failing: HTTP 503.');
  expect(text).toContain('Retries continue automatically until 2026-11-24 11:52 UTC.');
  expect(linksIn(text)).toEqual(['https://millrace.example.com/targets/t1']);
  expect(linksIn(mailHtml('warning', both))).toEqual(linksIn(text));
  expect(text.split('\n').slice(-3)).toEqual(['  millrace retry c1', '  millrace retry c2', '']);

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
    `*Consumer "&lt;!channel&gt; &amp; &lt;https://evil.example|pay&gt;" is failing: HTTP 503.*
Find out why the endpoint fails, and fix it. To retry at once, open the consumer's page and retry it there:
<https://millrace.example.com/consumers/c1|Open the consumer and retry it>
Endpoint: \`https://shop.example/in?a=1&amp;b=2\`
Failing since: 2026-11-23 11:52 UTC
Last answer: HTTP 503 (2026-11-23 12:50 UTC)
Waiting: up to 3 entries, from position 5
Nothing is lost.
Retries continue automatically until 2026-11-24 11:52 UTC. If it still fails then, the consumer stops and keeps its position, and a mail says so.
To retry by a command:
\`millrace retry c1\``,
  );
});

test('a mail about several stopped consumers begins with where to resume them all, sums up what concerns them, and ends with the commands', () => {
  const item = (id: string, name: string, waiting: number): AlertItem =>
    warning({
      consumer_id: id,
      name,
      reason: 'the endpoint failed for the whole retry window',
      endpoint: `https://shop.example/${id}`,
      waiting,
      waiting_exact: true,
      answer: 'Down for <maintenance>',
      kept_until: id === 'c2' ? '2026-12-21T09:30:00Z' : '2026-12-22T00:00:00Z',
    });
  const items = [item('c1', 'orders', 45), item('c2', 'returns', 15), item('c3', 'stock', 45)];
  const text = mailText('stopped', items);
  expect(text)
    .toBe(`3 consumers of "Shop & <Co>" have stopped: the endpoint failed for the whole retry window.

Once the endpoint is healthy, open the target's page and resume all 3 there:

  https://millrace.example.com/targets/t1

Failing since: 2026-11-23 11:52 UTC
Last answer:   HTTP 503, "Down for <maintenance>" (2026-11-23 12:50 UTC)
Waiting:       105 entries: 45, 15 and 45

Nothing is lost. What waits is kept until 2026-12-21 09:30 UTC at least.

Nothing more is sent until someone resumes them. They then continue exactly where they stopped. A mail warns you before waiting events become too old to be kept.

Consumer:      orders
Endpoint:      https://shop.example/c1
Waiting:       45 entries, from position 5

Consumer:      returns
Endpoint:      https://shop.example/c2
Waiting:       15 entries, from position 5

Consumer:      stock
Endpoint:      https://shop.example/c3
Waiting:       45 entries, from position 5

To resume them by commands, in the order above:

  millrace consumers resume c1
  millrace consumers resume c2
  millrace consumers resume c3
`);
  const html = mailHtml('stopped', items);
  expect(html).toMatch(/<a href="[^"]*\/targets\/t1" [^>]*>Open the target and resume all 3<\/a>/u);
  expect(html).toContain('Down for &lt;maintenance&gt;');
  expect(html.indexOf('<a ')).toBeLessThan(html.indexOf('<table'));
});

test('of several consumers only what differs is said of each, and no date where it is not known for all that waits', () => {
  const since = { failing_since: '2026-11-23T12:10:00Z', waiting: 2, kept_until: null };
  const timeout = { code: 'TIMEOUT', detail: 'no answer in 15 s', at: '2026-11-23T12:55:00Z' };
  const other = { ...since, consumer_id: 'c2', name: 'more', last_failure: timeout };
  const kept = '2026-12-21T09:30:00Z';
  const text = mailText('stopped', [warning({ waiting: 1, kept_until: kept }), warning(other)]);
  const lines = text.split('\n');
  expect(lines).toContain('Failing since: 2026-11-23 11:52 UTC (the first of them)');
  expect(lines).toContain('Last failure:  TIMEOUT, no answer in 15 s (2026-11-23 12:55 UTC)');
  expect(lines).toContain('Last answer:   HTTP 503 (2026-11-23 12:50 UTC)');
  expect(lines).toContain('Failing since: 2026-11-23 12:10 UTC');
  expect(lines).toContain('Waiting:       up to 3 entries: up to 1 and up to 2');
  expect(text).toContain(
    'Nothing is lost. What waits is kept until 2026-12-21 09:30 UTC at least.',
  );
  const unknown = mailText('stopped', [warning({ waiting: 1 }), warning(other)]);
  expect(unknown.split('Nothing is lost.')).toHaveLength(2);
  expect(unknown).not.toContain('is kept until');
});

test("a mail about a stop has the beginning of the endpoint's last answer, and until when its waiting events are kept", async () => {
  await using desk = await openAlertDesk({ eventRetentionMs: 8 * 86_400_000 });
  const { opened, lifecycle } = desk;
  const { id } = await opened.create({ syncs: ['mine'] });
  await opened.append('mine', 2);
  const { db } = opened.api;
  await db.query({
    text: `update events set event_inserted_at = now() - interval '6 days 1 hour'`,
  });
  await lifecycle.block(id, 'HTTP_5XX: HTTP 503', new Date('2026-11-23T11:52:00Z'));
  const failure = { code: 'HTTP_5XX', status: 503, detail: 'HTTP 503', at: '2026-11-23T12:50:00Z' };
  await opened.setCursor(id, `head = 1, last_failure = '${JSON.stringify(failure)}'`);
  await db.query({
    text: `
      insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms,
                            outcome, status, error_code, response_head, stored_at)
      select $1, $2, 1, 'm', 1, now(), 7, 'failed', 503, 'HTTP_5XX', $3, now()`,
    values: [newId(), id, `Closed\n  for\u202e stock-taking ${'x'.repeat(300)}`],
  });
  await lifecycle.stop(id, new Date(), 'window');
  const { rows } = await db.query<{ body: string }>('select body from outbox');
  const body = rows[0]!.body;
  expect(body).toMatch(/Last answer: {3}HTTP 503, "Closed for stock-taking x+…" \(/u);
  expect(/"(Closed.*)"/u.exec(body)?.[1]).toHaveLength(160);
  const [, until] = /is kept until (\S+ \S+) UTC at least/u.exec(body) ?? [];
  const hours = (Date.parse(`${until}Z`) - Date.now()) / 3_600_000;
  expect(hours).toBeGreaterThan(46);
  expect(hours).toBeLessThan(48);
});
