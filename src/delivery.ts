import type { Committing } from './committer.ts';
import { createFilterStack } from './filterStack.ts';
import { createLanes, laneOf } from './order.ts';
import type { Outcome } from './outcome.ts';
import type { Entry } from './pages.ts';
import { createOutcomeLog, toRelease, type FailingHead } from './outcomes.ts';
import type { Lease, Outcomes } from './progress.ts';
import { createReader } from './reader.ts';
import type { Run } from './run.ts';
import type { Sender } from './sender.ts';
import type { Sent, Shared } from './shared.ts';
import { createWindow } from './window.ts';

/** Entries read but not sent below which the next page is fetched. */
const LOW_WATER = 1_000;
/** Entries between the position and the newest read: bounds `ahead`. */
const MAX_SPAN = 5_000;
/** Requests end this long before the lease does. */
const LEASE_MARGIN_MS = 200;

export type EndReason = 'idle' | 'blocked' | 'changed' | 'yielded' | 'fenced';

export interface Ended {
  reason: EndReason;
  position: number;
  /** When blocked. */
  head: FailingHead | null;
}

export interface Delivery {
  ended: Promise<Ended>;
  /** Starts nothing more; ends when what is in flight has ended and is stored. */
  stop(reason: 'yielded' | 'changed' | 'idle'): void;
  /** Called every few tens of ms by the process. */
  tick(now: number): void;
  /** Since when there was nothing to do (monotonic ms); null while there is. */
  readonly quietSince: number | null;
  readonly position: number;
}

export interface DeliveryOptions {
  shared: Shared;
  run: Run;
  lease: Lease;
  /** Monotonic ms. */
  leaseUntil: number;
  /** Failed attempts that entries above the position have had. */
  failedAttempts: Map<number, number>;
}

/**
 * The engine of a drain: reads matching entries ahead, delivers them concurrently within the
 * consumer's limits and order, and hands outcomes to the committer. The only sender while it runs.
 */
