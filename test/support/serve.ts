import type { BrowserContext } from 'playwright-core';

import { createApiServer } from '../../src/api/server.ts';
import { KEY, type TestApp } from './app.ts';
import { late } from './late.ts';
import { listening, type Listening } from './listening.ts';

export interface Served extends Listening {
  /** Signs a fresh browser in. */
  signIn(context: Pick<BrowserContext, 'request'>): Promise<void>;
}

/** The API and the console of this process on a port: for pages that need no worker behind them. */
export async function serve(api: TestApp): Promise<Served> {
  const listener = await listening(createApiServer(late(api.app.fetch)));
  return {
    ...listener,
    signIn: async (context) => {
      const answer = await context.request.post(`${listener.url}/v1/session`, {
        data: { api_key: KEY },
      });
      if (!answer.ok()) throw new Error(`Signing in answered ${answer.status()}`);
    },
  };
}
