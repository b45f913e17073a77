import type { Scope } from '../schema/apiKey.ts';

/** An authenticated user of the API: an API key, or a session opened with one. */
export interface Caller {
  /** The key's id, or `bootstrap` for the configured key. Rate limits and idempotency keys belong to it. */
  id: string;
  /** The key's name, recorded as the actor of each change. */
  name: string;
  scopes: readonly Scope[];
  expiresAt: string | null;
}
