import { expect, test } from 'vitest';

import { cursorOf } from '../../src/streams/cursor.ts';
import { openAlertDesk } from '../support/alertDesk.ts';

test('a mail counts what waits as the consumer does, names the URL that is posted to, and the newest failure', async () => {
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
  expect(lines[0]).toBe('Consumer "orders" has been failing for a while: HTTP_4XX: HTTP 401.');
  expect(lines).toContain('Endpoint:      https://example.com/hooks/v2');
  expect(lines).toContain(`Waiting:       2 entries, from position ${start + 1}. Nothing is lost.`);
  expect((await opened.read(id)).lag.entries).toBe(2);
  const [alert] = await desk.alerts(id, 'warning');
  expect(alert?.detail).toMatchObject({ waiting: 2, waiting_exact: true });

  await opened.setCursor(id, `position = ${start + 7}`);
  await lifecycle.stop(id, new Date(), 'window');
  const all = await opened.api.db.query<{ body: string }>('select body from outbox order by id');
  expect(all.rows[1]?.body).toContain('Waiting:       nothing. Nothing is lost.');
});
