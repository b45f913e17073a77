import type { Logger } from 'pino';

/** Logs interruptions of work that is tried again: each reason once, until the work has succeeded. */
export interface Interruptions {
  /** Notes that the work was interrupted; logs it unless the last interruption had the same reason. */
  note: (error: unknown) => void;
  /** Notes that the work has succeeded: the next interruption is logged, whatever its reason. */
  over(): void;
}

/** Creates the log of one kind of work; `message` says which. */
export function createInterruptions(log: Pick<Logger, 'warn'>, message: string): Interruptions {
  let said: string | null = null;
  return {
    note: (error) => {
      const reason = error instanceof Error ? error.message : 'unknown';
      if (reason !== said) log.warn({ err: error }, message);
      said = reason;
    },
    over: () => {
      said = null;
    },
  };
}
