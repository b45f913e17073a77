import type { Logger } from 'pino';

import type { Budget } from './budget.ts';
import type { Committer } from './committer.ts';
import type { Ended } from './delivery/ending.ts';
import type { Sent } from './failure/outgoing.ts';
import type { Pages } from './pages.ts';
import type { ParkedStore } from './parked.ts';
import type { Progress } from './progress.ts';
import type { Run } from './run.ts';
import type { StreamName } from './schema.ts';
import type { Ended as AttemptEnded, Sender } from './sender.ts';
import type { Tail } from './tail.ts';

/** What the drains of a process share. */
export interface Shared {
  pages: Pages;
  progress: Progress;
  parked: ParkedStore;
  committer: Committer;
  tails: Record<StreamName, Tail>;
  budget: Budget;
  loadRun: (consumerId: string) => Promise<Run | null>;
  openSender: (run: Run, ended: AttemptEnded<Sent>, startBy: () => number) => Sender<Sent>;
  idleAfterMs: number;
  retryWindowMs: number;
  /** A delivery lets go after this long, so that new code and a new workflow run get their turn. */
  timeBudgetMs: number;
  log: Logger;
}

export interface Delivery {
  ended: Promise<Ended>;
  /** Starts nothing more; ends when what is in flight has ended and is stored. */
  stop(reason: 'yielded' | 'changed' | 'idle'): void;
  /** Called every few tens of ms by the process. */
  tick(now: number): void;
  /** Since when there was nothing to do (monotonic ms); null while there is. */
  readonly quietSince: number | null;
}
