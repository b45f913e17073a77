import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { BrowserContext } from 'playwright-core';
import { createApiServer } from '../../src/api/server.ts';
import { KEY } from './app.ts';
import type { TestApp } from './app.ts';

export interface Served extends AsyncDisposable {
  url: string;
  /** Signs a fresh browser in. */
  signIn(context: BrowserContext): Promise<void>;
}

/** The API and the console of this process on a port: for pages that need no worker behind them. */
export async function serve(api: TestApp): Promise<Served> {
  const server = createApiServer(api.app.fetch);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    signIn: async (context) => {
      const answer = await context.request.post(`${url}/v1/session`, { data: { api_key: KEY } });
      if (!answer.ok()) throw new Error(`Signing in answered ${answer.status()}`);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
