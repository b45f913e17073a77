import type { Logger } from 'pino';

import type { Sql } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import type { Vault } from '../db/vault.ts';
import type { Chore } from '../process/upkeep.ts';
import { createApiKeys, type ApiKeys } from './apiKeys.ts';
import { createIdempotency, type Idempotency } from './idempotency.ts';
import { BOOTSTRAP, createKeyring, type Keyring } from './keyring.ts';
import { createRateLimit, type RateLimit } from './rateLimit.ts';
import { createSessions, type Sessions } from './sessions.ts';

/** Who may use the API, how often, and what they were answered. */
export interface Access extends AsyncDisposable {
  apiKeys: ApiKeys;
  keyring: Keyring;
  sessions: Sessions;
  idempotency: Idempotency;
  /** Null: no limit for this caller. */
  limitOf(caller: string): RateLimit | null;
  /** Whether `X-Forwarded-Proto` tells how the caller reached us. */
  trustProxy: boolean;
  /** Removes what has ended. */
  chores: Chore[];
}

export interface AccessOptions {
  sql: Sql;
  vault: Vault;
  listener: Pick<Listener, 'on'>;
  log: Pick<Logger, 'warn'>;
  bootstrapKey: string;
  /** Requests a second for every key, 0 for none; null: 1,000, and none for the configuration's key. */
  requestsPerSecond: number | null;
  trustProxy: boolean;
}

const PER_SECOND = 1_000;
const MINUTE = 60_000;

export function createAccess(options: AccessOptions): Access {
  const { sql, vault, bootstrapKey } = options;
  const apiKeys = createApiKeys(sql);
  const keyring = createKeyring({ ...options, apiKeys });
  const sessions = createSessions({ sql, bootstrapKey });
  const idempotency = createIdempotency({ sql, vault });
  const perSecond = options.requestsPerSecond ?? PER_SECOND;
  const limit = perSecond === 0 ? null : createRateLimit(perSecond);
  const bootstrapLimit = options.requestsPerSecond === null ? null : limit;
  return {
    apiKeys,
    keyring,
    sessions,
    idempotency,
    limitOf: (caller) => (caller === BOOTSTRAP.id ? bootstrapLimit : limit),
    trustProxy: options.trustProxy,
    chores: [
      { name: 'sessions', everyMs: MINUTE, run: () => sessions.clean() },
      { name: 'idempotency keys', everyMs: MINUTE, run: () => idempotency.clean() },
    ],
    [Symbol.asyncDispose]: () => keyring.close(),
  };
}
