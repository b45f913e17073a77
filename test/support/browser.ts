import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';

import { launchChromium } from './chromium.ts';

/** An installation by apt-get may be part of the start. */
const START_MS = 300_000;
/** Below the time a test may take, so that what is waited for is named. */
const PATIENCE_MS = 30_000;

export interface Tab extends AsyncDisposable {
  page: Page;
  context: BrowserContext;
  /** What the browser complained of so far: errors, warnings, refused loads, failed requests. */
  complaints: string[];
}

export interface TabOptions extends BrowserContextOptions {
  /** Complaints that the test provokes. */
  expected?: RegExp[];
}

/**
 * Gives the tests of a file one Chromium; each tab has a fresh profile. Closing a tab fails its test
 * on any complaint that was not expected.
 */
export function browserOfFile(): (options?: TabOptions) => Promise<Tab> {
  let browser: Browser | null = null;
  beforeAll(async () => {
    browser = await launchChromium();
  }, START_MS);
  afterAll(() => browser?.close());

  return async ({ expected = [], ...options } = {}) => {
    if (browser === null) throw new Error('Tabs are opened inside of a test');
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      ...options,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const complaints: string[] = [];
    await listen(context, complaints);
    return {
      page: await context.newPage(),
      context,
      complaints,
      [Symbol.asyncDispose]: async () => {
        await context.close();
        const unexpected = complaints.filter((one) => !expected.some((known) => known.test(one)));
        // Soft: what the test itself failed with is shown too.
        expect.soft(unexpected, 'complaints of the browser').toEqual([]);
      },
    };
  };
}

async function listen(context: BrowserContext, complaints: string[]): Promise<void> {
  context.on('weberror', (error) => complaints.push(`error: ${error.error().message}`));
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      complaints.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    }
  });
  context.on('requestfailed', (request) => {
    const text = request.failure()?.errorText;
    if (text === 'net::ERR_ABORTED') return; // the page was left
    complaints.push(`${request.url()}: ${text}`);
  });
  await context.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', (event) =>
      console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));`,
  });
}
