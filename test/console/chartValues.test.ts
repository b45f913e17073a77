// what the charts of a consumer say, beside what its page says
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { cursorOf } from '../../src/streams/cursor.ts';
import { sampleLag } from '../../src/telemetry/lagSamples.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

/** The values of the first series of a chart, the oldest first, as its table has them. */
async function valuesOf(page: Page, title: string): Promise<string[]> {
  const chart = page.locator('figure').filter({ hasText: title });
  return chart.locator('tbody td:nth-child(2)').allTextContents();
}

test('the lag over time is of what matches the filter, as is the number of entries that wait', async () => {
  const start = await opened.append('other');
  const { id } = await opened.create({
    name: 'Narrow',
    syncs: ['narrow'],
    start: { cursor: cursorOf('events', start) },
  });
  await opened.append('narrow', 2);
  await opened.append('other', 500);
  await sql(
    `update consumers set status = 'blocked', failing_since = now(), created_at = now() - interval '2 hours'
      where id = $1`,
    [id],
  );
  await opened.setCursor(id, `idle = false, head = ${start + 1}, attempt = 1`);
  await sampleLag(opened.api.db);
  await sql(`update lag_samples set at = at - interval '10 min'`);
  await opened.append('other', 500);
  await sampleLag(opened.api.db);

  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/consumers/${id}`);
  const band = page.getByRole('region', { name: 'Why it does not send' });
  await band.getByText('2 entries', { exact: true }).waitFor();
  await expect.poll(async () => new Set(await valuesOf(page, 'Lag'))).toEqual(new Set(['0', '2']));
  const lags = await valuesOf(page, 'Lag');
  expect(lags.slice(0, -5)).toContain('2'); // ten minutes ago
  expect(lags.slice(-3)).toContain('2');
});

test('the charts of a new consumer show its first delivery without a reload, in every range', async () => {
  const { id } = await opened.create({ name: 'New' });
  for (const [count, range, span] of [
    [1, '1h', 'hour'],
    [2, '7d', '7 days'],
  ] as const) {
    await using tab = await openTab();
    const { page, context } = tab;
    await site.signIn(context);
    await openPage(page, `${site.url}/consumers/${id}?range=${range}`);
    const said = (delivered: number): string =>
      delivered === 0
        ? `No attempts in the last ${span}.`
        : `In the last ${span}: ${delivered} delivered, 0 failed (0 %).`;
    await page.getByText(said(count - 1), { exact: true }).waitFor();
    await sql(
      `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, status)
       values ($1, $2, $3, 'm', 1, clock_timestamp(), 12, 'delivered', 204)`,
      [newId(), id, count],
    );
    await page.getByText(said(count), { exact: true }).waitFor();
    const values = await valuesOf(page, 'Attempts ');
    expect(values.reduce((sum, value) => sum + Number(value.replace('–', '0')), 0)).toBe(count);
  }
});
