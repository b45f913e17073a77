import type { Egress } from './egress.ts';
import type { Outlet, OutletOptions } from './outlet.ts';

/**
 * Connections that belong to the process: all senders that send to one origin in the same way share them, and
 * they outlive each of these senders. Everything that is sent over them, headers and credentials included,
 * belongs to a single request.
 */
export interface SharedOutlets {
  /** Opens an outlet to an origin. Closing it only releases it; open requests continue. */
  open(options: OutletOptions): Outlet;
  /** Closes all connections, once their requests have ended. */
  close(): Promise<void>;
}

export interface SharedOutletsOptions {
  egress: Pick<Egress, 'open'>;
  /** The largest number of connections to one origin. */
  connections: number;
  /** So many are opened as they are needed; more only as requests keep waiting. */
  eager: number;
}

interface Shared {
  outlet: Outlet;
  users: number;
  /** When it was last released, monotonic ms. */
  unusedSince: number;
}

/** An origin that has not been used for so long is forgotten, ms. Its connections have closed long before. */
const FORGET_MS = 60_000;

/** Creates an empty pool. */
export function createSharedOutlets(options: SharedOutletsOptions): SharedOutlets {
  const { egress, connections, eager } = options;
  const all = new Map<string, Shared>();
  const closing = new Set<Promise<void>>();
  const timer = setInterval(forget, FORGET_MS / 2).unref();

  function open(to: OutletOptions): Outlet {
    // A certificate says which key it has.
    const { certificate = null } = to.clientCertificate ?? {};
    const key = JSON.stringify([to.origin, to.connectTimeoutMs, to.ca ?? null, certificate]);
    const known = all.get(key);
    const shared = known ?? {
      outlet: egress.open({ ...to, connections, eager }),
      users: 0,
      unusedSince: 0,
    };
    if (known === undefined) all.set(key, shared);
    shared.users += 1;
    let held = true;

    async function letGo(): Promise<void> {
      if (!held) return;
      held = false;
      shared.users -= 1;
      shared.unusedSince = performance.now();
    }

    return { dispatch: shared.outlet.dispatch, close: letGo, destroy: letGo };
  }

  function forget(): void {
    const before = performance.now() - FORGET_MS;
    for (const [key, { outlet, users, unusedSince }] of all) {
      if (users > 0 || unusedSince > before) continue;
      all.delete(key);
      const closed = outlet.close().finally(() => closing.delete(closed));
      closing.add(closed);
    }
  }

  return {
    open,
    close: async () => {
      clearInterval(timer);
      const open = [...all.values()];
      all.clear();
      await Promise.all([...closing, ...open.map(({ outlet }) => outlet.close())]);
    },
  };
}
