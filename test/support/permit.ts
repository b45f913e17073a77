import type { MiddlewareHandler } from 'hono';

import type { AppEnv } from '../../src/api/env.ts';

/** Lets handlers that are called without the gate open permits, which last. */
export const lastingPermit: MiddlewareHandler<AppEnv> = (c, next) => {
  c.set('permit', () => ({
    signal: new AbortController().signal,
    end: null,
    scope: null,
    [Symbol.dispose]: () => undefined,
  }));
  return next();
};
