import type { Logger } from 'pino';

import type { LeaderStore } from './leaderStore.ts';

export interface Leadership {
  /**
   * Takes the lead, or renews it once half of its lease is over; false while another process has
   * it. When it begins under a new epoch, `begin` has ended before this resolves.
   */
  lead(): Promise<boolean>;
  /** The epoch under which this process leads; throws when it does not. */
  epoch(): number;
  /** Whether this process leads, by its own clock; false before another process can. */
  readonly leads: boolean;
  /** Gives up the epoch, but not the lease: the next `lead` begins under a new one. */
  startOver(): void;
  /** Lets another process take the lead immediately. */
  resign(): Promise<void>;
}

export interface LeadershipOptions {
  store: Pick<LeaderStore, 'lead' | 'resign'>;
  /** Names this process in the leader's row. */
  holder: string;
  /** Prepares for what is led from now on. */
  begin: () => Promise<void>;
  log: Pick<Logger, 'info' | 'warn'>;
}

const LEASE_MS = 5_000;

/** A lease on the leader's row: one process at a time holds it, each time under a new epoch. */
export function createLeadership(options: LeadershipOptions): Leadership {
  const { store, log } = options;
  let current: number | null = null;
  let leadUntil = 0;

  async function lead(): Promise<boolean> {
    const before = current;
    const now = performance.now(); // before the renewal: the lease ends here no later than there
    if (before !== null && now < leadUntil - LEASE_MS / 2) return true;
    current = await store.lead(options.holder, before, LEASE_MS);
    if (current === null) return false;
    leadUntil = now + LEASE_MS;
    if (current !== before) {
      await options.begin();
      log.info({ epoch: current }, 'this process wakes idle consumers');
    }
    return true;
  }

  function epoch(): number {
    if (current === null) throw new Error('this process does not lead');
    return current;
  }

  async function resign(): Promise<void> {
    if (current === null) return;
    await store.resign(current).catch((error: unknown) => {
      log.warn({ err: error }, 'the lead was not given up; it runs out by itself');
    });
  }

  return {
    lead,
    epoch,
    get leads() {
      return current !== null && performance.now() < leadUntil;
    },
    startOver: () => {
      current = null;
    },
    resign,
  };
}
