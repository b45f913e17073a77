import { createFailureHandler } from '../failure/failureHandler.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import { createInFlightLimit } from '../flow/inFlightLimit.ts';
import { createLanes } from '../flow/lanes.ts';
import { createPace } from '../flow/pace.ts';
import { createReadyQueue } from '../flow/readyQueue.ts';
import { createSlidingWindow } from '../flow/slidingWindow.ts';
import { createAttemptLog, toRelease, type FailingHead } from '../progress/attemptLog.ts';
import type { Committing } from '../progress/committer.ts';
import { LEASE_MARGIN_MS, type Lease } from '../progress/lease.ts';
import type { ParkedRow } from '../progress/parkedRows.ts';
import type { SenderOutcomes } from '../progress/senderOutcomes.ts';
import { laneOf } from '../rules/ordering.ts';
import type { Outcome } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import type { Drain, DrainContext } from './drainContext.ts';
import { endsBy, type DrainEnd, type EndReason } from './ending.ts';
import { createFilterStack } from './filterStack.ts';
import { createLiveConfig } from './liveConfig.ts';
import { createOpenSenders } from './openSenders.ts';
import { createReader } from './reader.ts';
import { goesTheSameWay, mostInFlight, ownClock, type SenderConfig } from './senderConfig.ts';

/** Entries read but not sent below which the next page is fetched. */
const LOW_WATER = 1_000;
/** Entries between the position and the newest read: bounds `ahead`. */
const MAX_SPAN = 5_000;
/** A parked entry due within it keeps a sender from going idle. */
const SOON_MS = 5_000;

export interface DrainOptions {
  shared: DrainContext;
  config: SenderConfig;
  lease: Lease;
  /** Monotonic ms. */
  leaseUntil: number;
  /** Failed attempts that entries above the position have had. */
  failedAttempts: Map<number, number>;
  parkedRows: ParkedRow[];
  /** Unix ms, as Temporal counts: it follows time skipping. */
  nowMs: () => number;
}

/**
 * The engine of a drain: reads matching entries ahead, delivers them concurrently within the
 * consumer's limits and order, and hands outcomes to the committer. The only sender while it runs.
 */
