import { threadCpuMs } from './cpuTime.ts';

/** How long this thread has computed between two turns of its event loop. */
export interface Turns {
  /** Ends the watch; all times are ms of CPU, which a busy machine does not lengthen by itself. */
  stop(): { longest: number; whole: number };
}

const LOOK_MS = 5;

/** Watches the event loop of this thread: other work gets its turn wherever a timer does. */
export function watchTurns(): Turns {
  const begun = threadCpuMs();
  let last = begun;
  let longest = 0;
  const look = (): void => {
    const now = threadCpuMs();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return { longest, whole: last - begun };
    },
  };
}
