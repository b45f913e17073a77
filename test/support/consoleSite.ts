import type { BrowserContext } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';

import { createDatabase } from './database.ts';
import { openCluster, type Cluster } from './processes.ts';

/** The console as users have it: served by a real server.ts, with a real worker.ts behind it. */
export interface ConsoleSite {
  url: string;
  apiKey: string;
  cluster: Cluster;
  /** Signs a fresh browser in, as its sign-in page does; with the key of the configuration unless given. */
  signIn(context: Pick<BrowserContext, 'request'>, key?: string): Promise<void>;
}

const START_MS = 180_000;

/** One site for all tests of a file, on a database of its own; call what it returns inside of a test. */
export function siteOfFile(env: Record<string, string> = {}): () => ConsoleSite {
  let site: ConsoleSite | null = null;
  const stack = new AsyncDisposableStack();
  beforeAll(async () => {
    const database = stack.use(await createDatabase());
    const cluster = stack.use(await openCluster(database.url, env));
    await Promise.all([cluster.startServer(), cluster.startWorker()]);
    site = toSite(cluster);
  }, START_MS);
  afterAll(() => stack.disposeAsync());

  return () => {
    if (site === null) throw new Error('The site is there inside of a test');
    return site;
  };
}

function toSite(cluster: Cluster): ConsoleSite {
  const { MILLRACE_URL: url, MILLRACE_API_KEY: apiKey } = cluster.api;
  return {
    url,
    apiKey,
    cluster,
    signIn: (context, key = apiKey) => signIn(context, url, key),
  };
}

async function signIn(
  context: Pick<BrowserContext, 'request'>,
  url: string,
  key: string,
): Promise<void> {
  const answer = await context.request.post(`${url}/v1/session`, { data: { api_key: key } });
  if (!answer.ok()) throw new Error(`Signing in answered ${answer.status()}`);
}
