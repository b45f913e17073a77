import type { Logger } from 'pino';

import { createOutcomeStore, type HandedOver } from './outcomeStore.ts';
import type { Progress } from './progress.ts';
import type { Committed, SenderOutcomes } from './senderOutcomes.ts';

/** A drain as the committer sees it. */
export interface Committing {
  readonly consumerId: string;
  /** Hands over what has happened since the last call; called only when that has been stored. */
  toStore(): SenderOutcomes;
  /** Called once what was handed over is stored. Its own lease holds until `leaseUntil` (monotonic ms); null: it has none. */
  stored(committed: Committed, leaseUntil: number | null): void;
  /** Called when a successor has the cursor: nothing that this sender does is stored any more. */
  fenced(): void;
  /** Called when this consumer's outcomes cannot be stored, for a reason that will not pass, or are given up. */
  broken(error: Error): void;
}

/** Stores the outcomes of all drains of a process. */
export interface Committer extends AsyncDisposable {
  /** Keeps the lease of `one` renewed until `leave`, and has its outcomes stored at least so often. */
  join(one: Committing, how?: Joining): void;
  leave(one: Committing): void;
  /** Has the outcomes of `one` stored within the interval, or the time with which it has joined. */
  mark(one: Committing): void;
  /** Stores what there is without waiting; resolves when it is stored, or the sender is fenced or broken. */
  flush(one: Committing): Promise<void>;
  /** Marks the drains of a consumer, whose row has changed; a commit returns its versions. */
  markConsumer(consumerId: string): void;
  /** Marks all drains, as the rows of any consumer may have changed. */
  markAll(): void;
  /** Ends the patience of a process that has to end: outcomes not stored by then (monotonic ms) are given up. */
  endBy(at: number): void;
  /** The time given to `endBy`; Infinity before. */
  readonly endsAt: number;
  /** The consumers whose last outcomes were given up: what they sent may be sent again. */
  readonly unstored: Set<string>;
  /**
   * False while Postgres is away, or has not answered a commit for 2 s: nothing may be sent whose outcome could
   * not be stored, as all of it would be sent again after a crash.
   */
  readonly healthy: boolean;
}

/** How a sender joins. */
export interface Joining {
  /** Whether it goes by the lease of its lane, and has none of its own that is to be renewed. */
  isOfLane?: boolean;
  /**
   * About how often its cursor is stored even if it has nothing to store, ms; in the time of a lease unless given.
   * Where there are thousands of a lane, it may take half a minute until each has had its turn.
   */
  everyMs?: number;
  /** The pause before a commit of what it has to store, ms; that of all unless given. */
  withinMs?: number;
}

interface Joined {
  isOfLane: boolean;
  everyMs: number;
  withinMs: number;
  /** When it was last stored, monotonic ms. */
  storedAt: number;
}

/** How often outcomes are stored, and where. */
export interface CommitterOptions {
  progress: Progress;
  /** The pause before a commit, in which further outcomes join it, ms. */
  intervalMs: number;
  leaseMs: number;
  log: Logger;
}

/** A commit that takes longer than this may take any time, ms. */
const LONG_MS = 2_000;
/** How often leases are looked at, in each lease's time. */
const RENEWALS = 32;
/** A lease of which this part is over is renewed in any case. */
const LATEST = 0.6;
/** So many leases may be renewed at the same time without holding up what is to be stored. */
const FEW = 200;
/**
 * Of those that have no lease of their own, this part is stored at a look: nothing is lost when they wait, and a
 * statement for thousands of rows would hold up what is read and stored for others.
 */
const PATIENT_PART = 1 / 100;

/**
 * Creates a committer. It stores the outcomes of all marked drains in one statement, every
 * `intervalMs` while there are any. While Postgres is away, it keeps what it has taken and tries
 * again until that is stored or the process has to end.
 */
