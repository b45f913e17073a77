/** How late the ticks of a lane are: its process has more work than it can do, or gets too little CPU time. */
export interface Lateness {
  /** Notes a tick. */
  tick(): void;
  /** How late the ticks are at present, ms; a single late one is forgotten within a few ticks. */
  readonly ms: number;
}

/** Creates the lateness of ticks that are due every `everyMs`. */
export function createLateness(everyMs: number): Lateness {
  let tickedAt = performance.now();
  let ms = 0;
  return {
    tick: () => {
      const now = performance.now();
      ms = Math.max(now - tickedAt - everyMs, ms / 2);
      tickedAt = now;
    },
    get ms() {
      return ms;
    },
  };
}
