import type { Logger } from 'pino';

import type { Claim, Claimed } from '../progress/leases.ts';
import type { Lateness } from './lateness.ts';
import type { Term } from './term.ts';
import type { VisitCounts } from './visitCounts.ts';
import type { Visits } from './visits.ts';
import type { VisitStore } from './visitStore.ts';

/** What a lane has under its present lease. */
export interface Current {
  term: Term;
  visits: Visits;
}

/** Claims consumers for a lane, and begins visits to them. */
export interface Claimer {
  /** Claims some of the consumers that want an entry, and asks for another turn if there may be more. */
  claimSome(current: Current): Promise<void>;
  /**
   * Notes that this lane may have claimed consumers that it does not visit; it releases them before it claims
   * others.
   */
  isUnsure(): void;
  /** Resolves when a visit has begun for each consumer that was claimed. */
  settled(): Promise<void>;
  /** The number of the last claim up to which each claimed consumer is visited; null: some may not be. */
  readonly begun: number | null;
  /** How many consumers have been claimed. */
  readonly claims: number;
}

export interface ClaimerOptions {
  store: Pick<VisitStore, 'claim' | 'load' | 'letGoOfUnknown' | 'lease'>;
  region: string;
  /** The most consumers that are visited at the same time. */
  most: number;
  counts?: VisitCounts | undefined;
  /** Asks for another turn of `claimSome`. */
  ask: () => void;
  lateness: Pick<Lateness, 'ms'>;
  /** Called with the error of work that goes on beside the turns. */
  interrupted: (error: unknown) => void;
  log: Pick<Logger, 'info'>;
}

/** How many consumers are claimed at a time. */
export const CLAIMED_AT_ONCE = 500;
/** At most so many claims wait at a time until the data for their senders has been read. */
const LOADS_AT_ONCE = 2;
const LOOK_FOR_LOST_MS = 1_000;
/**
 * A process that is as late as this, ms, has more consumers than it can look after: it pauses for as long as it
 * is late before it claims more. Otherwise it would be later still, until it could not even renew its lease in
 * time.
 */
const LATE_MS = 250;

/** Creates the claimer of a lane; it does nothing by itself. */
export function createClaimer(options: ClaimerOptions): Claimer {
  const { store, region } = options;
  const loading = new Set<Promise<void>>();
  const open = new Set<number>(); // claims whose consumers are not all visited yet
  let unsure = false;
  let lastClaim = 0;
  let claims = 0;
  let lookForLostAt = 0;
  let claimsFrom = 0;

  async function claimSome(current: Current): Promise<void> {
    const { term, visits } = current;
    if (unsure) await letGoOfUnknown(current);
    const now = performance.now();
    const room = options.most - visits.size - loading.size * CLAIMED_AT_ONCE;
    if (room <= 0 || loading.size >= LOADS_AT_ONCE || now < claimsFrom) return;
    const lost = now >= lookForLostAt;
    if (lost) lookForLostAt = now + LOOK_FOR_LOST_MS;
    if (lost) await store.lease.endLapsed();
    const limit = Math.min(room, CLAIMED_AT_ONCE);
    const of = { holder: term.id, region, limit };
    const found = await claim(visits, { ...of, lost: false });
    const left = lost ? await claim(visits, { ...of, lost: true }) : [];
    if (left.length === limit) lookForLostAt = 0; // there may be more
    if (found.length < limit && left.length < limit) return;
    const late = options.lateness.ms;
    if (late < LATE_MS) options.ask();
    else claimsFrom = performance.now() + late;
  }

  async function claim(visits: Visits, of: Omit<Claim, 'number'>): Promise<Claimed[]> {
    const number = (lastClaim += 1);
    open.add(number);
    try {
      const claimed = await store.claim({ ...of, number });
      visit(visits, claimed, number);
      return claimed;
    } catch (error) {
      unsure = true; // the claim may have been stored, and its answer lost
      open.delete(number);
      throw error;
    }
  }

  /** Begins visits once the data for their senders has been read; others are claimed meanwhile. */
  function visit(visits: Visits, claimed: Claimed[], number: number): void {
    if (claimed.length === 0) {
      open.delete(number);
      return;
    }
    claims += claimed.length;
    options.counts?.begun(claimed);
    const loaded = begin(visits, claimed)
      .catch((error: unknown) => {
        unsure = true;
        options.interrupted(error);
      })
      .finally(() => {
        loading.delete(loaded);
        open.delete(number);
        options.ask();
      });
    loading.add(loaded);
  }

  async function begin(visits: Visits, claimed: Claimed[]): Promise<void> {
    for (const one of await store.load(claimed)) visits.begin(one);
  }

  /** Releases consumers that this lane has claimed without knowing it, and therefore does not visit. */
  async function letGoOfUnknown({ term, visits }: Current): Promise<void> {
    await Promise.all(loading);
    unsure = false;
    try {
      const consumers = await store.letGoOfUnknown(term.id, visits.has);
      if (consumers > 0) options.log.info({ consumers }, LET_GO);
    } catch (error) {
      unsure = true;
      throw error;
    }
  }

  return {
    claimSome,
    isUnsure: () => {
      unsure = true;
    },
    settled: async () => {
      await Promise.all(loading);
    },
    get begun() {
      if (unsure) return null;
      const [oldest = lastClaim + 1] = open;
      return oldest - 1;
    },
    get claims() {
      return claims;
    },
  };
}

const LET_GO = 'consumers that a lane had claimed but did not visit were released';
