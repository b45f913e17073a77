/** The limit while an endpoint recovers, and the successes that lead to the next step. */
const RAMP = [
  { limit: 1, successes: 1 },
  { limit: 10, successes: 10 },
] as const;
/** The first limit; each success adds one, so that it doubles with each round trip. */
const SLOW_START = 16;

/** How many requests may be in flight: slow start, one more with each success, half after an overload. */
export interface InFlightLimit {
  readonly limit: number;
  /** Whether the endpoint is still recovering from a failure. */
  readonly ramping: boolean;
  /** The limit that the next sender should begin with; null while the endpoint has shown none. */
  readonly found: number | null;
  success(): void;
  overload(): void;
  setMax(max: number): void;
  /** The endpoint has failed: it recovers step by step. */
  recover(): void;
}

/** Begins with the limit `found` by an earlier sender, never above `max`; `ramp` recovers step by step. */
export function createInFlightLimit(from: {
  max: number;
  found: number | null;
  ramp: boolean;
}): InFlightLimit {
  let { max } = from;
  let step = from.ramp ? 0 : RAMP.length;
  let left = RAMP[0].successes as number;
  let found = from.found; // above it, the limit grows slowly
  let open = Math.min(found ?? max, from.ramp ? (found ?? max) : SLOW_START);
  let grown = 0; // successes towards the next step above `found`

  function success(): void {
    if (ramping()) {
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
  }

  function ramping(): boolean {
    return step < RAMP.length;
  }

  return {
    get limit() {
      return Math.min(max, RAMP[step]?.limit ?? open);
    },
    get ramping() {
      return ramping();
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
    recover: () => {
      step = 0;
      left = RAMP[0].successes;
      open = Math.min(found ?? max, max);
      grown = 0;
    },
    setMax: (next) => {
      max = next;
      if (found === null) open = Math.max(open, Math.min(max, SLOW_START));
    },
  };
}
