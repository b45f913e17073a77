import type { Scope } from '../schema/apiKey.ts';

/** Someone who may use the API: a key, or a session of one. */
export interface Caller {
  /** Of the key; `bootstrap` for the one of the configuration. Owns limits and idempotency keys. */
  id: string;
  /** Recorded as the actor of what they change. */
  name: string;
  scopes: readonly Scope[];
  expiresAt: string | null;
}
