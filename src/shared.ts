import type { Logger } from 'pino';

import type { Budget } from './budget.ts';
import type { Committer } from './committer.ts';
import type { Outcome } from './outcome.ts';
import type { Entry, Pages } from './pages.ts';
import type { Progress } from './progress.ts';
import type { Run } from './run.ts';
import type { StreamName } from './schema.ts';
import type { Sender } from './sender.ts';
import type { Tail } from './tail.ts';
import type { Slot } from './window.ts';

/** What the drains of a process share. */
export interface Shared {
  pages: Pages;
  progress: Progress;
  committer: Committer;
  tails: Record<StreamName, Tail>;
  budget: Budget;
  loadRun: (consumerId: string) => Promise<Run | null>;
  openSender: (run: Run, ended: DeliverySenderEnded) => Sender<Sent>;
  idleAfterMs: number;
  retryWindowMs: number;
  /** A delivery lets go after this long, so that new code and a new workflow run get their turn. */
  timeBudgetMs: number;
  log: Logger;
}

/** A slot on its way; it is the message itself, so nothing is allocated for it. */
export interface Sent extends Slot<Entry> {
  position: number;
  messageId: string;
  body: string;
  attempt: number;
}
export type DeliverySenderEnded = (
  sent: Sent,
  outcome: Outcome,
  startedAt: number,
  durationMs: number,
) => void;
