/** A part of the rehearsal failed. The message names it, why it failed, and its log. */
export class PartFailed extends Error {
  override name = 'PartFailed';
}

/** Times the start of parts, and names the part in the error when one fails. */
export interface Timer {
  /** Seconds, by part. */
  seconds: Record<string, number>;
  /** Prints how long `work` took, or throws `PartFailed`; `logFile` is null where the error itself names it. */
  time<T>(what: string, logFile: string | null, work: () => Promise<T>): Promise<T>;
  /** The same without printing the time. */
  named<T>(what: string, logFile: string | null, work: () => Promise<T>): Promise<T>;
}

/** Creates a timer that says what it measures. */
export function createTimer(say: (line: string) => void): Timer {
  const seconds: Record<string, number> = {};

  async function named<T>(
    what: string,
    logFile: string | null,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof PartFailed) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      const log = logFile === null ? '' : `. Its log is ${logFile}`;
      throw new PartFailed(`${what} failed: ${why}${log}`, { cause });
    }
  }

  return {
    seconds,
    named,
    time: async (what, logFile, work) => {
      const begun = performance.now();
      const result = await named(what, logFile, work);
      const took = (performance.now() - begun) / 1_000;
      seconds[what] = Math.round(took * 10) / 10;
      say(`${took.toFixed(1).padStart(6)} s  ${what}`);
      return result;
    },
  };
}
