/** How late the ticks of a lane come: its process has more to do than it can, or gets too little of a processor. */
export interface Lateness {
  /** Notes a tick. */
  tick(): void;
  /** How late they come at present, ms; a single late one is forgotten within some ticks. */
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
