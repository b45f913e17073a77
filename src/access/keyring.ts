import { timingSafeEqual } from 'node:crypto';

import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { Scope } from '../schema/apiKey.ts';
import { digestOf, type ApiKeys, type StoredKey } from './apiKeys.ts';
import type { Caller } from './caller.ts';

/** Who sends a key, or why nobody may with it. */
export type KeyVerdict = { caller: Caller } | { refused: 'unknown' | 'expired' | 'revoked' };

/** Knows who sends a key, as a rule without a query. */
export interface Keyring extends AsyncDisposable {
  /** Throws when Postgres is away and the key is not the configuration's. */
  authenticate(key: string): Promise<KeyVerdict>;
  /** Notes that a caller's key is in use, off the request's path. */
  touch(caller: Caller): void;
  /** What is known is looked up anew: a key was revoked. */
  forget(): void;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

export interface KeyringOptions {
  apiKeys: Pick<ApiKeys, 'find' | 'used'>;
  /** The key of the configuration: every scope, and no row. */
  bootstrapKey: string;
  listener: Pick<Listener, 'on'>;
  log: Pick<Logger, 'warn'>;
}

/** The longest that a revoked key can be used where the NOTIFY is not heard. */
const KNOWN_MS = 4_000;
/** Older knowledge is used, and renewed beside the request. */
const FRESH_MS = 2_000;
const TOUCH_MS = 60_000;
/** More keys at a time are looked up each time. */
const MOST = 10_000;
/** The form of the keys we make; nothing else is worth a query. */
const FORM = /^mk_[\w-]{43}$/u;

interface Known {
  key: StoredKey;
  /** Monotonic ms, from before the query. */
  since: number;
}

export const BOOTSTRAP: Caller = {
  id: 'bootstrap',
  name: 'bootstrap',
  scopes: Scope.options,
  expiresAt: null,
};

/** Compares in constant time; looks a key up once in a few seconds, by its hash. */
export function createKeyring(options: KeyringOptions): Keyring {
  const { apiKeys, listener, log } = options;
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
      if (age > KNOWN_MS) return verdictOn(await looked);
      looked.catch(() => undefined); // asked again, and told, once the knowledge is too old
    }
    return verdictOn(known.get(id)?.key ?? null);
  }

  /** One query at a time for a key; what it finds is kept unless `forget` was called meanwhile. */
  function lookUp(id: string, digest: Buffer): Promise<StoredKey | null> {
    const running = looking.get(id);
    if (running !== undefined) return running;
    const since = performance.now();
    const asked = generation;
    const looked = apiKeys
      .find(digest)
      .then((found) => {
        const key = found !== null && timingSafeEqual(found.hash, digest) ? found : null;
        if (asked !== generation) return key;
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
      log.warn({ err: error, api_key: id }, 'the use of a key was not noted');
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

function verdictOn(key: StoredKey | null): KeyVerdict {
  if (key === null) return { refused: 'unknown' };
  if (key.revoked_at !== null) return { refused: 'revoked' };
  const { id, name, scopes, expires_at: expiresAt } = key;
  if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) return { refused: 'expired' };
  return { caller: { id, name, scopes, expiresAt } };
}
