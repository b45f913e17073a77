import { afterAll, beforeAll, expect, test } from 'vitest';

import { countAttempts } from '../../src/telemetry/attemptTotals.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const MINUTE_MS = 60_000;

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

test('beside the chart of response times stand p50 and p95 of its range, on the pages of a consumer, of its target and of all', async () => {
  const { id } = await opened.create({ name: 'Charted' });
  const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
  const at = (minutes: number): string => new Date(now - minutes * MINUTE_MS).toISOString();
  for (const [minutes, ms] of [
    [10, 12],
    [180, 400],
  ] as const) {
    await sql(
      `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
       select $1, $2, array_agg(n), array_agg(1::bigint), array_agg($3::int), array_agg(200), 100, 1, 100, 0
         from generate_series(1, 100) n`,
      [id, at(minutes), ms],
    );
  }
  await sql(`insert into attempt_minutes values ($1, 0, 0, '{}', '{}', 0, 0, true)`, [at(200)]);
  await sql(`update consumers set created_at = now() - interval '1 day'`);
  await countAttempts(opened.api.db);
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  for (const path of [`/consumers/${id}`, `/targets/${opened.targetId}`, '/']) {
    await openPage(page, `${site.url}${path}?range=1h`);
    const legend = page
      .locator('figure')
      .filter({ hasText: 'Response times' })
      .locator('figcaption');
    await expect
      .poll(() => legend.innerText(), { message: path })
      .toMatch(/p50\s*12 ms\s*p95\s*12 ms/u);
    await page.getByRole('button', { name: '6h' }).click();
    await expect
      .poll(() => legend.innerText(), { message: path, timeout: 15_000 })
      .toMatch(/p50\s*1[12] ms\s*p95\s*(?:39\d|4[01]\d) ms/u);
  }
});
