import type { Logger } from 'pino';

import { createOutcomeStore } from './outcomeStore.ts';
import type { Progress } from './progress.ts';
import type { Committed, SenderOutcomes } from './senderOutcomes.ts';

/** One drain as the committer sees it. */
export interface Committing {
  readonly consumerId: string;
  /** Hands over what has happened since the last call; called only when the last hand-over is stored. */
  toStore(): SenderOutcomes;
  /** Stored. The lease holds until `leaseUntil` on the monotonic clock. */
  stored(committed: Committed, leaseUntil: number): void;
  /** A successor has the cursor: nothing of this sender counts any more. */
  fenced(): void;
  /** This consumer's outcomes cannot be stored, for a reason that will not pass. */
  broken(error: Error): void;
}

export interface Committer extends AsyncDisposable {
  /** Keeps the lease of `one` renewed until `leave`. */
  join(one: Committing): void;
  leave(one: Committing): void;
  /** There is something to store within the interval. */
  mark(one: Committing): void;
  /** Stores at once what there is; resolves when it is stored, or the sender is fenced or broken. */
  flush(one: Committing): Promise<void>;
  /** The rows of all drains here may have changed. */
  markAll(): void;
  /** The process is to end: what can't be stored by then (monotonic ms), as Postgres is away, is given up. */
  endBy(at: number): void;
  /** Infinity until the process is to end. */
  readonly endsAt: number;
  /** Consumers whose last outcomes were given up: what they sent may be sent again. */
  readonly unstored: Set<string>;
  /** False while Postgres is away: nothing may be sent that could not be recorded. */
  readonly healthy: boolean;
}

export interface CommitterOptions {
  progress: Progress;
  /** Between two commits, ms. */
  intervalMs: number;
  leaseMs: number;
  log: Logger;
}

/**
 * Stores the outcomes of all drains of the process, set-based, one statement at a time, every
 * `intervalMs` while there is anything. While Postgres is away it keeps what it took and tries
 * again until it is stored, or the process has to end.
 */
export function createCommitter(options: CommitterOptions): Committer {
  const { progress, leaseMs, log } = options;
  const joined = new Map<Committing, number>(); // → when its lease was last renewed
  const dirty = new Set<Committing>();
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;
  const outcomeStore = createOutcomeStore<Committing>({ progress, leaseMs, stored, log });

  const renewal = setInterval(() => {
    const due = performance.now() - leaseMs / 2;
    for (const [one, renewedAt] of joined) if (renewedAt < due) dirty.add(one);
    if (dirty.size > 0) schedule();
  }, leaseMs / 8);

  function schedule(): void {
    if (timer !== null || running !== null) return;
    timer = setTimeout(() => {
      timer = null;
      void run();
    }, options.intervalMs);
  }

  function run(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    running ??= round().finally(() => {
      running = null;
      if (dirty.size > 0) schedule();
    });
    return running;
  }

  async function round(): Promise<void> {
    const batch = [...dirty].filter((one) => joined.has(one));
    dirty.clear();
    if (batch.length === 0) return;
    await outcomeStore.store(batch.map((sender) => ({ sender, outcomes: sender.toStore() })));
  }

  function stored(one: Committing, committed: Committed | undefined, sentAt: number): void {
    if (committed === undefined) {
      joined.delete(one);
      one.fenced();
      return;
    }
    if (joined.has(one)) joined.set(one, sentAt);
    one.stored(committed, sentAt + leaseMs);
  }

  async function flush(one: Committing): Promise<void> {
    // A round under way took its outcomes before this call, so a second one has to follow: one
    // for all that were flushed meanwhile, so it must find them marked.
    dirty.add(one);
    if (running !== null) await running;
    await run();
  }

  return {
    join: (one) => void joined.set(one, performance.now()),
    leave: (one) => void joined.delete(one),
    mark: (one) => {
      dirty.add(one);
      schedule();
    },
    flush,
    endBy: outcomeStore.endBy,
    get endsAt() {
      return outcomeStore.endsAt;
    },
    unstored: outcomeStore.unstored,
    markAll: () => {
      for (const one of joined.keys()) dirty.add(one);
      schedule();
    },
    get healthy() {
      return outcomeStore.healthy;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(renewal);
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}