export function createCommitter(options: CommitterOptions): Committer {
  const { progress, leaseMs, log } = options;
  const joined = new Map<Committing, Joined>();
  const dirty = new Set<Committing>();
  let timer: NodeJS.Timeout | null = null;
  let dueAt = Infinity; // when the timer ends
  let soonest = Infinity; // the shortest pause of what has been marked since the last round
  let running: Promise<void> | null = null;
  let isLong = false; // the commit that is under way
  const outcomeStore = createOutcomeStore<Committing>({ progress, leaseMs, stored, log });

  const renewal = setInterval(renew, leaseMs / RENEWALS);

  /** Leases that are half over are renewed, those that began together not all at once unless they have to be. */
  function renew(): void {
    const now = performance.now();
    let some = Math.max(FEW, joined.size / 4);
    let patient = Math.ceil(joined.size * PATIENT_PART);
    for (const [one, { isOfLane, storedAt, everyMs }] of joined) {
      const part = (now - storedAt) / everyMs;
      if (part < 1 / 2) continue;
      if (isOfLane ? patient <= 0 : part < LATEST && some <= 0) continue;
      if (isOfLane) patient -= 1;
      else some -= 1;
      add(one);
    }
    schedule();
  }

  function add(one: Committing, withinMs = options.intervalMs): void {
    dirty.add(one);
    soonest = Math.min(soonest, withinMs);
  }

  function schedule(): void {
    if (dirty.size === 0 || running !== null) return;
    const at = performance.now() + soonest;
    if (timer !== null && dueAt <= at) return;
    clear();
    dueAt = at;
    timer = setTimeout(() => void run(), soonest);
  }

  function clear(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  }

  function run(): Promise<void> {
    clear();
    running ??= timed(round(), (is) => (isLong = is)).finally(() => {
      running = null;
      schedule();
    });
    return running;
  }

  async function round(): Promise<void> {
    const batch = [...dirty].filter((one) => joined.has(one));
    dirty.clear();
    soonest = Infinity;
    if (batch.length === 0) return;
    await outcomeStore.store(batch.flatMap(handedOver));
  }

  /** What a sender hands over; an exception in it ends this sender alone. */
  function handedOver(sender: Committing): HandedOver<Committing>[] {
    try {
      return [{ sender, outcomes: sender.toStore() }];
    } catch (error) {
      sender.broken(asError(error));
      return [];
    }
  }

  function stored(one: Committing, committed: Committed | undefined, sentAt: number): void {
    const own = joined.get(one);
    if (committed === undefined) joined.delete(one);
    else if (own !== undefined) own.storedAt = sentAt;
    try {
      if (committed === undefined) one.fenced();
      else one.stored(committed, own?.isOfLane === true ? null : sentAt + leaseMs);
    } catch (error) {
      one.broken(asError(error)); // the outcomes are stored, and those of the others as well
    }
  }

  async function flush(one: Committing): Promise<void> {
    // A round under way may have taken its outcomes before this call, so another round has to follow.
    // All drains that are flushed meanwhile share that round, so each has to be marked.
    add(one);
    await running; // in any case a moment: the caller may be one of many that are told of the same page
    await run();
  }

  return {
    join: (one, how = {}) => {
      const { isOfLane = false, everyMs = leaseMs, withinMs = options.intervalMs } = how;
      joined.set(one, { isOfLane, everyMs, withinMs, storedAt: performance.now() });
    },
    leave: (one) => void joined.delete(one),
    mark: (one) => {
      add(one, joined.get(one)?.withinMs);
      schedule();
    },
    flush,
    endBy: outcomeStore.endBy,
    get endsAt() {
      return outcomeStore.endsAt;
    },
    unstored: outcomeStore.unstored,
    markConsumer: (consumerId) => {
      for (const one of joined.keys()) if (one.consumerId === consumerId) add(one);
      schedule();
    },
    markAll: () => {
      for (const one of joined.keys()) add(one);
      schedule();
    },
    get healthy() {
      return outcomeStore.healthy && !isLong;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(renewal);
      clear();
      await running;
    },
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('a sender threw', { cause: error });
}

/** Waits for a commit; says when it takes long, and that it no longer does once it is over. */
async function timed(commit: Promise<void>, isLong: (is: boolean) => void): Promise<void> {
  const timer = setTimeout(isLong, LONG_MS, true);
  try {
    await commit;
  } finally {
    clearTimeout(timer);
    isLong(false);
  }
}
