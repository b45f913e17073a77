import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import type { Page } from 'playwright-core';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface BrowserPage extends AsyncDisposable {
  page: Page;
  /** What the browser complained of: errors, refused loads, failed requests. */
  complaints: string[];
}

/** A browser with one empty page of its own. Throws where there is no Chromium, and says how to get one. */
export async function openBrowser(size = { width: 1280, height: 800 }): Promise<BrowserPage> {
  const executablePath = process.env['CHROMIUM'] ?? CHROMIUM.find((path) => existsSync(path));
  if (executablePath === undefined) {
    throw new Error(
      `There is no Chromium at ${CHROMIUM.join(', ')}: apt-get install chromium, or set CHROMIUM to one.`,
    );
  }
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const context = await browser.newContext({ viewport: size });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      complaints.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    }
  });
  page.on('requestfailed', (request) => {
    if (request.failure()?.errorText === 'net::ERR_ABORTED') return; // the page was left
    complaints.push(`${request.url()}: ${request.failure()?.errorText}`);
  });
  await page.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', (event) =>
      console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));`,
  });
  return { page, complaints, [Symbol.asyncDispose]: () => browser.close() };
}
