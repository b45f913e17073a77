import type { Logger } from 'pino';

import type { DeliverDeps } from '../activities/deliver.ts';
import type { DrainDeps } from '../activities/drain.ts';
import type { VisitDeps } from '../activities/visit.ts';
import { outdatedSenders } from '../consumers/outdatedSenders.ts';
import type { StartFaults } from '../consumers/startFaults.ts';
import { CHANNELS } from '../db/channels.ts';
import type { Db } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import type { Vault } from '../db/vault.ts';
import { createConditions } from '../delivery/conditions.ts';
import type { Drain, DeliveryCounts, DrainContext } from '../delivery/drainContext.ts';
import { createLateAnswers } from '../delivery/lateAnswers.ts';
import { createRecoveries } from '../delivery/recoveries.ts';
import { loadSenderConfig } from '../delivery/senderConfig.ts';
import { createBudget } from '../flow/budget.ts';
import { createLoop } from '../process/loop.ts';
import { createCommitter } from '../progress/committer.ts';
import { createConditionFaults } from '../progress/conditionFaults.ts';
import { createParkedStore } from '../progress/parkedRows.ts';
import { createProgress } from '../progress/progress.ts';
import { ownRetriesMs, visitRetriesMs } from '../rules/headPlan.ts';
import { laneHolder } from '../rules/laneHolder.ts';
import { createPages } from '../streams/pages.ts';
import { createTail } from '../streams/tail.ts';
import { openLane, type Lane } from '../visits/lane.ts';
import type { VisitCounts } from '../visits/visitCounts.ts';
import { createVisitStore } from '../visits/visitStore.ts';
import type { OpenSender } from './openSender.ts';

const TICK_MS = 50;
const COMMIT_MS = 25;
const LEASE_MS = 8_000;
/**
 * The lease of a lane, which stands for thousands of consumers: longer, because a lane that loses it begins
 * again with all of them.
 */
const LANE_LEASE_MS = 10_000;
const TAIL_POLL_MS = 500;
const TIME_BUDGET_MS = 3_600_000;
/**
 * How long a consumer is visited after its last entry; while it rests, it costs some memory and a commit a
 * minute.
 */
const LINGER_MS = 3_600_000;
const VISIT_POLL_MS = 500;
/** How long failed evaluations of conditions are collected before they are stored. */
const FAULTS_MS = 1_000;
const MOST_VISITED = 20_000;
const MEMORY_BYTES = 256 * 1024 * 1024;
/** The part of the memory that each of the two tails gets; the drains share the rest. */
const TAIL_PART = 1 / 8;
const MAX_REQUESTS = 4_096;
/** The memory of an open connection, TLS included. */
const REQUEST_BYTES = 32 * 1024;
/** Slots kept free for `deliver` and for the consumers that wake next. */
const SPARE_SLOTS = 20;

export interface DrainsOptions {
  db: Pick<Db, 'query' | 'pipe' | 'leases'>;
  vault: Vault;
  listener: Pick<Listener, 'on'>;
  openSender: OpenSender;
  /** What lanes of visits need in addition; without it, this process opens none. */
  visits?: {
    /** Opens a sender of a visited consumer, over connections that visits share. */
    openSender: OpenSender;
    /** The region whose consumers are visited. */
    region: string;
    /** Hints a consumer's workflow that it needs a drain. */
    handOver: (consumerId: string, wanted: number) => void;
    /** Counts visits, for metrics. */
    counts?: VisitCounts | undefined;
  };
  /** Names this process in cursors. */
  holder: string;
  idleAfterMs: number;
  /** How long a consumer is visited after its last entry, ms; an hour unless given. */
  lingerMs?: number | undefined;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
  retryWindowMs: number;
  /** How long after the first failure a drain makes the retries itself, ms; a minute of 24 hours unless given. */
  ownRetriesMs?: number | undefined;
  /** The same for a lane of visits, ms; 36 minutes of 24 hours unless given. */
  visitRetriesMs?: number | undefined;
  /** How many activities this process may run concurrently. */
  slots: number;
  /** The memory for entries that are sent, shared by all drains; 256 MB unless given. */
  memoryBytes?: number;
  reportHead: DeliverDeps['reportHead'];
  /** Notes faults that keep a consumer from sending. */
  faults: StartFaults;
  /** Called when there may be a mail to send. */
  mailWaits: () => void;
  /** Counts what is stored, for metrics. */
  counted?: DeliveryCounts['counted'] | undefined;
  log: Logger;
}

/** The drains of a process. */
export interface Drains extends AsyncDisposable {
  deps: DrainDeps & DeliverDeps & VisitDeps;
  /** How many consumers are being drained in this process. */
  readonly running: number;
  /** Begins the end of the process: if Postgres is away, it is waited for no longer than this. */
  endWithin(ms: number): void;
  /** The consumers whose last outcomes could not be stored by then. */
  readonly unstored: ReadonlySet<string>;
}

/**
 * Creates what all senders of a process share: tails, committer, budget and ticks. Connections are opened by
 * `openSender`. Disposing of it stores the remaining outcomes as far as possible and stops reading.
 */
