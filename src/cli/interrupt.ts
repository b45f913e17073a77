const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Ignores signals this soon after the first: npm forwards one that the terminal has already sent, ms. */
const ECHO_MS = 500;

/**
 * Calls `first` at the first SIGINT, SIGTERM or SIGHUP and `again` at each later one. It never stops
 * listening: a signal that comes while the process ends must not replace its exit code.
 */
export function onInterrupt(listeners: { first: () => void; again: () => void }): void {
  let first: number | null = null;
  const onSignal = (): void => {
    const now = performance.now();
    if (first === null) {
      first = now;
      listeners.first();
    } else if (now - first > ECHO_MS) {
      listeners.again();
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
}
