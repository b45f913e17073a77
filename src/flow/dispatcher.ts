import type { Shared } from './budget.ts';
import type { InFlightLimit } from './inFlightLimit.ts';
import type { Pace } from './pace.ts';
import { createReadyQueue, type Queued } from './readyQueue.ts';

/** What a dispatcher needs of its drain. */
export interface DispatcherOptions<S extends Queued> {
  limit: Pick<InFlightLimit, 'limit'>;
  pace: Pick<Pace, 'may' | 'started'>;
  requests: Pick<Shared, 'room' | 'take' | 'wait'>;
  /** Whether a request may start at `now` (monotonic ms), apart from limit, pace and budget. */
  mayStart: (now: number) => boolean;
  /** Whether the slot that was pushed last is to be sent next, instead of the first one. */
  takesLast: () => boolean;
  /** Whether a slot whose turn has come is not to be sent after all; if so, the callee has dealt with it. */
  skips: (slot: S) => boolean;
  send: (slot: S) => void;
  /** Called after each `pump`, when nothing more may start. */
  pumped: () => void;
}

/** Starts requests in turn, as many as limit, pace and the budget of the process allow. */
export interface Dispatcher<S extends Queued> {
  /** Queues a slot behind the others. */
  push(slot: S): void;
  /** Queues a slot in front of the others, to be tried again. */
  putBack(slot: S): void;
  /** Queues slots to be tried again; all waiting slots then go out by position. */
  putBackAll(slots: readonly S[]): void;
  /** Starts what may start; call it whenever that may have changed. */
  pump(): void;
  /** Counts a request of so many entries, one unless given, as ended; its share of the budget is kept until `passOn`. */
  landed(entries?: number): void;
  /** Passes the share of the ended request on to the next drain that waits for one. */
  passOn(): void;
  /** Starts nothing before `until` (monotonic ms). */
  rest(until: number): void;
  readonly inFlight: number;
  /** How many entries the requests in flight carry. */
  readonly sending: number;
  /** The slots that have their turn next and go with one request, apart from parked ones; empty: none waits. */
  upNext(): readonly S[];
  /** Whether no slot waits for its turn. */
  readonly empty: boolean;
}

/** Creates an empty dispatcher. It starts nothing until `pump` is called. */
export function createDispatcher<S extends Queued>(options: DispatcherOptions<S>): Dispatcher<S> {
  const { limit, pace, requests } = options;
  const ready = createReadyQueue<S>();
  let pumping = false;
  let inFlight = 0;
  let shares = 0; // of the budget: those of requests in flight, and of one that has ended until it is passed on
  let restsUntil = 0;

  function pump(): void {
    if (pumping) return; // a skipped slot has freed its lane; the loop below takes the next one
    pumping = true;
    while (!ready.empty && mayStart()) {
      const slot = options.takesLast() ? ready.last() : ready.next();
      if (slot === undefined || options.skips(slot)) continue;
      if (requests.room(shares) < 1) {
        ready.putBack(slot);
        requests.wait(pump);
        break;
      }
      requests.take(1);
      shares += 1;
      slot.sent = true;
      inFlight += 1;
      pace.started(performance.now());
      options.send(slot);
    }
    pumping = false;
    options.pumped();
  }

  function mayStart(): boolean {
    const now = performance.now();
    return inFlight < limit.limit && now >= restsUntil && pace.may(now) && options.mayStart(now);
  }

  return {
    push: ready.push,
    putBack: ready.putBack,
    putBackAll: ready.putBackAll,
    pump,
    landed: () => {
      inFlight -= 1;
    },
    passOn: () => {
      shares -= 1;
      requests.take(-1);
    },
    rest: (until) => {
      restsUntil = until;
    },
    get inFlight() {
      return inFlight;
    },
    get sending() {
      return inFlight;
    },
    upNext: () => (ready.front === undefined ? [] : [ready.front]),
    get empty() {
      return ready.empty;
    },
  };
}
