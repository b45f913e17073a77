import type { Logger } from 'pino';

import type {
  OnAttemptEnd as AttemptEnded,
  OpenRequests,
  WebhookSender,
} from '../egress/webhookSender.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import type { Budget } from '../flow/budget.ts';
import type { Committer } from '../progress/committer.ts';
import type { ParkedStore } from '../progress/parkedRows.ts';
import type { Progress } from '../progress/progress.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';
import type { Tail } from '../streams/tail.ts';
import type { Conditions } from './conditions.ts';
import type { DrainEnd } from './ending.ts';
import type { Recoveries } from './recoveries.ts';
import type { SenderConfig } from './senderConfig.ts';

/** The lease of a lane of visits, for all consumers that it visits. */
export interface LaneLease {
  /** When the lease ends unless it is renewed, monotonic ms. */
  readonly until: number;
}

/** What the drains of a process share. */
export interface DrainContext {
  pages: Pages;
  progress: Progress;
  parked: ParkedStore;
  committer: Committer;
  tails: Record<StreamName, Tail>;
  budget: Budget;
  recoveries: Recoveries;
  conditions: Conditions;
  loadConfig: (consumerId: string) => Promise<SenderConfig | null>;
  openSender: (
    config: SenderConfig,
    ended: AttemptEnded<Outgoing>,
    startBy: (slot: Outgoing) => number,
  ) => WebhookSender<Outgoing>;
  /** Unix ms by the clock of Postgres, to which dates in `Retry-After` are compared. */
  now: () => number;
  idleAfterMs: number;
  retryWindowMs: number;
  /** How long after the first failure of its endpoint a drain makes the retries itself, ms. */
  ownRetriesMs: number;
  /** The lease of the lane of visits whose consumers these are; without it, each drain has a lease of its own. */
  laneLease?: LaneLease;
  /** A drain ends after this long, so that new code and a new run of the workflow get their turn. */
  timeBudgetMs: number;
  log: Logger;
}

/** A running drain. */
export interface Drain {
  /** Resolves when the drain has ended and everything is stored; rejects when that was not possible. */
  ended: Promise<DrainEnd>;
  /** Starts no further request; the drain ends when those in flight have ended and are stored. */
  stop(reason: 'yielded' | 'changed' | 'idle' | 'blocked'): void;
  /** Does what is due at `now` (monotonic ms); the process calls it every few tens of ms. */
  tick(now: number): void;
  /** Since when there has been nothing to do (monotonic ms); null while there is something. */
  readonly quietSince: number | null;
  /**
   * Until when `tick` has nothing to do (monotonic ms), unless something comes; -Infinity: it has something to
   * do.
   */
  readonly restsUntil: number;
  /**
   * Whether its endpoint counts as failing, and the drain waits for the end of that; when it is stopped as
   * blocked, `deliver` continues.
   */
  readonly isFailing: boolean;
  /** How many entries have settled. */
  readonly settledCount: number;
  /** Everything at or below it has settled. */
  readonly position: number;
}

/** The figures of deliveries, for metrics. */
export interface DeliveryCounts {
  requests: OpenRequests;
  counted(progress: Progress): Progress;
}
