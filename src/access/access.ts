import type { Logger } from 'pino';

import type { Sql } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import type { Vault } from '../db/vault.ts';
import type { Chore } from '../process/upkeep.ts';
import { createApiKeys, type ApiKeys } from './apiKeys.ts';
import { createIdempotency, type Idempotency } from './idempotency.ts';
import { BOOTSTRAP, createKeyring, type Keyring } from './keyring.ts';
import { createPermits, type Permits } from './permits.ts';
import { createRateLimit, type RateLimit } from './rateLimit.ts';
import { createSessions, type Sessions } from './sessions.ts';

/** Decides who may use the API and how often, and keeps the answers to repeatable requests. */
export interface Access extends AsyncDisposable {
  apiKeys: ApiKeys;
  keyring: Keyring;
  sessions: Sessions;
  permits: Permits;
  idempotency: Idempotency;
  /** Null when this caller has no limit. */
  limitOf(caller: string): RateLimit | null;
  /** Whether `X-Forwarded-Proto` is trusted to say if the caller used https. */
  trustProxy: boolean;
  /** The origin with which sign-in links begin; null: the origin of the request that asks for one. */
  publicUrl: string | null;
  /** Remove sessions and idempotency keys that have expired. */
  chores: Chore[];
}

export interface AccessOptions {
  sql: Sql;
  vault: Vault;
  listener: Pick<Listener, 'on'>;
  log: Pick<Logger, 'warn'>;
  bootstrapKey: string;
  /** Requests a second for each key, 0 for no limit; null: 1,000, and no limit for the configured key. */
  requestsPerSecond: number | null;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
  trustProxy: boolean;
  publicUrl: string | null;
}

const PER_SECOND = 1_000;
const MINUTE = 60_000;

/** Wires the stores of access together; the result owns the keyring and the permits, and closes them. */
export function createAccess(options: AccessOptions): Access {
  const { sql, vault, bootstrapKey } = options;
  const apiKeys = createApiKeys(sql, options.now);
  const keyring = createKeyring({ ...options, apiKeys });
  const sessions = createSessions({ sql, bootstrapKey });
  const permits = createPermits({ ...options, apiKeys, sessions });
  const idempotency = createIdempotency({ sql, vault });
  const perSecond = options.requestsPerSecond ?? PER_SECOND;
  const limit = perSecond === 0 ? null : createRateLimit(perSecond);
  const bootstrapLimit = options.requestsPerSecond === null ? null : limit;
  return {
    apiKeys,
    keyring,
    sessions,
    permits,
    idempotency,
    limitOf: (caller) => (caller === BOOTSTRAP.id ? bootstrapLimit : limit),
    trustProxy: options.trustProxy,
    publicUrl: options.publicUrl,
    chores: [
      { name: 'sessions', everyMs: MINUTE, run: () => sessions.clean() },
      { name: 'idempotency keys', everyMs: MINUTE, run: () => idempotency.clean() },
    ],
    [Symbol.asyncDispose]: async () => {
      await permits.close();
      await keyring.close();
    },
  };
}
