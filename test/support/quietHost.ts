import pino from 'pino';
import { vi } from 'vitest';

import { createConditions } from '../../src/delivery/conditions.ts';
import type { DrainContext } from '../../src/delivery/drainContext.ts';
import { createRecoveries } from '../../src/delivery/recoveries.ts';
import { createBudget, type Budget } from '../../src/flow/budget.ts';
import { createCommitter, type Committing } from '../../src/progress/committer.ts';
import { LEASE_MARGIN_MS } from '../../src/progress/lease.ts';
import type { ParkedStore } from '../../src/progress/parkedRows.ts';
import type { Progress } from '../../src/progress/progress.ts';
import type { Filter, Ordering } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import type { Pages } from '../../src/streams/pages.ts';
import type { Tail } from '../../src/streams/tail.ts';
import type { HandOverReason } from '../../src/visits/visitCounts.ts';
import { createVisits, type Visits } from '../../src/visits/visits.ts';
import { FAKED } from './faked.ts';
import {
  createHeldEndpoint,
  type HeldEndpoint,
  type HeldRequest,
  type HeldSender,
} from './heldEndpoint.ts';
import { createHeldTail, heldPages, pagesOf, type HeldTail } from './heldTail.ts';
import { createVisitedModel, type Arriving, type VisitedModel } from './visitedModel.ts';
import { createVisitedStore, type VisitedStore } from './visitedStore.ts';

export const LEASE_MS = 8_000;
/** The pause before a commit of a lane, and some. */
export const COMMITTED_MS = 105;
export const LINGER_MS = 20_000;
const COMMIT_MS = 25;
const TICK_MS = 50;
const REQUEST_MS = 60_000;

/** A lane that visits one consumer, by hand: its tail, endpoint, store and clock move as the test says. */
export interface QuietHost extends Disposable {
  model: VisitedModel;
  store: VisitedStore;
  /** That of the process. */
  readonly budget: Budget;
  /** Those that are open, in the order in which they came. */
  readonly requests: readonly HeldRequest[];
  /** Appends entries, and has the tail read them together. Returns their positions. */
  arrive(...some: Arriving[]): number[];
  /** As `arrive`, but the tail has not read them yet. */
  append(...some: Arriving[]): number[];
  /** The tail forgets what it has, and begins at the end of the stream. */
  forget(): void;
  /** Pages that are read from now on come when the function that is returned is called. */
  holdPages(): () => void;
  /** Claims the consumer for the newest lane. */
  begin(): Promise<void>;
  /** The newest lane. */
  readonly visits: Visits;
  /** Ends the lane; resolves when it has let go. */
  close(): Promise<void>;
  /** Has `called` called when entries of a sync have been read, as another consumer's sender is. */
  follow(sync: string, called: () => void): void;
  /** Has everything stored at once, as when another consumer is handed over. */
  flush(): Promise<void>;
  /** Hints that a row has changed, as NOTIFY does: what is stored is looked at soon. */
  notify(): void;
  /** Another sender takes the cursor, though the lease is not over. */
  fence(): void;
  /** Opens the next lane, after this one has been told to end. */
  nextLane(): void;
  /** Another lane takes the place of this one, which goes on without knowing. */
  replaceLane(): void;
  /** The process dies, with all of its lanes; the next lane is that of another one. */
  crash(): void;
  pass(ms: number): Promise<void>;
  /** How often a lane has said that a consumer may still be its own that it does not visit. */
  readonly unsure: number;
  /** What the consumer wanted when lanes handed it over, and why they did. */
  handedOver: number[];
  reasons: HandOverReason[];
  log: string[];
}

export interface QuietHostOptions {
  stream?: StreamName;
  ordering?: Ordering;
  maxInFlight?: number;
  requests?: number;
  bytes?: number;
  /** Entries that the tail keeps. */
  tailEntries?: number;
  /** How long a lane retries what fails, ms; unless given it hands that over at once. */
  ownRetriesMs?: number;
}

/** The filter that the consumer begins with. */
export const OF_A: Filter = { syncs: ['a'], collections: ['*'], event_types: ['*'] };

