const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm forwards the signal that the terminal has already sent to the whole group. */
const ECHO_MS = 500;

/**
 * Calls `first` at the first signal to stop and `again` at each later one. For the rest of the
 * process: one that comes while it ends must not turn its exit code into a signal.
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
