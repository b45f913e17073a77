import type { Logger } from 'pino';

import type { DeliverDeps } from '../activities/deliver.ts';
import type { DrainDeps } from '../activities/drain.ts';
import { CHANNELS } from '../db/channels.ts';
import type { Db } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import type { Vault } from '../db/vault.ts';
import type { Drain, DeliveryCounts, DrainContext } from '../delivery/drainContext.ts';
import { loadSenderConfig, type SenderConfig } from '../delivery/senderConfig.ts';
import type { Egress } from '../egress/egress.ts';
import { createTokens } from '../egress/oauth.ts';
import type { OnAttemptEnd, Message, WebhookSender } from '../egress/webhookSender.ts';
import { createBudget } from '../flow/budget.ts';
import { createCommitter } from '../progress/committer.ts';
import { createParkedStore } from '../progress/parkedRows.ts';
import { createProgress } from '../progress/progress.ts';
import { createPages } from '../streams/pages.ts';
import { createTail } from '../streams/tail.ts';
import { openTargetSender } from '../targets/targetSender.ts';

const TICK_MS = 50;
const COMMIT_MS = 25;
const LEASE_MS = 8_000;
const TAIL_POLL_MS = 500;
const TIME_BUDGET_MS = 3_600_000;
/** Slots kept free for `deliver` and for what wakes next. */
const SPARE_SLOTS = 20;

export interface DrainsOptions {
  db: Db;
  vault: Vault;
  egress: Egress;
  listener: Listener;
  /** Names this process in cursors. */
  holder: string;
  userAgent: string;
  idleAfterMs: number;
  retryWindowMs: number;
  /** Activities this process runs at once. */
  slots: number;
  reportHead: DeliverDeps['reportHead'];
  /** Counts what is sent and stored; none: nobody asks. */
  counts?: DeliveryCounts;
  log: Logger;
}

export interface Drains extends AsyncDisposable {
  deps: DrainDeps & DeliverDeps;
  /** Consumers being drained here. */
  readonly running: number;
  /** The process is to end: Postgres, if it is away, is waited for no longer than this. */
  endWithin(ms: number): void;
  /** Consumers whose last outcomes could not be stored by then. */
  readonly unstored: ReadonlySet<string>;
}

/** What all drains of the process share: tails, committer, budget, clock and connections. */
export function createDrains(options: DrainsOptions): Drains {
  const { db, vault, egress, listener, log } = options;
  const tokens = createTokens({ egress, userAgent: options.userAgent });
  const pages = createPages(db);
  const stored = createProgress(db);
  const progress = options.counts?.counted(stored) ?? stored;
  const committer = createCommitter({ progress, intervalMs: COMMIT_MS, leaseMs: LEASE_MS, log });
  const tail = { pages: createPages(db.pipe), listener, pollMs: TAIL_POLL_MS, log };
  const tails = {
    records: createTail({ stream: 'records', ...tail }),
    events: createTail({ stream: 'events', ...tail }),
  };
  const deliveries = new Set<Drain>();
  const context: DrainContext = {
    pages,
    progress,
    parked: createParkedStore(db.pipe),
    committer,
    tails,
    budget: createBudget({ requests: 4_096, bytes: 256 * 1024 * 1024 }),
    loadConfig: (consumerId) => loadSenderConfig(db.pipe, vault, consumerId),
    openSender: (config, ended, startBy) =>
      openSender(config, config.target.maxInFlight, ended, startBy),
    idleAfterMs: options.idleAfterMs,
    retryWindowMs: options.retryWindowMs,
    timeBudgetMs: TIME_BUDGET_MS,
    log,
  };

  const timer = setInterval(() => {
    const now = performance.now();
    for (const delivery of deliveries) delivery.tick(now);
    if (deliveries.size > options.slots - SPARE_SLOTS) quietest(deliveries)?.stop('idle');
  }, TICK_MS);
  // A hint that a row has changed; each commit and renewal says so, too.
  const unlisten = listener.on(CHANNELS.consumers, () => committer.markAll());

  function openSender<M extends Message>(
    config: SenderConfig,
    connections: number,
    ended: OnAttemptEnd<M>,
    startBy: () => number,
  ): WebhookSender<M> {
    const { path, consumerId } = config;
    const { userAgent, counts } = options;
    const requests = counts === undefined ? {} : { requests: counts.requests };
    const shared = { egress, tokens, userAgent, ...requests };
    const how = { ...shared, path, consumerId, connections, ended, startBy };
    return openTargetSender(config.target, how);
  }

  return {
    deps: {
      context,
      leaseMs: LEASE_MS,
      holder: options.holder,
      register: (delivery) => {
        deliveries.add(delivery);
        return () => void deliveries.delete(delivery);
      },
      openSingle: (config, ended, startBy) => openSender(config, 1, ended, startBy),
      reportHead: options.reportHead,
    },
    get running() {
      return deliveries.size;
    },
    endWithin: (ms) => committer.endBy(performance.now() + ms),
    unstored: committer.unstored,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      unlisten();
      tails.records.close();
      tails.events.close();
      await committer[Symbol.asyncDispose]();
    },
  };
}

/** The one that has had nothing to do for longest. */
function quietest(deliveries: Iterable<Drain>): Drain | null {
  let found: Drain | null = null;
  let since = Infinity;
  for (const delivery of deliveries) {
    if (delivery.quietSince === null || delivery.quietSince >= since) continue;
    found = delivery;
    since = delivery.quietSince;
  }
  return found;
}
