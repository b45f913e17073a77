import type { Logger } from 'pino';

import type { LeaderStore } from './leaderStore.ts';

/** Decides whether this process is the leader. */
export interface Leadership {
  /**
   * Takes the lead, or renews it once half of its lease is over; false while another process is the leader,
   * which is checked a few times a second. When the lead begins under a new epoch, `begin` has ended before
   * this resolves.
   */
  lead(): Promise<boolean>;
  /** The epoch under which this process is the leader; throws when it is not. */
  epoch(): number;
  /** Whether this process is the leader by its own clock, by which the lease ends before another process can lead. */
  readonly leads: boolean;
  /** Gives up the epoch, but not the lease: the next `lead` begins under a new epoch. */
  startOver(): void;
  /** Lets another process take the lead immediately. */
  resign(): Promise<void>;
}

export interface LeadershipOptions {
  store: Pick<LeaderStore, 'lead' | 'resign'>;
  /** Names this process in the leader's row. */
  holder: string;
  /** Prepares to lead under a new epoch. */
  begin: () => Promise<void>;
  log: Pick<Logger, 'info' | 'warn'>;
}

const LEASE_MS = 5_000;
/**
 * How often a process that is not the leader tries to become it, ms. It is asked at each append, when there is
 * usually nothing to change.
 */
const TRY_AGAIN_MS = 250;

/** A lease on the leader's row: one process at a time holds it, each time under a new epoch. */
export function createLeadership(options: LeadershipOptions): Leadership {
  const { store, log } = options;
  let current: number | null = null;
  let leadUntil = 0;
  let tryAgainAt = 0;

  async function lead(): Promise<boolean> {
    const before = current;
    const now = performance.now(); // read before the renewal, so that the lease ends here no later than in Postgres
    if (before !== null && now < leadUntil - LEASE_MS / 2) return true;
    if (before === null && now < tryAgainAt) return false;
    current = await store.lead(options.holder, before, LEASE_MS);
    if (current === null) {
      tryAgainAt = now + TRY_AGAIN_MS;
      return false;
    }
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
      log.warn(
        { err: error },
        'the role of the leader could not be released; its lease ends by itself',
      );
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
      tryAgainAt = 0;
    },
    resign,
  };
}
