const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** How many alerts of one channel may be handed over at the same time, and when. Times are monotonic ms. */
export interface ChannelPace {
  /**
   * How many may be in progress at `now`: one less than the slots for each failure in a row, and none during a
   * pause.
   */
  slots(now: number): number;
  /** Milliseconds until the pause is over; 0 without one. */
  waitMs(now: number): number;
  /** The other side has answered, which shows that it is there, even if it refused this alert. */
  answered(): void;
  /** An attempt has failed in a way that may concern all alerts of the channel. */
  failed(now: number): void;
}

/**
 * Creates the pace of a channel. Each failure in a row closes a slot. After as many failures as there are slots
 * the other side counts as away: it gets one alert at a time, with a pause before each that doubles from a
 * second to a minute, until it answers. So a dead mail server is called no more often for a thousand alerts
 * than for one.
 */
export function createChannelPace({ slots }: { slots: number }): ChannelPace {
  let failures = 0;
  let pausedUntil = 0;

  return {
    slots: (now) => {
      if (now < pausedUntil) return 0;
      return Math.max(1, slots - failures);
    },
    waitMs: (now) => Math.max(0, pausedUntil - now),
    answered: () => {
      failures = 0;
      pausedUntil = 0;
    },
    failed: (now) => {
      failures += 1;
      if (failures < slots) return;
      const doubled = FIRST_PAUSE_MS * 2 ** Math.min(failures - slots, 10);
      pausedUntil = now + Math.min(doubled, LONGEST_PAUSE_MS);
    },
  };
}
