// the times on the axes of charts, which are drawn
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { drawnTexts, RECORD_TEXTS } from '../support/drawnTexts.ts';
import { serve, type Served } from '../support/serve.ts';

const ZONE = 'Asia/Kolkata';
/** Minutes ahead of UTC, on every day of the year. */
const AHEAD = 330;
const DAY = 1_440;
/** Minutes of the range, with a step on either side. */
const SHOWN = 62;
/** The overview begins with the full hour before the range. */
const FROM_FULL_HOUR = SHOWN + 60;

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let id: string;
beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
  ({ id } = await opened.create({ name: 'Charted' }));
  await opened.create({ name: 'Another' }); // with one alone, Overview leads to the first delivery
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

test('the axes of all charts follow the setting of times, at once and after a reload', async () => {
  await using tab = await openTab({ timezoneId: ZONE });
  const { page, context } = tab;
  await site.signIn(context);
  await page.addInitScript({ content: RECORD_TEXTS });
  const paths = {
    [`/consumers/${id}`]: SHOWN,
    [`/targets/${opened.targetId}`]: SHOWN,
    '/': FROM_FULL_HOUR,
  };
  for (const [path, minutes] of Object.entries(paths)) {
    const shown = (ahead: number, message: string) =>
      expect
        .poll(() => timesBeside(page, ahead, minutes), { message: `${path}: ${message}` })
        .toEqual([]);
    await openPage(page, `${site.url}${path}`);
    await choose(page, 'Times in UTC');
    await shown(0, 'UTC was chosen');
    await page.reload();
    await shown(0, 'UTC was chosen before');
    await choose(page, 'Local times');
    await shown(AHEAD, 'local times were chosen');
    // What is relative in a sentence has a place on an axis: the time where the browser is.
    await choose(page, 'Relative times');
    await shown(AHEAD, 'relative times were chosen');
  }
});

async function choose(page: Page, times: string): Promise<void> {
  await page.getByRole('button', { name: 'View', exact: true }).click();
  await page.getByRole('menuitemradio', { name: times }).click();
}

/** The times on axes that are not of the last `shown` minutes, so many minutes ahead of UTC; or that there are hardly any. */
async function timesBeside(page: Page, ahead: number, shown: number): Promise<string[]> {
  const times = (await drawnTexts(page)).flatMap(({ text }) => /^\d\d:\d\d$/u.exec(text) ?? []);
  if (times.length < 3) return [`only ${times.length} times`];
  const now = Math.floor(Date.now() / 60_000) + ahead;
  return times.filter((text) => {
    const minute = Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
    const age = (now - minute + 2) % DAY; // 2: at the end of the last step
    return age > shown + 2;
  });
}
