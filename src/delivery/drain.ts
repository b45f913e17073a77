import { createFailureHandler } from '../failure/failureHandler.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import { createParkedEntries } from '../failure/parkedEntries.ts';
import { createParkedRetries } from '../failure/parkedRetries.ts';
import { createRecordParking } from '../failure/recordParking.ts';
import { createInFlightLimit } from '../flow/inFlightLimit.ts';
import { createLanes } from '../flow/lanes.ts';
import { createPace } from '../flow/pace.ts';
import { createSlidingWindow } from '../flow/slidingWindow.ts';
import { createAttemptLog } from '../progress/attemptLog.ts';
import { headOfLease, LEASE_MARGIN_MS, type Lease } from '../progress/lease.ts';
import type { ParkedHead } from '../progress/parkedRows.ts';
import { stretchOf } from '../rules/retry.ts';
import { NO_ENTRY, type Entry } from '../streams/entry.ts';
import type { OpenTarget } from '../targets/openTarget.ts';
import { createBatches } from './batches.ts';
import { concludeDrain } from './conclusion.ts';
import type { Drain, DrainContext } from './drainContext.ts';
import { createEnding, type DrainEnd } from './ending.ts';
import { createFilterStack } from './filterStack.ts';
import { createGuard } from './guard.ts';
import { createHandOver } from './handOver.ts';
import { createIntake, MAX_SPAN } from './intake.ts';
import { createLanding } from './landing.ts';
import { createLiveConfig } from './liveConfig.ts';
import { createOpenSenders } from './openSenders.ts';
import { createOutage } from './outage.ts';
import { createReader } from './reader.ts';
import { createReconfigure } from './reconfigure.ts';
import { mostInFlight, ownClock, type SenderConfig } from './senderConfig.ts';
import { createSingles } from './singles.ts';
import { createTicking } from './ticking.ts';

/**
 * How long a fault that is not the endpoint's and does not pass by itself is waited for, ms, before the drain ends. In
 * a lane the wait costs next to nothing, and each consumer that is handed over costs Temporal some twenty events.
 */
const PATIENCE_MS = { drain: 10_000, visit: 120_000 } as const;

/** What a drain starts with. */
export interface DrainOptions {
  context: DrainContext;
  config: SenderConfig;
  lease: Lease;
  /** When the lease ends, monotonic ms, unless it is that of a lane. */
  leaseUntil: number;
  /** By position: how many attempts at entries above the position have failed. */
  failedAttempts: Map<number, number>;
  parkedRows: ParkedHead[];
  /** Unix ms as Temporal counts them, which follows time skipping. */
  nowMs: () => number;
  /** Whether the lease was taken just now, so that it need not be renewed at the start. */
  isFresh?: boolean;
  /** Whether the last sender has confirmed the same configuration. */
  isConfirmed?: boolean;
  /** Called when it no longer rests. */
  stirred?: () => void;
}

/**
 * Starts the engine that drains a consumer: it reads matching entries ahead, delivers them
 * concurrently within the consumer's limits and order, and hands outcomes to the committer. It is the
 * consumer's only sender while it runs.
 */
