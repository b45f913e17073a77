import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';

/** Nothing of the cache: what is in it is the same for everyone. */
const STORED = 'cookies,local_storage,indexeddb,websql,service_workers,cache_storage,file_systems';

/** A profile of a browser, which one page at a time uses. */
export interface Profile {
  context: BrowserContext;
  /** A new page, whose complaints are added to a list. */
  openPage(complaints: string[]): Promise<Page>;
  /**
   * Forgets whatever pages left in the profile, and closes all but this one, which shows nothing any more and is there
   * only until the next is cleared, so that its process stays; false, if it was closed and there is nothing to keep.
   */
  clear(page: Page): Promise<boolean>;
  close(): Promise<void>;
}

/** Opens an empty profile. */
export async function openProfile(
  browser: Browser,
  options: BrowserContextOptions,
  patienceMs: number,
): Promise<Profile> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(patienceMs);
  const visited = new Set<string>();
  /** Of the page that is open. */
  let heard: string[] = [];
  await listen(context, (complaint) => heard.push(complaint));
  context.on('page', (page) =>
    page.on('framenavigated', (frame) => {
      if (/^https?:/u.test(frame.url())) visited.add(new URL(frame.url()).origin);
    }),
  );

  return {
    context,
    openPage: (complaints) => {
      heard = complaints;
      return context.newPage();
    },
    clear: async (page) => {
      if (page.isClosed()) return false;
      await page.goto('about:blank');
      heard = [];
      for (const other of context.pages()) if (other !== page) await other.close();
      const session = await context.newCDPSession(page);
      for (const origin of visited) {
        await session.send('Storage.clearDataForOrigin', { origin, storageTypes: STORED });
      }
      await session.detach();
      visited.clear();
      await context.clearCookies();
      await context.clearPermissions();
      await context.setOffline(false);
      return true;
    },
    close: () => context.close(),
  };
}

async function listen(context: BrowserContext, say: (complaint: string) => void): Promise<void> {
  context.on('weberror', (error) => say(`error: ${error.error().message}`));
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      say(`${message.type()}: ${message.text()} ${message.location().url}`);
    }
  });
  context.on('requestfailed', (request) => {
    const text = request.failure()?.errorText;
    if (text === 'net::ERR_ABORTED') return; // the page was left
    say(`${request.url()}: ${text}`);
  });
  await context.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', (event) =>
      console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));`,
  });
}