export function openQuietHost(options: QuietHostOptions = {}): QuietHost {
  vi.useFakeTimers({ toFake: [...FAKED], fakeNodeBuiltins: true, now: 1_700_000_000_000 });
  const { stream = 'events', ordering = 'record', maxInFlight = 10, ownRetriesMs = 0 } = options;
  const model = createVisitedModel({ stream, ordering });
  const store = createVisitedStore({
    stream,
    ordering,
    maxInFlight,
    filter: OF_A,
    storing: (outcomes) => model.storing(outcomes, store.row.config.filters),
    confirming: (taken) => model.confirming(taken, store.row.config.filters),
  });
  const endpoint = createHeldEndpoint({
    timeoutMs: REQUEST_MS,
    came: (request) => {
      model.came(request, endpoint.requests, store.row.config.filters);
      if (store.isHalted()) model.blame(`${request.position} is sent though nothing may start`);
    },
    over: (request, outcome) => model.over(request, outcome, store.row.config.filters),
    late: ({ position }) => model.blame(`${position} is sent after the lease`),
    early: ({ position }) => {
      if (store.row.held && !isReplaced) model.blame(`${position} is cut while the lease holds`);
    },
  });
  const said: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void said.push(line) });
  const size = { requests: options.requests ?? 100, bytes: options.bytes ?? 64 * 1024 * 1024 };
  let budget = createBudget(size);
  const tail = createHeldTail(stream, options.tailEntries ?? 20_000);
  const { pages, holdPages } = heldPages(pagesOf(model));
  const handedOver: number[] = [];
  const reasons: HandOverReason[] = [];
  let unsure = 0;
  let notify = (): void => undefined;
  let flush = (): Promise<void> => Promise.resolve();
  const kills: (() => void)[] = []; // of each lane of the process

  function openLane(): Visits {
    lanes += 1;
    const isUnsure = (): void => void (unsure += 1);
    const of = { store, endpoint, tail, pages, budget, log, handedOver, reasons, isUnsure };
    const opened = openLaneOf({ ...of, ownRetriesMs, id: `lane ${lanes}`, lapsed });
    ({ notify, flush } = opened);
    kills.push(opened.kill);
    return opened.visits;
  }

  /** A lane could not renew its lease in time: it lets go, and begins anew. */
  function lapsed(lane: Visits): void {
    void lane.close();
    if (lane === visits) visits = openLane();
  }

  let lanes = 0;
  let isReplaced = false; // the lane that holds the lease, by another one
  let visits = openLane();
  tail.tail.follow(() => undefined, []); // as a lane does
  tail.start(0);

  async function settle(): Promise<void> {
    for (let round = 0; round < 3; round += 1) await new Promise(setImmediate);
  }

  function append(...some: Arriving[]): number[] {
    return some.map((one) => model.append(one).position);
  }

  return {
    model,
    store,
    get budget() {
      return budget;
    },
    requests: endpoint.requests,
    append,
    arrive: (...some) => {
      const positions = append(...some);
      tail.read(model.entries());
      return positions;
    },
    forget: () => tail.start(model.end),
    holdPages,
    begin: async () => {
      model.claimed(store.row);
      isReplaced = false;
      visits.begin(store.claim());
      await settle();
    },
    get visits() {
      return visits;
    },
    close: () => visits.close(),
    follow: (sync, called) => void tail.tail.follow(called, [sync]),
    flush: () => flush(),
    notify: () => notify(),
    fence: () => {
      isReplaced = true;
      store.row.epoch += 1;
    },
    nextLane: () => {
      visits = openLane();
    },
    replaceLane: () => {
      isReplaced = store.row.held;
      visits = openLane();
    },
    crash: () => {
      for (const kill of kills.splice(0)) kill();
      budget = createBudget(size);
    },
    pass: async (ms) => {
      await vi.advanceTimersByTimeAsync(ms);
      await settle();
    },
    get unsure() {
      return unsure;
    },
    handedOver,
    reasons,
    log: said,
    [Symbol.dispose]: () => {
      vi.clearAllTimers();
      vi.useRealTimers();
    },
  };
}

