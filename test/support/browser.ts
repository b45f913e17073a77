import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';

import { launchChromium } from './chromium.ts';
import { openProfile, type Profile } from './profile.ts';

/** An installation by apt-get may be part of the start. */
const START_MS = 300_000;
/** Below the time a test may take, so that what is waited for is named. */
const PATIENCE_MS = 30_000;

/** What a test may do with the profile of its tab: all of it is undone for the next one. */
export type TabContext = Pick<
  BrowserContext,
  | 'addCookies'
  | 'cookies'
  | 'grantPermissions'
  | 'newCDPSession'
  | 'request'
  | 'setOffline'
  | 'waitForEvent'
>;

export interface Tab extends AsyncDisposable {
  page: Page;
  context: TabContext;
  /** What the browser complained of so far: errors, warnings, refused loads, failed requests. */
  complaints: string[];
}

export interface TabOptions extends BrowserContextOptions {
  /** Complaints that the test provokes. */
  expected?: RegExp[];
  /** Whether no other tab had the profile or gets it: for an empty cache, and for `page.clock`, which stays installed. */
  isAlone?: boolean;
}

/**
 * Gives the tests of a file one Chromium. Each tab has a page that is new and a profile that holds nothing but, unless
 * it is alone, files in its cache: tabs after another share a profile and with it what the browser has compiled.
 * Closing a tab fails its test on any complaint that was not expected.
 */
export function browserOfFile(): (options?: TabOptions) => Promise<Tab> {
  let browser: Browser | null = null;
  const free = new Map<string, Profile[]>();
  beforeAll(async () => {
    // Pages of a site share a process, so that a page finds it warm as long as another one is there.
    browser = await launchChromium(['--process-per-site']);
  }, START_MS);
  afterAll(() => browser?.close());

  return async ({ expected = [], isAlone = false, viewport, colorScheme, ...options } = {}) => {
    if (browser === null) throw new Error('Tabs are opened inside of a test');
    const kind = JSON.stringify(options);
    const unused = free.get(kind) ?? [];
    free.set(kind, unused);
    const kept = isAlone ? undefined : unused.pop();
    const profile = kept ?? (await openProfile(browser, options, PATIENCE_MS));
    const complaints: string[] = [];
    const page = await profile.openPage(complaints);
    if (viewport !== undefined && viewport !== null) await page.setViewportSize(viewport);
    if (colorScheme !== undefined) await page.emulateMedia({ colorScheme });
    return {
      page,
      context: profile.context,
      complaints,
      [Symbol.asyncDispose]: async () => {
        if (isAlone || !(await profile.clear(page))) await profile.close();
        else unused.push(profile);
        const unexpected = complaints.filter((one) => !expected.some((known) => known.test(one)));
        // Soft: what the test itself failed with is shown too.
        expect.soft(unexpected, 'complaints of the browser').toEqual([]);
      },
    };
  };
}