export function startDelivery(options: DeliveryOptions): Delivery {
  const { shared, lease, failedAttempts } = options;
  const { committer, budget, log } = shared;
  let { run } = options;
  let { leaseUntil } = options;
  const { stream, consumerId } = run;
  const tail = shared.tails[stream];
  const window = createWindow<Entry>(lease);
  const lanes = createLanes<Entry>(run.ordering);
  const startedAt = performance.now();
  const end = Promise.withResolvers<Ended>();

  let ready: Sent[] = []; // may be sent now, in order
  let nextReady = 0;
  let stopping: EndReason | null = null;
  let finishing = false;
  let sending = false;
  const outcomes = createOutcomeLog(stream, shared.retryWindowMs);
  let left = false;
  let held = 0; // bytes in the budget
  let pausedUntil = 0; // a fault of ours: wait a little
  let quietSince: number | null = null;
  let lastMatchAt = startedAt;
  let committedPosition = lease.position;
  let lastCommitAt = startedAt;
  let confirmedVersion = -1;
  let latest = { version: run.version, targetVersion: run.target.version };
  let reloading = false;
  const filters = createFilterStack(run.filters, Math.max(lease.position, ...lease.ahead));
  let inFlight = 0;
  const retired: Sender<Sent>[] = []; // of an earlier target or path
  let sender = shared.openSender(run, ended);

  const reader = createReader({
    stream,
    consumerId,
    pages: shared.pages,
    tail,
    window,
    filters,
    maxSpan: MAX_SPAN,
    wantsMore,
    accept,
    filled: sendReady,
    log,
  });
  const committing: Committing = { consumerId, take, stored, fenced, broken };
  committer.join(committing);
  let unfollow = tail.follow(reader.fill, filters.syncs);
  committer.mark(committing); // renews a lease that was partly spent waiting
  void refresh(false);
  reader.fill();

  // ── reading ────────────────────────────────────────────────────────────────────────────

  function wantsMore(): boolean {
    return (
      stopping === null &&
      window.open - inFlight < LOW_WATER &&
      window.span < MAX_SPAN &&
      (budget.roomToRead || window.open === 0)
    );
  }

  function accept(entry: Entry): void {
    lastMatchAt = performance.now();
    const slot = window.add(entry, laneOf(run.ordering, entry)) as Sent | null;
    if (slot === null) return;
    slot.position = entry.position;
    slot.messageId = entry.messageId;
    slot.body = entry.body;
    slot.attempt = 0;
    if (lanes.add(slot)) ready.push(slot);
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────

  function sendReady(): void {
    if (sending) return;
    sending = true;
    while (nextReady < ready.length && maySend()) {
      const slot = ready[nextReady];
      if (slot === undefined) break;
      if (slot.closed || slot.entry.superseded) {
        nextReady += 1;
        settle(slot);
        continue;
      }
      if (!budget.take(sendReady)) break;
      nextReady += 1;
      slot.sent = true;
      slot.attempt = 1 + (failedAttempts.size === 0 ? 0 : (failedAttempts.get(slot.position) ?? 0));
      inFlight += 1;
      sender.send(slot, slot.attempt);
    }
    if (nextReady > 1024) {
      ready = ready.slice(nextReady);
      nextReady = 0;
    }
    sending = false;
    account();
    if (stopping !== null && inFlight === 0) void finish();
  }

  function maySend(): boolean {
    const now = performance.now();
    return (
      stopping === null &&
      inFlight < run.target.maxInFlight &&
      committer.healthy &&
      now < leaseUntil - LEASE_MARGIN_MS &&
      now >= pausedUntil
    );
  }

  function ended(slot: Sent, outcome: Outcome, at: number, durationMs: number): void {
    inFlight -= 1;
    const { position, messageId, attempt } = slot;
    const made = { position, messageId, attempt, startedAt: at, durationMs };
    if (outcome.kind === 'delivered') {
      outcomes.delivered(made, outcome.status);
      settle(slot);
    } else if (outcome.kind === 'failed') {
      outcomes.failed(made, outcome);
      stopping ??= 'blocked';
    } else {
      // Ours: not the endpoint's fault, so it goes back in front and waits a little.
      slot.sent = false;
      ready.splice(nextReady, 0, slot);
      if (performance.now() < leaseUntil - LEASE_MARGIN_MS) {
        pausedUntil = performance.now() + 1_000;
        log.warn(
          { consumer_id: consumerId, reason: outcome.detail },
          'sending waits: a fault of this machine',
        );
      }
    }
    budget.give();
    if (stopping === null) reader.fill();
    else if (inFlight === 0) void finish();
  }

  function settle(slot: Sent): void {
    window.settle(slot);
    const next = lanes.settle(slot) as Sent | null;
    if (next !== null) ready.push(next);
    committer.mark(committing);
  }

  function account(): void {
    if (left) return; // a page that comes late is nobody's any more
    budget.hold(window.bytes - held);
    held = window.bytes;
  }

  // ── committing ─────────────────────────────────────────────────────────────────────────

  function take(): Outcomes {
    const { position, ahead } = window.progress();
    committedPosition = position;
    lastCommitAt = performance.now();
    return { consumerId, epoch: lease.epoch, position, ahead, ...outcomes.take() };
  }

  function stored(committed: { version: number; targetVersion: number }, until: number): void {
    leaseUntil = until;
    latest = committed;
    if (isStale()) void refresh();
    if (stopping === null) sendReady();
  }

  function fenced(): void {
    stopping = 'fenced';
    cut();
    if (inFlight === 0) void finish();
  }

  function cut(): void {
    sender.cut();
    for (const one of retired) one.cut();
  }

  function broken(error: Error): void {
    finishing = true;
    stopping ??= 'yielded';
    leave();
    end.reject(error);
  }

  // ── the configuration ──────────────────────────────────────────────────────────────────

  /** Takes the newest configuration, and again as long as a newer one was seen meanwhile. */
  async function refresh(load = true): Promise<void> {
    if (reloading || finishing) return;
    reloading = true;
    try {
      for (let first = !load; ; first = false) {
        if (!first) takeRun(await shared.loadRun(consumerId));
        await confirm();
        if (!isStale() || finishing) break;
      }
    } catch (error) {
      log.warn(
        { err: error, consumer_id: consumerId },
        'a change could not be taken; trying again',
      );
    } finally {
      reloading = false;
    }
    reader.fill();
  }

  function takeRun(next: Run | null): void {
    if (next !== null && !next.deleted && !next.held && next.status === 'active') {
      apply(next);
      return;
    }
    if (next !== null) {
      filters.take(next.filters, readTo());
      run = { ...run, version: next.version, filterVersion: next.filterVersion };
    }
    stop('changed');
  }

  function isStale(): boolean {
    return latest.version > confirmedVersion || latest.targetVersion !== run.target.version;
  }

  function apply(next: Run): void {
    const filterChanged = next.filterVersion !== run.filterVersion;
    const sameWay =
      next.target.version === run.target.version &&
      next.path === run.path &&
      next.target.id === run.target.id;
    run = next;
    if (filterChanged) {
      filters.take(next.filters, readTo());
      reader.forget();
      const before = unfollow;
      unfollow = tail.follow(reader.fill, filters.syncs);
      before();
      for (const slot of window.unsettled()) {
        if (!slot.sent && !filters.passes(slot.entry)) slot.closed = true;
      }
    }
    if (!sameWay) {
      const old = sender;
      sender = shared.openSender(next, ended);
      retired.push(old);
    }
  }

  /** The highest position read; what an edit that is taken now applies above. */
  function readTo(): number {
    return Math.max(window.readTo, ...lease.ahead);
  }

  async function confirm(): Promise<void> {
    const { version, filterVersion } = run;
    const { filterFrom } = filters;
    await shared.progress.confirm({
      consumerId,
      epoch: lease.epoch,
      version,
      filterVersion,
      filterFrom,
    });
    confirmedVersion = version;
  }

  // ── ending ─────────────────────────────────────────────────────────────────────────────

  function stop(reason: 'yielded' | 'changed' | 'idle'): void {
    stopping ??= reason;
    if (inFlight === 0) void finish();
  }

  async function finish(): Promise<void> {
    if (finishing) return;
    finishing = true;
    try {
      const head = outcomes.failingHead();
      if (stopping !== 'fenced') {
        await committer.flush(committing);
        await shared.progress.release({
          consumerId,
          epoch: lease.epoch,
          idle: stopping === 'idle',
          head: head === null ? null : toRelease(head),
        });
      }
      end.resolve({ reason: stopping ?? 'yielded', position: window.progress().position, head });
    } catch (error) {
      end.reject(error);
    } finally {
      leave();
    }
  }

  function leave(): void {
    left = true;
    unfollow();
    committer.leave(committing);
    budget.hold(-held);
    held = 0;
    void Promise.all([sender, ...retired].map((one) => one.close())).catch((error: unknown) => {
      log.warn({ err: error, consumer_id: consumerId }, 'connections did not close cleanly');
    });
  }

  function tick(now: number): void {
    sender.sweep(now);
    for (const one of retired) one.sweep(now);
    if (inFlight > 0 && now > leaseUntil - LEASE_MARGIN_MS) cut();
    if (stopping !== null) return;
    if (now > startedAt + shared.timeBudgetMs) {
      stop('yielded');
      return;
    }
    // The tail does not call for what can't match: how far it has come is seen here.
    if (window.open > 0 || tail.end === null || window.readTo < tail.end) reader.fill();
    const caughtUp = window.open === 0 && tail.end !== null && window.readTo >= tail.end;
    quietSince = caughtUp ? lastMatchAt : null;
    const progressed = window.open === 0 && window.readTo > committedPosition;
    // A renewal brings the progress of one that is caught up along soon enough.
    if (progressed && !caughtUp && now - lastCommitAt > 1_000) committer.mark(committing);
    if (caughtUp && now - lastMatchAt >= shared.idleAfterMs) stop('idle');
  }

  return {
    ended: end.promise,
    stop,
    tick,
    get quietSince() {
      return quietSince;
    },
    get position() {
      return window.progress().position;
    },
  };
}
