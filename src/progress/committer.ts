import type { Logger } from 'pino';

import { createOutcomeStore, type HandedOver } from './outcomeStore.ts';
import type { Progress } from './progress.ts';
import type { Committed, SenderOutcomes } from './senderOutcomes.ts';

/** A drain as the committer sees it. */
export interface Committing {
  readonly consumerId: string;
  /**
   * Returns everything that has happened since the last call; called only when the result of that call has been
   * stored.
   */
  toStore(): SenderOutcomes;
  /**
   * Called once the handed-over outcomes are stored. The sender's own lease holds until `leaseUntil` (monotonic
   * ms); null: it has none.
   */
  stored(committed: Committed, leaseUntil: number | null): void;
  /** Called when a successor has the cursor: no write of this sender has an effect any more. */
  fenced(): void;
  /** Called when this consumer's outcomes cannot be stored, for a reason that will not pass, or are given up. */
  broken(error: Error): void;
}

/** Stores the outcomes of all drains of a process. */
export interface Committer extends AsyncDisposable {
  /** Keeps the lease of `one` renewed until `leave`, and stores its outcomes at least as often as `how` says. */
  join(one: Committing, how?: Joining): void;
  leave(one: Committing): void;
  /** Marks outcomes of `one` to be stored within the interval, or the time given to `join`. */
  mark(one: Committing): void;
  /**
   * Stores all outcomes of `one` without waiting; resolves when they are stored, or the sender is fenced or
   * broken.
   */
  flush(one: Committing): Promise<void>;
  /** Marks the senders of these consumers, whose rows or targets have changed; a commit returns the versions. */
  markConsumers(consumerIds: ReadonlySet<string>): void;
  /** Marks all drains, because the rows of any consumer may have changed. */
  markAll(): void;
  /**
   * Sets the time (monotonic ms) at which a process that has to end gives up outcomes that are not stored by
   * then.
   */
  endBy(at: number): void;
  /** The time given to `endBy`; Infinity before. */
  readonly endsAt: number;
  /** The consumers whose last outcomes were given up: what they sent may be sent again. */
  readonly unstored: Set<string>;
  /**
   * False while Postgres is away, or has not answered a commit for 2 s. Nothing may be sent then, because its
   * outcome could not be stored, and after a crash all of it would be sent again.
   */
  readonly healthy: boolean;
}

/** How a sender joins. */
export interface Joining {
  /** Whether the sender uses the lease of its lane, and has no lease of its own to be renewed. */
  isOfLane?: boolean;
  /**
   * About how often its cursor is stored even if it has no outcomes, ms; within the time of a lease unless
   * given. With thousands of consumers of a lane, it may take half a minute until each has had its turn.
   */
  everyMs?: number;
  /** The pause before its outcomes are committed, ms; the committer's own unless given. */
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

/** A commit that takes longer than this counts as long, because it may take any time from then on, ms. */
const LONG_MS = 2_000;
/** How many times leases are checked within the time of a lease. */
const RENEWALS = 32;
/** A lease of which this part has passed is renewed in any case. */
const LATEST = 0.6;
/** So many leases may be renewed at the same time without holding up outcomes. */
const FEW = 200;
/**
 * The part of the senders without a lease of their own that is stored at each check. Nothing is lost when they
 * wait, and a statement for thousands of rows would hold up other statements.
 */
const PATIENT_PART = 1 / 100;

/**
 * Creates a committer. It stores the outcomes of all marked drains in one statement, every `intervalMs` while
 * there are any. While Postgres is away, it keeps the outcomes it has taken and tries again until they are
 * stored or the process has to end.
 */
export function createCommitter(options: CommitterOptions): Committer {
  const { progress, leaseMs, log } = options;
  const joined = new Map<Committing, Joined>();
  const dirty = new Set<Committing>();
  let timer: NodeJS.Timeout | null = null;
  let dueAt = Infinity; // when the timer ends
  let soonest = Infinity; // the shortest pause of what has been marked since the last round
  let running: Promise<void> | null = null;
  let isLong = false; // the commit in progress
  const outcomeStore = createOutcomeStore<Committing>({ progress, leaseMs, stored, log });

  const renewal = setInterval(renew, leaseMs / RENEWALS);

  /** Renews leases of which half has passed, but those that began together not all at once unless they have to be. */
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

  /** The outcomes of a sender; an exception while it hands them over ends this sender alone. */
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
      one.broken(asError(error)); // the outcomes are stored, and so are those of the others
    }
  }

  async function flush(one: Committing): Promise<void> {
    // A round in progress may have taken its outcomes before this call, so another round has to follow. All
    // drains that are flushed meanwhile share that round, so each has to be marked.
    add(one);
    await running; // always waits a moment, because the caller may be one of many that are called for the same page
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
    markConsumers: (consumerIds) => {
      for (const one of joined.keys()) if (consumerIds.has(one.consumerId)) add(one);
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
