/** Work that is done whenever it is asked for, one turn at a time. */
export interface Loop {
  /**
   * Asks for a turn. One that begins after this call follows, now or when the turn under way has
   * ended, and stands for all that was asked for until it began; after `close`, none follows.
   */
  ask: () => void;
  /** Whether a turn has been asked for that has not begun. */
  readonly isAsked: boolean;
  /** No turn begins any more; resolves when the one under way has ended. */
  close(): Promise<void>;
}

export interface LoopOptions {
  /** One turn; it may ask for the next one itself. */
  turn: () => Promise<void>;
  /** Is given the error of a turn that failed; what was asked for meanwhile is done all the same. */
  failed: (error: unknown) => void;
}

/** Makes the loop; nothing runs until it is asked for. */
export function createLoop({ turn, failed }: LoopOptions): Loop {
  let isAsked = false;
  let isRunning = false;
  let isClosed = false;
  let ended = Promise.resolve();

  function ask(): void {
    if (isClosed) return;
    isAsked = true;
    if (!isRunning) ended = run();
  }

  async function run(): Promise<void> {
    isRunning = true;
    while (isAsked && !isClosed) {
      isAsked = false;
      try {
        await turn();
      } catch (error) {
        failed(error);
      }
    }
    isRunning = false;
  }

  function close(): Promise<void> {
    isClosed = true;
    return ended;
  }

  return {
    ask,
    get isAsked() {
      return isAsked;
    },
    close,
  };
}
