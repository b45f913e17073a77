import { expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { KEY } from '../support/app.ts';
import { runCli } from '../support/cli.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { serve } from '../support/serve.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

test('attempts are listed with the type, the collection, the record and the trace of their entry, as long as it is kept, and with the size of their batch', async () => {
  await using opened = await openConsumersApi();
  await using served = await serve(opened.api);
  const { id } = await opened.create({ name: 'orders' });
  const event = {
    sync_id: 's',
    collection_id: 'shop:order',
    upstream_id: 'order-1',
    event: 'updated',
    data: {},
    traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
  };
  const { body } = await opened.api.request('POST', '/v1/events', { events: [event] });
  for (const [position, minutes] of [
    [body.position, 1],
    [body.position + 1_000, 2],
  ]) {
    await opened.api.db.query({
      text: `
        insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, status, batch_size)
        values ($1, $2, $3, $4, 1, now() - $5 * interval '1 min', 7, 'delivered', 200, $5)`,
      values: [newId(), id, position, `m${position}`, minutes],
    });
  }
  const env = { MILLRACE_URL: served.url, MILLRACE_API_KEY: KEY };
  const { stdout } = await runCli(['attempts', 'orders'], env);
  expect(stdout).toMatch(/^STARTED .* TYPE +COLLECTION +RECORD +MESSAGE +ENTRIES +TRACE$/mu);
  expect(stdout).toMatch(
    new RegExp(` delivered +200 +7 +– +updated +shop:order +order-1 +m\\d+ +1 +${TRACE}$`, 'mu'),
  );
  expect(stdout).toMatch(/ delivered +200 +7 +– +– +– +– +m\d+ +2 +–$/mu);
  const json = JSON.parse((await runCli(['attempts', 'orders', '--json'], env)).stdout);
  expect(json.data[0]).toMatchObject({ event: 'updated', upstream_id: 'order-1', sync_id: 's' });
  expect(json.data[1]).toMatchObject({ event: null, upstream_id: null, sync_id: null });
});
