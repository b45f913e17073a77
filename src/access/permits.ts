import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { hasScope } from '../rules/hasScope.ts';
import type { Scope } from '../schema/apiKey.ts';
import type { ApiKeys, KeyStanding } from './apiKeys.ts';
import type { Caller } from './caller.ts';
import { BOOTSTRAP } from './keyring.ts';
import type { Sessions } from './sessions.ts';

/** Who holds an answer open, and with which right. */
export interface Holder {
  caller: Pick<Caller, 'id'>;
  /** The hash of the session's token; null for a caller that sent its key. */
  session: Buffer | null;
  /** The scope that the route needs; null when any caller may have the answer. */
  scope: Scope | null;
}

/**
 * Why a permit has ended. `unjudged`: Postgres has not answered for seconds, so that it is unknown whether the
 * caller is still allowed.
 */
export type PermitEnd = 'revoked' | 'expired' | 'signed-out' | 'forbidden' | 'unjudged';

/** The right to hold an answer open. It ends within 5 s of the end of its key, its session or its scope. */
export interface Permit extends Disposable {
  /** Aborts when the permit ends. */
  readonly signal: AbortSignal;
  /** Null while the permit holds. */
  readonly end: PermitEnd | null;
  /** The scope that it needs; null when it needs none. */
  readonly scope: Scope | null;
}

/** Checks again, while an answer is open, what was checked when its request came. */
export interface Permits extends AsyncDisposable {
  /** Begins to watch a caller who has just been allowed in; dispose the permit with the answer. */
  open(holder: Holder): Permit;
  /** How many answers are watched now. */
  readonly size: number;
  close(): Promise<void>;
}

export interface PermitsOptions {
  apiKeys: Pick<ApiKeys, 'standings'>;
  sessions: Pick<Sessions, 'standings'>;
  listener: Pick<Listener, 'on'>;
  log: Pick<Logger, 'warn'>;
}

const LOOK_MS = 1_000;
/** A permit that could not be checked for so long ends. */
const UNJUDGED_MS = 4_000;

interface Watched {
  holder: Holder;
  gone: AbortController;
  end: PermitEnd | null;
  /** When the caller was last known to be allowed, monotonic ms. */
  since: number;
}

/**
 * Checks once a second, and immediately when a key is revoked: with one query for all keys and one for all
 * sessions, however many answers are open, and with none while no answer is. A check does not prolong a
 * session.
 */
export function createPermits(options: PermitsOptions): Permits {
  const { apiKeys, sessions, listener, log } = options;
  const open = new Set<Watched>();
  let timer: NodeJS.Timeout | null = null;
  let looking: Promise<void> | null = null;
  let isStale = false;
  const unlisten = listener.on(CHANNELS.apiKeys, look);

  function tick(): void {
    const before = performance.now() - UNJUDGED_MS;
    for (const one of open) {
      if (one.since < before && !isConfigured(one.holder)) conclude(one, 'unjudged');
    }
    look();
  }

  function look(): void {
    if (open.size === 0) return;
    isStale = looking !== null; // the rows being read may be older than the latest change
    looking ??= judge().finally(() => {
      looking = null;
      if (isStale) look();
    });
  }

  async function judge(): Promise<void> {
    const since = performance.now();
    const all = [...open].filter(({ holder }) => !isConfigured(holder));
    const byKey = all.filter(({ holder }) => holder.session === null);
    const bySession = all.filter(({ holder }) => holder.session !== null);
    try {
      const [keys, found] = await Promise.all([
        standings(byKey, ({ caller }) => caller.id, apiKeys.standings),
        standings(bySession, ({ session }) => session?.toString('hex') ?? '', sessions.standings),
      ]);
      for (const one of byKey) conclude(one, endOf(one.holder, keys.get(one.holder.caller.id)));
      for (const one of bySession) {
        const standing = found.get(one.holder.session?.toString('hex') ?? '');
        conclude(one, endOf(one.holder, standing));
      }
      for (const one of all) one.since = since;
    } catch (error) {
      log.warn({ err: error }, 'the callers of open responses could not be checked; trying again');
    }
  }

  function conclude(one: Watched, end: PermitEnd | null): void {
    if (end === null || one.end !== null) return;
    one.end = end;
    one.gone.abort();
  }

  function watch(holder: Holder): Permit {
    const gone = new AbortController();
    const one: Watched = { holder, gone, end: null, since: performance.now() };
    open.add(one);
    timer ??= setInterval(tick, LOOK_MS);
    return {
      signal: gone.signal,
      scope: holder.scope,
      get end() {
        return one.end;
      },
      [Symbol.dispose]: () => {
        open.delete(one);
        if (timer === null || open.size > 0) return;
        clearInterval(timer);
        timer = null;
      },
    };
  }

  async function close(): Promise<void> {
    unlisten();
    if (timer !== null) clearInterval(timer);
    isStale = false;
    await looking;
  }

  return {
    open: watch,
    get size() {
      return open.size;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Asks once for each name that occurs, and not at all if there is none. */
async function standings(
  watched: Watched[],
  nameOf: (holder: Holder) => string,
  ask: (names: string[]) => Promise<Map<string, KeyStanding>>,
): Promise<Map<string, KeyStanding>> {
  const names = new Set(watched.map(({ holder }) => nameOf(holder)));
  return names.size === 0 ? new Map() : ask([...names]);
}

/** Whether the holder sent the configured key, which does not change while the process runs. */
function isConfigured({ caller, session }: Holder): boolean {
  return session === null && caller.id === BOOTSTRAP.id;
}

/** Why the holder may not continue; null when it may. A key or session that is no longer found has ended. */
export function endOf(holder: Holder, standing: KeyStanding | undefined): PermitEnd | null {
  if (standing === undefined) return holder.session === null ? 'revoked' : 'signed-out';
  if (standing.state !== 'good') return standing.state;
  const { scope } = holder;
  return scope === null || hasScope(standing.scopes, scope) ? null : 'forbidden';
}