export function startDrain(options: DrainOptions): Drain {
  const { context, config, lease } = options;
  const { committer, budget, log, pages, progress, laneLease } = context;
  const ownLease = { until: options.leaseUntil };
  const startBy = (): number => (laneLease ?? ownLease).until - LEASE_MARGIN_MS;
  const maySend = (now: number): boolean => committer.healthy && now < startBy();
  const mark = (): void => committer.mark(handOver);
  const fail = (error: unknown): void => ending.fail(error);
  const guarded = createGuard(fail);

  const state = openState(options);
  const { slidingWindow, filters, limit, pace, parked } = state;
  const skips = (slot: Outgoing): boolean => landing.skips(slot);
  const isOut = (): boolean => outage.exists;
  const wake = guarded(() => dispatcher.pump());
  const flow = { limit, pace, requests: budget.requests, mayStart, skips, pumped, wake };
  const { batch } = config;
  const way = batch === null ? createSingles() : createBatches(config, batch, slidingWindow);
  const takesLast = (): boolean => failures.inDoubt;
  const dispatcher = way.dispatcher({ ...flow, takesLast, hurries: isOut });
  const begun = (): void => senders.letGo();
  const ending = createEnding({ inFlight: () => dispatcher.inFlight, begun, conclude, leave });
  const stir = (): void => ticking.stir();
  const common = { ...state, pages, dispatcher, ending, mark, stir, startBy, maySend, log };
  const opens = (of: SenderConfig) => (until: (slot: Outgoing) => number) =>
    context.openSender(of, way.landed, until);
  const senders = createOpenSenders(opens(config), { ...common, made: wake });
  const recordParking = createRecordParking(common);
  const batching = way.failures;
  const failures = createFailureHandler({ ...common, recordParking, isOut, batching });
  const outage = createOutage({ ...common, failures });
  const seeks = (): boolean => outage.seeksOther;
  const intake = createIntake({ ...common, recordParking, gathers: way.gathers, seeks });
  const retries = createParkedRetries({ ...common, store: context.parked, room: intake.room });
  const filled = guarded(dispatcher.pump);
  const fillAgain = (): void => fill();
  const reader = createReader({ ...common, intake, filled, fillAgain, failed: fail });
  const fill = guarded(reader.fill);
  const landing = createLanding({ ...common, failures, outage, reader });
  way.begin({ ...common, failures, senders, outage, landing });
  const reconfigure = createReconfigure({
    ...common,
    reader: { ...reader, fill },
    failures,
    outage,
    retries,
    letGo: senders.letGo,
    redirect: (next) => senders.replace(opens(next)),
  });
  const liveConfig = createLiveConfig({
    ...common,
    context,
    config,
    prepare: reconfigure.prepare,
    apply: reconfigure.apply,
    inForce: fill,
  });
  const handOver = createHandOver({
    ...common,
    lease,
    outage,
    liveConfig,
    renewed: (until) => Object.assign(ownLease, { until }),
    pump: dispatcher.pump,
    cut: senders.cut,
  });
  const stations = { senders, failures, outage, retries, reader, landing, intake, handOver };
  const ticking = createTicking({ ...common, ...stations, stirred: options.stirred });
  guarded(() => {
    committer.join(handOver, { isOfLane: laneLease !== undefined });
    if (options.isFresh !== true) mark(); // renews the lease, part of which was spent waiting
    liveConfig.begin(options.isConfirmed === true);
    parked.keepOnly((entry) => filters.matches(entry));
    if (filters.hasCondition && parked.size > 0) void retries.recheck();
    if (parked.overflown) ending.begin('parked');
    reader.fill();
  })();

  function mayStart(now: number): boolean {
    if (ending.reason !== null || !maySend(now)) return false;
    const alone = dispatcher.inFlight === 0;
    if (!alone && (senders.makes || isOverweight(senders.grown, budget))) return false;
    return outage.exists ? outage.mayStart(alone) : failures.mayStart(alone);
  }

  function pumped(): void {
    intake.account();
    ending.concludeWhenQuiet();
  }

  function conclude(): Promise<DrainEnd> {
    const flush = (): Promise<void> => committer.flush(handOver);
    const target = (): OpenTarget => liveConfig.config.target;
    return concludeDrain({ ...common, outage, progress, flush, target });
  }

  function leave(): void {
    reconfigure.leave();
    committer.leave(handOver);
    intake.leave();
    way.close();
    senders.close();
  }

  return {
    ended: ending.ended,
    stop: ending.begin,
    tick: guarded(ticking.tick),
    get quietSince() {
      return ticking.quietSince;
    },
    get restsUntil() {
      return ticking.restsUntil;
    },
    get isFailing() {
      return outage.exists;
    },
    get settledCount() {
      return slidingWindow.settledCount;
    },
    get position() {
      return slidingWindow.settled().position;
    },
  };
}

/** Whether open requests whose bodies are larger than their entries take all that one drain may hold. */
function isOverweight(grown: number, { bytes }: DrainContext['budget']): boolean {
  return grown > 0 && bytes.room(grown) <= 0;
}

/** What a drain keeps in memory: its position in the stream, its entries, and the limits within which it sends. */
function openState({ context, config, lease, failedAttempts, parkedRows, nowMs }: DrainOptions) {
  const { retryWindowMs, ownRetriesMs, idleAfterMs, budget } = context;
  const tail = context.tails[config.stream];
  const slidingWindow = createSlidingWindow<Entry>(lease, NO_ENTRY);
  const readBefore = Math.max(lease.position, ...lease.ahead);
  const filters = createFilterStack(config.filters, readBefore, context.conditions.of(config));
  const clock = (): number => ownClock(config, nowMs());
  const { consumerId, stream, ordering } = config;
  return {
    consumerId,
    stream,
    ordering,
    epoch: lease.epoch,
    recoveries: context.recoveries,
    targetId: config.target.id,
    nowMs,
    ownRetriesMs,
    patienceMs: context.laneLease === undefined ? PATIENCE_MS.drain : PATIENCE_MS.visit,
    idleAfterMs,
    yieldsAt: performance.now() + context.timeBudgetMs,
    maxSpan: MAX_SPAN,
    memory: budget.bytes,
    turns: budget.pages,
    turn: context.conditions.turn,
    slidingWindow,
    filters,
    lanes: createLanes<Entry>(config.ordering),
    attempts: createAttemptLog({
      stream: config.stream,
      retryWindowMs,
      now: context.now,
      stretch: stretchOf(config.consumerId),
    }),
    limit: createInFlightLimit({
      max: mostInFlight(config),
      found: lease.flow,
      ramp: lease.ramp,
    }),
    pace: createPace(config.target.rateLimit, lease.sendFrom),
    parked: createParkedEntries({
      windowMs: retryWindowMs,
      clock,
      nowMs,
      now: context.now,
      rows: parkedRows,
      total: lease.parkedTotal,
    }),
    tail,
    failedAttempts,
    head: headOfLease(lease),
    clock,
    /** The highest position read: a filter that is put into force now applies above it. */
    readTo: (): number => Math.max(slidingWindow.readTo, ...lease.ahead),
    isCaughtUp: (): boolean => tail.end !== null && slidingWindow.readTo >= tail.end,
    passes: (entry: Entry): boolean => filters.passes(entry),
    hasCondition: (): boolean => filters.hasCondition,
  };
}
