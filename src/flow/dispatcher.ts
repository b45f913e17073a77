import type { Budget } from './budget.ts';
import type { InFlightLimit } from './inFlightLimit.ts';
import type { Pace } from './pace.ts';
import { createReadyQueue, type Queued } from './readyQueue.ts';

export interface DispatcherOptions<S extends Queued> {
  limit: Pick<InFlightLimit, 'limit'>;
  pace: Pick<Pace, 'may' | 'started'>;
  budget: Pick<Budget, 'reserve' | 'release'>;
  /** Whether a request may start at `now` (monotonic ms) as far as anything but flow is concerned. */
  mayStart: (now: number) => boolean;
  /** Whether a slot whose turn has come is not to be sent; it has been dealt with if so. */
  skips: (slot: S) => boolean;
  send: (slot: S) => void;
  /** Called after each `pump`, when nothing more may start. */
  pumped: () => void;
}

/** Starts requests in turn, as many as limit, pace and the budget of the process let go at once. */
export interface Dispatcher<S extends Queued> {
  push(slot: S): void;
  /** Puts a slot in front of the others: it is tried again. */
  putBack(slot: S): void;
  /** Starts what may start; call it whenever that may have changed. */
  pump(): void;
  /** A request has ended; its share of the budget is kept until `passOn`. */
  landed(): void;
  /** Gives the share of a request that landed to the drain that waits for one. */
  passOn(): void;
  /** Nothing starts until `until` (monotonic ms). */
  rest(until: number): void;
  readonly inFlight: number;
  /** Nothing waits for its turn. */
  readonly empty: boolean;
}

export function createDispatcher<S extends Queued>(options: DispatcherOptions<S>): Dispatcher<S> {
  const { limit, pace, budget } = options;
  const ready = createReadyQueue<S>();
  let pumping = false;
  let inFlight = 0;
  let restsUntil = 0;

  function pump(): void {
    if (pumping) return; // a slot that was skipped has freed its lane: the loop below goes on with it
    pumping = true;
    while (!ready.empty && mayStart()) {
      const slot = ready.next();
      if (slot === undefined || options.skips(slot)) continue;
      if (!budget.reserve(pump)) {
        ready.putBack(slot);
        break;
      }
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
    pump,
    landed: () => {
      inFlight -= 1;
    },
    passOn: budget.release,
    rest: (until) => {
      restsUntil = until;
    },
    get inFlight() {
      return inFlight;
    },
    get empty() {
      return ready.empty;
    },
  };
}
