/** Requests in flight while an endpoint comes back, and the successes that each step takes. */
const RAMP = [
  { limit: 1, successes: 1 },
  { limit: 10, successes: 10 },
] as const;
/** Requests in flight at first; each success adds one, so a round trip doubles it. */
const SLOW_START = 16;

/** How many requests may be in flight: slow start, one more a success, halved by overload. */
export interface InFlightLimit {
  readonly limit: number;
  /** The endpoint is coming back after a failure. */
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
  let found = from.found; // above it, growth is slow
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
    setMax: (next) => {
      max = next;
      if (found === null) open = Math.max(open, Math.min(max, SLOW_START));
    },
  };
}
