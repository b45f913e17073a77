/** One thing that a loop may do next. */
export interface Turn {
  /** Whether something has come that asks for it. */
  isDue?: () => boolean;
  /** Milliseconds until the time has come for it; 0 or less: it has. Infinity: there is none. */
  untilDueMs?: () => number;
  act: () => Promise<void> | void;
}

/** The first turn of the list that is due. */
export function dueTurn(turns: readonly Turn[]): Turn | undefined {
  return turns.find((one) => one.isDue?.() === true || (one.untilDueMs?.() ?? Infinity) <= 0);
}

/**
 * Whether something has come that asks for a turn. Not whether a time has come: a wait for a time ends
 * with its timer alone, so that a history replays whose timer fired later than that.
 */
export function hasSomethingCome(turns: readonly Turn[]): boolean {
  return turns.some((one) => one.isDue?.() === true);
}

/** Milliseconds until the time has come for a turn of the list; Infinity: for none. */
export function untilNextTurnMs(turns: readonly Turn[]): number {
  return Math.min(...turns.map((one) => one.untilDueMs?.() ?? Infinity));
}
