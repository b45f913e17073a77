/**
 * The circuit between a consumer and its endpoint. `closed` and `half-open` are an active consumer
 * (drain sends), `open` a blocked one (deliver sends its head), `stopped` one that waits for someone.
 */
export type Circuit = 'closed' | 'half-open' | 'open' | 'stopped';

export type Happening =
  | 'success'
  /** As many successes after coming back as the ramp asks for. */
  | 'ramped'
  | 'endpoint failure'
  /** Nothing is left to try: filtered, superseded, or parked. */
  | 'nothing left'
  | 'window over'
  | 'gone'
  | 'resume';

/** States × events; a missing pair does not compile. */
export const NEXT: Record<Circuit, Record<Happening, Circuit>> = {
  closed: {
    success: 'closed',
    ramped: 'closed',
    'endpoint failure': 'open',
    'nothing left': 'closed',
    'window over': 'closed', // a window runs only while it is open
    gone: 'stopped',
    resume: 'closed',
  },
  'half-open': {
    success: 'half-open',
    ramped: 'closed',
    'endpoint failure': 'open',
    'nothing left': 'half-open',
    'window over': 'half-open',
    gone: 'stopped',
    resume: 'half-open',
  },
  open: {
    success: 'half-open',
    ramped: 'open',
    'endpoint failure': 'open',
    'nothing left': 'half-open',
    'window over': 'stopped',
    gone: 'stopped',
    resume: 'open',
  },
  stopped: {
    success: 'stopped', // of a request that was in flight: only `resume` starts it again
    ramped: 'stopped',
    'endpoint failure': 'stopped',
    'nothing left': 'stopped',
    'window over': 'stopped',
    gone: 'stopped',
    resume: 'half-open',
  },
};

/** Requests in flight while it comes back, and the successes that each step takes. */
const RAMP = [
  { limit: 1, successes: 1 },
  { limit: 10, successes: 10 },
] as const;
/** In flight at first; each success adds one, so a round trip doubles it. */
const SLOW_START = 16;

/** How many requests may be in flight: slow start, one more a success, halved by overload. */
export interface InFlightLimit {
  readonly limit: number;
  /** Coming back after a failure. */
  readonly ramping: boolean;
  /** What the next sender should begin with; null: no limit of the endpoint's is known. */
  readonly found: number | null;
  success(): void;
  overload(): void;
  setMax(max: number): void;
}

export function createInFlightLimit(from: {
  max: number;
  found: number | null;
  ramp: boolean;
}): InFlightLimit {
  let { max } = from;
  let step = from.ramp ? 0 : RAMP.length;
  let left = RAMP[0].successes as number;
  let circuit: Circuit = from.ramp ? 'half-open' : 'closed';
  let found = from.found; // above it, growth is slow
  let open = Math.min(found ?? max, from.ramp ? (found ?? max) : SLOW_START);
  let grown = 0; // successes towards the next step above `found`

  function success(): void {
    if (circuit === 'half-open') {
      climb();
      return;
    }
    if (open >= max) {
      found = null;
      return;
    }
    if (found !== null && open >= found) {
      grown += 1;
      if (grown < open) return;
      grown = 0;
    }
    open += 1;
  }

  function climb(): void {
    left -= 1;
    if (left > 0) return;
    step += 1;
    left = RAMP[step]?.successes ?? 0;
    if (step >= RAMP.length) circuit = NEXT[circuit].ramped;
  }

  return {
    get limit() {
      return Math.min(max, RAMP[step]?.limit ?? open);
    },
    get ramping() {
      return circuit === 'half-open';
    },
    get found() {
      return found;
    },
    success,
    overload: () => {
      open = Math.max(1, Math.floor(open / 2));
      found = open;
      grown = 0;
    },
    setMax: (next) => {
      max = next;
      if (found === null) open = Math.max(open, Math.min(max, SLOW_START));
    },
  };
}
