/** Calls of this process that wait for something, and the one interval that polls for all of them. */
export interface Waits<T> {
  /** Resolves when `end` is called for `what`, after `ms`, when `signal` aborts, or on `close`. */
  until(what: T, ms: number, signal: AbortSignal): Promise<void>;
  /** Ends the waits for which `isOver` holds. */
  end(isOver: (what: T) => boolean): void;
  /** Everything that is waited for now, once for each wait. */
  all(): T[];
  /** How many waits there are. */
  readonly size: number;
  /** Ends every wait; from then on `until` resolves immediately. */
  close(): void;
  readonly isClosed: boolean;
}

export interface WaitsOptions {
  /** Called every `pollMs` while there is a wait, never while there is none. */
  poll: () => void;
  pollMs: number;
}

/** Creates the waits; there is no interval until something is waited for. */
export function createWaits<T>({ poll, pollMs }: WaitsOptions): Waits<T> {
  const waiting = new Map<() => void, T>();
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;

  async function until(what: T, ms: number, signal: AbortSignal): Promise<void> {
    if (isClosed || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const go = (): void => resolve();
    waiting.set(go, what);
    timer ??= setInterval(poll, pollMs);
    const timeout = setTimeout(go, ms);
    signal.addEventListener('abort', go, { once: true });
    await promise;
    clearTimeout(timeout);
    signal.removeEventListener('abort', go);
    waiting.delete(go);
    if (timer !== null && waiting.size === 0) {
      clearInterval(timer);
      timer = null;
    }
  }

  function end(isOver: (what: T) => boolean): void {
    for (const [go, what] of waiting) if (isOver(what)) go();
  }

  function close(): void {
    isClosed = true;
    for (const go of waiting.keys()) go();
  }

  return {
    until,
    end,
    all: () => [...waiting.values()],
    get size() {
      return waiting.size;
    },
    close,
    get isClosed() {
      return isClosed;
    },
  };
}
