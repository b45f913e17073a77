import { timingSafeEqual } from 'node:crypto';

import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { Scope } from '../schema/apiKey.ts';
import { digestOf, type ApiKeys, type StoredKey } from './apiKeys.ts';
import type { Caller } from './caller.ts';

/** The caller that an API key authenticates, or why the key is refused. */
export type KeyVerdict = { caller: Caller } | { refused: 'unknown' | 'expired' | 'revoked' };

/** Authenticates API keys, usually without a query. */
export interface Keyring extends AsyncDisposable {
  /** Throws when Postgres is away, unless the key is the configured one or was looked up seconds ago. */
  authenticate(key: string): Promise<KeyVerdict>;
  /** Records that a caller's key is used, without delaying the request. */
  touch(caller: Caller): void;
  /** Forgets every key that was looked up, because one has been revoked. */
  forget(): void;
  /** Waits for open queries. */
  close(): Promise<void>;
}

export interface KeyringOptions {
  apiKeys: Pick<ApiKeys, 'find' | 'used'>;
  /** The configured key, which has every scope and no row. */
  bootstrapKey: string;
  listener: Pick<Listener, 'on'>;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
  log: Pick<Logger, 'warn'>;
}

/** The longest time that a revoked key still works when the NOTIFY is lost. */
const KNOWN_MS = 4_000;
/** A key looked up longer ago is still accepted, but is looked up again in the background. */
const FRESH_MS = 2_000;
const TOUCH_MS = 60_000;
/** Keys remembered; any others are looked up on each request. */
const MOST = 10_000;
/** The form of the keys that Millrace creates; no other text is worth a query. */
const FORM = /^mk_[\w-]{43}$/u;

interface Known {
  key: StoredKey;
  /** Monotonic ms, from before the query. */
  since: number;
}

/** The caller that the configured key authenticates. */
export const BOOTSTRAP: Caller = {
  id: 'bootstrap',
  name: 'bootstrap',
  scopes: Scope.options,
  expiresAt: null,
};

/** Compares keys in constant time; looks each one up by its hash, once in a few seconds. */
export function createKeyring(options: KeyringOptions): Keyring {
  const { apiKeys, listener, now: nowMs, log } = options;
  const bootstrap = digestOf(options.bootstrapKey);
  const known = new Map<string, Known>();
  const looking = new Map<string, Promise<StoredKey | null>>();
  const touched = new Map<string, number>();
  const writing = new Set<Promise<void>>();
  const unlisten = listener.on(CHANNELS.apiKeys, forget);
  let generation = 0;

  async function authenticate(secret: string): Promise<KeyVerdict> {
    const digest = digestOf(secret);
    if (timingSafeEqual(digest, bootstrap)) return { caller: BOOTSTRAP };
    if (!FORM.test(secret)) return { refused: 'unknown' };
    const id = digest.toString('base64');
    const age = performance.now() - (known.get(id)?.since ?? -Infinity);
    if (age > FRESH_MS) {
      const looked = lookUp(id, digest);
      if (age > KNOWN_MS) return verdictOn(await looked, nowMs());
      looked.catch(() => undefined); // the next request tries again; it throws after KNOWN_MS
    }
    return verdictOn(known.get(id)?.key ?? null, nowMs());
  }

  /** Runs one query at a time for a key, and remembers its result unless `forget` was called meanwhile. */
  function lookUp(id: string, digest: Buffer): Promise<StoredKey | null> {
    const running = looking.get(id);
    if (running !== undefined) return running;
    const since = performance.now();
    const startedIn = generation;
    const looked = apiKeys
      .find(digest)
      .then((found) => {
        const key = found !== null && timingSafeEqual(found.hash, digest) ? found : null;
        if (startedIn !== generation) return key;
        known.delete(id);
        if (key !== null && known.size < MOST) known.set(id, { key, since });
        return key;
      })
      .finally(() => {
        if (looking.get(id) === looked) looking.delete(id);
      });
    looking.set(id, looked);
    return looked;
  }

  function touch({ id }: Caller): void {
    const now = performance.now();
    if (id === BOOTSTRAP.id || now - (touched.get(id) ?? -Infinity) < TOUCH_MS) return;
    touched.set(id, now);
    const written = apiKeys.used(id).catch((error: unknown) => {
      touched.delete(id);
      log.warn({ err: error, api_key: id }, 'the last use of an API key was not stored');
    });
    writing.add(written);
    void written.finally(() => writing.delete(written));
  }

  function forget(): void {
    generation++;
    known.clear();
    looking.clear();
  }

  async function close(): Promise<void> {
    unlisten();
    await Promise.all([...writing, ...[...looking.values()].map((one) => one.catch(() => null))]);
  }

  return { authenticate, touch, forget, close, [Symbol.asyncDispose]: close };
}

function verdictOn(key: StoredKey | null, nowMs: number): KeyVerdict {
  if (key === null) return { refused: 'unknown' };
  if (key.revoked_at !== null) return { refused: 'revoked' };
  const { id, name, scopes, expires_at: expiresAt } = key;
  if (expiresAt !== null && Date.parse(expiresAt) <= nowMs) return { refused: 'expired' };
  return { caller: { id, name, scopes, expiresAt } };
}
