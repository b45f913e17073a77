import type { Page } from 'playwright-core';

/** Opens a page of the console and waits for its data: it has its heading and reads nothing any more. */
export async function openPage(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await drawn(page);
}

/**
 * Opens a page from within the console that is open, and waits likewise. All of it is drawn anew, its frame as well, in a
 * quarter of the CPU time, as the scripts are there: for pages whose loading is not what is tested.
 */
export async function goTo(page: Page, path: string): Promise<void> {
  const nowhere = page.getByText('There is no such page');
  await address(page, '/nowhere');
  await nowhere.waitFor();
  await address(page, path);
  await nowhere.waitFor({ state: 'detached' });
  await drawn(page);
}

/** Has the pages that are opened from now on show times in a form. */
export async function showTimes(page: Page, form: string): Promise<void> {
  await page.addInitScript({
    content: `if (origin !== 'null') localStorage.setItem('millrace.times', '${form}')`,
  });
}

/** Waits until the corner of the page says something, and closes that, so that it can be said again. */
export async function saidOnce(page: Page, text: string): Promise<void> {
  const said = page.getByRole('status').getByText(text, { exact: true }).first();
  await said.waitFor();
  // It may close by itself meanwhile.
  await page.evaluate(
    `document.querySelectorAll('[aria-label=Dismiss]').forEach((one) => one.click())`,
  );
  await said.waitFor({ state: 'detached' });
}

/** As a link in the console does. */
async function address(page: Page, path: string): Promise<void> {
  await page.evaluate(`history.pushState({}, '', ${JSON.stringify(path)})`);
}

async function drawn(page: Page): Promise<void> {
  await page.getByRole('heading').first().waitFor();
  const reading = page.getByRole('status').filter({ hasText: /^Loading/u });
  await reading.first().waitFor({ state: 'hidden' });
}