/** Opens a lane with a committer of its own; `notify` has all that it sends for looked at, `kill` is its death. */
function openLaneOf(parts: {
  store: VisitedStore;
  endpoint: HeldEndpoint;
  tail: HeldTail;
  pages: Pages;
  budget: Budget;
  log: pino.Logger;
  handedOver: number[];
  reasons: HandOverReason[];
  isUnsure: () => void;
  ownRetriesMs: number;
  id: string;
  lapsed: (lane: Visits) => void;
}): { visits: Visits; notify: () => void; flush: () => Promise<void>; kill: () => void } {
  const { endpoint, budget, pages, log } = parts;
  const life = createLife();
  const store = life.storeOf(parts.store);
  const progress = store.progress as Progress; // a lane needs no more of it
  const committer = createCommitter({
    progress,
    intervalMs: COMMIT_MS,
    leaseMs: LEASE_MS,
    log: pino({ level: 'silent' }),
  });
  const tail = life.tailOf(parts.tail.tail);
  const context: DrainContext = {
    pages,
    progress,
    parked: { heads: () => Promise.resolve([]) } as unknown as ParkedStore, // none is parked
    committer,
    tails: { records: tail, events: tail },
    budget,
    loadConfig: () => Promise.resolve(parts.store.row.config),
    openSender: (_config, ended, startBy) =>
      life.senderOf(endpoint.open(ended, startBy, () => lease.until - LEASE_MARGIN_MS)),
    now: Date.now,
    idleAfterMs: LINGER_MS,
    recoveries: createRecoveries(),
    conditions: createConditions({ note: () => undefined }),
    retryWindowMs: 86_400_000,
    ownRetriesMs: parts.ownRetriesMs,
    timeBudgetMs: Infinity,
    log,
  };
  const lease = { until: performance.now() + LEASE_MS };
  void store.visits.lease.begin({ id: parts.id, region: 'test' }, LEASE_MS);
  const visits = createVisits({
    context,
    store: store.visits,
    lease,
    isUnsure: parts.isUnsure,
    lingerMs: LINGER_MS,
    handOver: (_id, wanted, why) => {
      parts.handedOver.push(wanted);
      parts.reasons.push(why);
    },
    log,
  });
  const ticks = setInterval(() => visits.tick(), TICK_MS);
  let isRenewing = false;
  async function renew(): Promise<void> {
    if (isRenewing) return;
    isRenewing = true;
    const until = performance.now() + LEASE_MS;
    const note = { floors: visits.floors(), claims: 0, visiting: visits.size };
    if ((await store.visits.lease.renew(parts.id, LEASE_MS, note)) !== null) lease.until = until;
    else {
      clearInterval(renewals);
      parts.lapsed(visits);
    }
    isRenewing = false;
  }
  const renewals = setInterval(() => void renew(), LEASE_MS / 4);
  const another = { consumerId: 'another' } as Committing; // it has not joined, and stores nothing itself
  return {
    visits,
    notify: committer.markAll,
    flush: () => committer.flush(another),
    kill: () => {
      life.end();
      for (const timer of [ticks, renewals]) clearInterval(timer);
      void committer[Symbol.asyncDispose]();
    },
  };
}

/** The life of a process: once it has ended, nothing reaches it any more, nor does it reach anything. */
function createLife() {
  const never = new Promise<never>(() => undefined);
  const senders: HeldSender[] = [];
  let isOver = false;

  /** What is asked for while it lives may still be done, but it does not get to know. */
  function living<A extends unknown[], R>(call: (...given: A) => Promise<R>) {
    return async (...given: A): Promise<R> => {
      if (isOver) return never;
      const asked = call(...given);
      await Promise.allSettled([asked]);
      return isOver ? never : asked;
    };
  }

  return {
    storeOf: ({ progress, visits }: VisitedStore): Pick<VisitedStore, 'progress' | 'visits'> => ({
      progress: {
        commit: living(progress.commit),
        release: living(progress.release),
        confirm: living(progress.confirm),
      },
      visits: {
        ...visits,
        release: living(visits.release),
        confirm: living(visits.confirm),
        lease: {
          begin: living(visits.lease.begin),
          renew: living(visits.lease.renew),
          end: living(visits.lease.end),
          endLapsed: living(visits.lease.endLapsed),
        },
      },
    }),
    tailOf: (tail: Tail): Tail => ({
      follow: (advanced, syncs) =>
        tail.follow((before) => {
          if (!isOver) advanced(before);
        }, syncs),
      since: tail.since,
      get end() {
        return tail.end;
      },
      get told() {
        return tail.told;
      },
      close: tail.close,
    }),
    senderOf: (sender: HeldSender): HeldSender => {
      senders.push(sender);
      if (isOver) sender.drop();
      return sender;
    },
    end: () => {
      isOver = true;
      for (const sender of senders) sender.drop();
    },
  };
}
