const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** npm forwards the signal that the terminal has already sent to the whole group. */
const SAME_MS = 500;

/** Calls `first` at the first signal to stop and `again` at each later one; what it returns ends that. */
export function onInterrupt(listeners: { first: () => void; again: () => void }): () => void {
  let last: number | null = null;
  const onSignal = (): void => {
    const now = performance.now();
    const repeated = last !== null;
    const echo = last !== null && now - last < SAME_MS;
    last = now;
    if (echo) return;
    if (repeated) listeners.again();
    else listeners.first();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