export function createDrains(options: DrainsOptions): Drains {
  const { db, vault, listener, openSender, log } = options;
  const pages = createPages(db);
  const stored = createProgress(db);
  const progress = options.counted?.(stored) ?? stored;
  const committer = createCommitter({ progress, intervalMs: COMMIT_MS, leaseMs: LEASE_MS, log });
  const { memoryBytes = MEMORY_BYTES } = options;
  const maxBytes = Math.floor(TAIL_PART * memoryBytes);
  const tail = { pages: createPages(db.pipe), listener, pollMs: TAIL_POLL_MS, maxBytes, log };
  const tails = {
    records: createTail({ stream: 'records', ...tail }),
    events: createTail({ stream: 'events', ...tail }),
  };
  const conditionFaults = createConditionFaults({ sql: db, everyMs: FAULTS_MS, log });
  const drains = new Set<Drain>();
  const weigh = (bytes: number): void => context.budget.bytes.take(bytes);
  const context: DrainContext = {
    pages,
    progress,
    parked: createParkedStore(db.pipe),
    committer,
    tails,
    budget: createBudget({
      requests: Math.min(MAX_REQUESTS, Math.floor(memoryBytes / REQUEST_BYTES)),
      bytes: memoryBytes - 2 * maxBytes,
    }),
    recoveries: createRecoveries(),
    conditions: createConditions({ note: conditionFaults.note }),
    loadConfig: (consumerId) => loadSenderConfig(db.pipe, vault, consumerId),
    openSender: (config, ended, startBy) =>
      openSender(config, config.target.maxInFlight, ended, startBy, weigh),
    now: options.now,
    idleAfterMs: options.idleAfterMs,
    retryWindowMs: options.retryWindowMs,
    ownRetriesMs: options.ownRetriesMs ?? ownRetriesMs(options.retryWindowMs),
    timeBudgetMs: TIME_BUDGET_MS,
    log,
  };

  const timer = setInterval(() => {
    const now = performance.now();
    for (const drain of drains) drain.tick(now);
    if (drains.size > options.slots - SPARE_SLOTS) giveUpOne(drains);
  }, TICK_MS);
  const lateAnswers = createLateAnswers({ progress, log });
  const visitStore = createVisitStore(db, vault);
  let terms = 0; // of all lanes that were ever open here
  const changes = createLoop({
    turn: async () => committer.markConsumers(await outdatedSenders(db)),
    failed: (error) => {
      log.warn(
        { err: error },
        'what has changed could not be read; all senders look for themselves',
      );
      committer.markAll();
    },
  });
  // Only a hint that a row has changed: each commit and renewal returns the newest versions as well.
  const unlisten = listener.on(CHANNELS.consumers, (consumerId) => {
    if (consumerId === null || consumerId === '') changes.ask();
    else committer.markConsumers(new Set([consumerId]));
  });

  function openLaneHere(lane: number): Lane {
    const { visits } = options;
    if (visits === undefined) throw new Error('this process opens no lanes of visits');
    const { openSender: open, ...rest } = visits;
    const openVisitSender: DrainContext['openSender'] = (config, ended, startBy) =>
      open(config, config.target.maxInFlight, ended, startBy, weigh);
    return openLane({
      ...rest,
      context: {
        ...context,
        openSender: openVisitSender,
        ownRetriesMs: options.visitRetriesMs ?? visitRetriesMs(options.retryWindowMs),
      },
      store: visitStore,
      listener,
      nextHolder: () => laneHolder(options.holder, lane, (terms += 1)),
      leaseMs: LANE_LEASE_MS,
      lingerMs: options.lingerMs ?? LINGER_MS,
      pollMs: VISIT_POLL_MS,
      most: MOST_VISITED,
      log,
    });
  }

  return {
    deps: {
      context,
      leaseMs: LEASE_MS,
      holder: options.holder,
      register: (drain) => {
        drains.add(drain);
        return () => void drains.delete(drain);
      },
      openSingle: (config, ended, startBy, late) =>
        openSender(config, 1, ended, startBy, weigh, late),
      lateAnswers,
      reportHead: options.reportHead,
      openLane: openLaneHere,
      lanes: new Set(),
      faults: options.faults,
      mailWaits: options.mailWaits,
    },
    get running() {
      return drains.size;
    },
    endWithin: (ms) => committer.endBy(performance.now() + ms),
    unstored: committer.unstored,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      unlisten();
      await changes.close();
      lateAnswers.close();
      tails.records.close();
      tails.events.close();
      await committer[Symbol.asyncDispose]();
      await conditionFaults[Symbol.asyncDispose]();
    },
  };
}

/** Ends a drain to free its slot: the one that has been quiet for longest, or else one whose endpoint fails. */
function giveUpOne(drains: Iterable<Drain>): void {
  const quiet = quietest(drains);
  if (quiet !== null) {
    quiet.stop('idle');
    return;
  }
  for (const drain of drains) {
    if (!drain.isFailing) continue;
    drain.stop('blocked'); // `deliver` needs a slot only for each attempt
    return;
  }
}

/** The drain that has had nothing to do for the longest time; null when all are busy. */
function quietest(drains: Iterable<Drain>): Drain | null {
  let found: Drain | null = null;
  let since = Infinity;
  for (const drain of drains) {
    if (drain.quietSince === null || drain.quietSince >= since) continue;
    found = drain;
    since = drain.quietSince;
  }
  return found;
}