export function startDrain(options: DrainOptions): Drain {
  const { shared, lease, failedAttempts, nowMs } = options;
  const { committer, budget, log } = shared;
  let { leaseUntil } = options;
  const { stream, consumerId, ordering } = options.config;
  const tail = shared.tails[stream];
  const window = createSlidingWindow<Entry>(lease);
  const lanes = createLanes<Entry>(ordering);
  const startedAt = performance.now();
  const end = Promise.withResolvers<DrainEnd>();
  const ready = createReadyQueue<Outgoing>();
  let stopping: EndReason | null = null;
  let finishing = false;
  let sending = false;
  const outcomes = createAttemptLog(stream, shared.retryWindowMs);
  let left = false;
  let held = 0; // bytes in the budget
  let pausedUntil = 0; // a fault of ours: wait a little
  let quietSince: number | null = null;
  let lastMatchAt = startedAt;
  let committedPosition = lease.position;
  let lastCommitAt = startedAt;
  const filters = createFilterStack(
    options.config.filters,
    Math.max(lease.position, ...lease.ahead),
  );
  let inFlight = 0;
  const startBy = (): number => leaseUntil - LEASE_MARGIN_MS;
  const senders = createOpenSenders(shared.openSender(options.config, ended, startBy));
  const flow = createInFlightLimit({
    max: mostInFlight(options.config),
    found: lease.flow,
    ramp: lease.ramp,
  });
  const pace = createPace(options.config.target.rateLimit, lease.sendFrom);
  const clock = (): number => ownClock(options.config, nowMs());
  const mark = (): void => committer.mark(committing);
  const failing = createFailureHandler({
    pages: shared.pages,
    store: shared.parked,
    consumerId,
    stream,
    ordering,
    slidingWindow: window,
    lanes,
    outcomes,
    flow,
    failedAttempts,
    putBack: ready.putBack,
    passes: (entry) => filters.passes(entry),
    mark,
    sendReady,
    windowMs: shared.retryWindowMs,
    clock,
    nowMs,
    rows: options.parkedRows,
    total: lease.parkedTotal,
    log,
  });
  const { parked: parking } = failing;
  const reader = createReader({
    stream,
    consumerId,
    pages: shared.pages,
    tail,
    slidingWindow: window,
    filters,
    maxSpan: MAX_SPAN,
    wantsMore,
    accept,
    filled: sendReady,
    log,
  });
  const liveConfig = createLiveConfig({
    shared,
    config: options.config,
    epoch: lease.epoch,
    filters,
    readTo,
    apply,
    stop: () => stop('changed'),
    inForce: reader.fill,
    over: () => finishing,
  });
  const committing: Committing = { consumerId, toStore, stored, fenced, broken };
  committer.join(committing);
  let unfollow = tail.follow(reader.fill, filters.syncs);
  mark(); // renews a lease that was partly spent waiting
  liveConfig.begin();
  failing.keepOnly((entry) => filters.matches(entry));
  if (parking.overflown) stop('parked');
  reader.fill();

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
    const slot = window.add(entry, laneOf(ordering, entry)) as Outgoing | null;
    if (slot === null) return;
    slot.position = entry.position;
    slot.messageId = entry.messageId;
    slot.body = entry.body;
    slot.attempt = 0;
    slot.parked = null;
    if (failing.parksBehind(slot)) {
      if (parking.overflown) stop('parked');
    } else if (lanes.add(slot)) ready.push(slot);
  }

  function sendReady(): void {
    if (sending) return;
    sending = true;
    while (!ready.empty && maySend()) {
      const slot = ready.next();
      if (slot === undefined || slot.settled) continue;
      if (slot.closed || slot.entry.superseded) {
        failing.forget(slot);
        settle(slot);
        continue;
      }
      if (slot.parked !== null && !parking.starts(slot.parked)) continue;
      if (!budget.reserve(sendReady)) {
        ready.putBack(slot);
        break;
      }
      slot.sent = true;
      if (slot.parked === null) {
        const before = failedAttempts.size === 0 ? 0 : failedAttempts.get(slot.position);
        slot.attempt = 1 + (before ?? 0);
      }
      inFlight += 1;
      pace.started(performance.now());
      senders.send(slot);
    }
    sending = false;
    account();
    if (stopping !== null && inFlight === 0) void finish();
  }

  function maySend(): boolean {
    const now = performance.now();
    return (
      stopping === null &&
      inFlight < flow.limit &&
      !failing.tooMany &&
      committer.healthy &&
      now < startBy() &&
      now >= pausedUntil &&
      pace.may(now)
    );
  }

  function ended(slot: Outgoing, outcome: Outcome, at: number, ms: number, monoAt: number): void {
    inFlight -= 1;
    const { position, messageId, attempt } = slot;
    const made = { position, messageId, attempt, startedAt: at, durationMs: ms };
    if (outcome.kind === 'delivered') {
      outcomes.delivered(made, outcome.status);
      flow.success();
      if (failing.suspected) failing.cleared(slot, monoAt);
      settle(slot);
    } else if (outcome.kind === 'failed') {
      stopping = endsBy(failing.fail(slot, made, outcome, monoAt), stopping);
    } else {
      // Ours: not the endpoint's fault, so it goes back in front and waits a little.
      failing.tryAgain(slot);
      if (performance.now() < startBy()) {
        pausedUntil = performance.now() + 1_000;
        const fields = { consumer_id: consumerId, reason: outcome.detail };
        log.warn(fields, 'sending waits: a fault of this machine');
      }
    }
    budget.release();
    judge();
    if (stopping === null) reader.fill();
    else if (inFlight === 0) void finish();
  }

  function settle(slot: Outgoing): void {
    mark();
    if (slot.parked !== null) {
      slot.settled = true;
      parking.delivered(slot.parked);
      return;
    }
    window.settle(slot);
    const next = lanes.settle(slot) as Outgoing | null;
    if (next !== null) ready.push(next);
  }

  function account(): void {
    if (left) return; // a page that comes late is nobody's any more
    budget.hold(window.bytes - held);
    held = window.bytes;
  }

  /** Whether what is unexplained can only be the endpoint's fault by now. */
  function judge(): void {
    if (!failing.suspected || stopping !== null || inFlight > 0) return;
    if (!failing.blames(ready.empty)) return;
    stopping = 'blocked';
    void finish();
  }

  function toStore(): SenderOutcomes {
    const { position, ahead } = window.settled();
    committedPosition = position;
    lastCommitAt = performance.now();
    const { epoch } = lease;
    return { consumerId, epoch, position, ahead, ...outcomes.toStore(), parked: parking.toStore() };
  }

  function stored(committed: { version: number; targetVersion: number }, until: number): void {
    leaseUntil = until;
    parking.committed();
    liveConfig.saw(committed);
    if (stopping === null) sendReady();
  }

  function fenced(): void {
    stopping = 'fenced';
    senders.cut();
    if (inFlight === 0) void finish();
  }

  function broken(error: Error): void {
    finishing = true;
    stopping ??= 'yielded';
    leave();
    end.reject(error);
  }

  function apply(next: SenderConfig, before: SenderConfig): void {
    if (next.filterVersion !== before.filterVersion) refilter(next);
    if (next.parkedVersion !== before.parkedVersion) void failing.reload();
    if (goesTheSameWay(next, before)) return;
    senders.replace(shared.openSender(next, ended, startBy), log);
    flow.setMax(mostInFlight(next));
    pace.change(next.target.rateLimit);
  }

  function refilter(next: SenderConfig): void {
    filters.add(next.filters, readTo());
    reader.forget();
    const before = unfollow;
    unfollow = tail.follow(reader.fill, filters.syncs);
    before();
    for (const slot of window.unsettled() as Iterable<Outgoing>) {
      if (slot.sent || filters.passes(slot.entry)) continue;
      slot.closed = true;
      failing.closed(slot);
    }
    failing.keepOnly((entry) => filters.matches(entry));
    mark();
  }

  /** The highest position read; what an edit that is taken now applies above. */
  function readTo(): number {
    return Math.max(window.readTo, ...lease.ahead);
  }

  function stop(reason: 'yielded' | 'changed' | 'idle' | 'parked'): void {
    stopping ??= reason;
    if (inFlight === 0) void finish();
  }

  async function finish(): Promise<void> {
    if (finishing) return;
    finishing = true;
    try {
      const head = failingHead();
      if (stopping !== 'fenced') {
        do await committer.flush(committing);
        while (parking.unwritten && (stopping as EndReason | null) !== 'fenced');
        await shared.progress.release({
          consumerId,
          epoch: lease.epoch,
          idle: stopping === 'idle',
          head: head === null ? null : toRelease(head),
          flow: { found: flow.found, ramping: flow.ramping },
          paceMs: pace.waitMs(performance.now()),
          ...(head === null ? {} : { triedTarget: liveConfig.config.target }),
        });
      }
      const { position } = window.settled();
      end.resolve({ reason: stopping ?? 'yielded', position, head, parkedDueAt: parkedDueAt() });
    } catch (error) {
      end.reject(error);
    } finally {
      leave();
    }
  }

  function failingHead(): FailingHead | null {
    if (stopping !== 'blocked' && stopping !== 'gone') return null;
    return failing.head(nowMs(), pace.waitMs(performance.now()));
  }

  function parkedDueAt(): number | null {
    if (parking.size === 0) return null;
    const inMs = Math.max(0, parking.nextDue - clock());
    return nowMs() + (Number.isFinite(inMs) ? inMs : SOON_MS);
  }

  function leave(): void {
    left = true;
    unfollow();
    committer.leave(committing);
    budget.hold(-held);
    held = 0;
    senders.close(log);
  }

  function tick(now: number): void {
    senders.sweep(now);
    if (inFlight > 0 && now > startBy()) senders.cut();
    if (stopping !== null) return;
    if (now > startedAt + shared.timeBudgetMs) {
      stop('yielded');
      return;
    }
    failing.tick(now);
    // The tail does not call for what can't match: how far it has come is seen here.
    const behind = tail.end === null || window.readTo < tail.end;
    if (behind || window.open > 0 || !ready.empty) reader.fill();
    judge();
    const caughtUp = window.open === 0 && tail.end !== null && window.readTo >= tail.end;
    const quiet = caughtUp && inFlight === 0 && parking.nextDue > clock() + SOON_MS;
    quietSince = quiet ? lastMatchAt : null;
    const progressed = window.open === 0 && window.readTo > committedPosition;
    // A renewal brings the progress of one that is caught up along soon enough.
    if (progressed && !caughtUp && now - lastCommitAt > 1_000) mark();
    if (quiet && now - lastMatchAt >= shared.idleAfterMs) stop('idle');
  }

  return {
    ended: end.promise,
    stop,
    tick,
    get quietSince() {
      return quietSince;
    },
  };
}
