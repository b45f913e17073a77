import type { Page } from 'playwright-core';

/** Opens a page of the console and waits for its data: it has its heading and reads nothing any more. */
export async function openPage(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByRole('heading').first().waitFor();
  const reading = page.getByRole('status').filter({ hasText: /^Loading/u });
  await reading.first().waitFor({ state: 'hidden' });
}
