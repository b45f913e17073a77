/** One of the actions that a loop may take next. */
export interface Turn {
  /** Whether something has come that requires this turn. */
  isDue?: () => boolean;
  /** Milliseconds until the time for this turn; 0 or less: it has come; Infinity: there is no such time. */
  untilDueMs?: () => number;
  /** What it waits for until that time, as the Temporal UI names the timer: `until …`. */
  timer?: () => string;
  act: () => Promise<void> | void;
}

/** The first turn of the list that is due. */
export function dueTurn(turns: readonly Turn[]): Turn | undefined {
  return turns.find((one) => one.isDue?.() === true || (one.untilDueMs?.() ?? Infinity) <= 0);
}

/**
 * Whether something has come that requires a turn. A time that has come does not count: a wait for a time ends
 * only with its timer, so that a history in which a timer fired late still replays.
 */
export function hasSomethingCome(turns: readonly Turn[]): boolean {
  return turns.some((one) => one.isDue?.() === true);
}

/** The next time for a turn: milliseconds until then (Infinity: no turn of the list has a time), and its timer's name. */
export function nextTime(turns: readonly Turn[]): { ms: number; timer: string } {
  let next: { ms: number; turn: Turn | null } = { ms: Infinity, turn: null };
  for (const turn of turns) {
    const ms = turn.untilDueMs?.() ?? Infinity;
    if (ms < next.ms) next = { ms, turn };
  }
  return { ms: next.ms, timer: next.turn?.timer?.() ?? 'until the next turn' };
}
