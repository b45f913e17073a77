/** Work that is done whenever it is requested, one turn at a time. */
export interface Loop {
  /**
   * Requests a turn. A turn that begins after this call follows, now or when the one in progress has ended, and
   * serves all requests that were made until it began; after `close`, none follows.
   */
  ask: () => void;
  /** Whether a turn has been requested that has not begun. */
  readonly isAsked: boolean;
  /** No turn begins any more; resolves when the one in progress has ended. */
  close(): Promise<void>;
}

export interface LoopOptions {
  /** One turn; it may request the next one itself. */
  turn: () => Promise<void>;
  /** Called with the error of a turn that failed; requests that came meanwhile are served all the same. */
  failed: (error: unknown) => void;
}

/** Creates the loop; nothing runs until it is requested. */
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
