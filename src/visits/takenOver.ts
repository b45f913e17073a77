import type { Drain } from '../delivery/drainContext.ts';
import type { Inheritance } from './inheritance.ts';

/** So long a drain that is to end may take to read the entry whose request has failed, ms. */
const LEARNS_WITHIN_MS = 5_000;

/**
 * The drain that has taken over from a quiet sender. It is not stopped before it knows how the request has ended that
 * it has taken over: otherwise the entry would be sent again at once, even if the endpoint has asked to wait. It may
 * never know, if an edit has closed the entry, or no page can be read.
 */
export function takenOver(
  drain: Drain,
  inheritance: Pick<Inheritance, 'over' | 'isUntold'>,
  stirred: () => void,
): Drain {
  let reason: Parameters<Drain['stop']>[0] | null = null;
  let stopsBy = Infinity; // monotonic ms

  function stopOnceTold(now: number): void {
    if (reason === null) return;
    const mayLearn = drain.quietSince === null && now < stopsBy;
    if (inheritance.isUntold && mayLearn) return;
    drain.stop(reason);
    reason = null;
  }

  async function stop(why: Parameters<Drain['stop']>[0]): Promise<void> {
    await inheritance.over;
    const now = performance.now();
    if (reason === null) stopsBy = now + LEARNS_WITHIN_MS;
    reason ??= why;
    stirred();
    stopOnceTold(now);
  }

  return {
    ended: drain.ended,
    stop: (why) => void stop(why),
    tick: (now) => {
      drain.tick(now);
      stopOnceTold(now);
    },
    get quietSince() {
      return drain.quietSince;
    },
    get restsUntil() {
      return reason === null ? drain.restsUntil : -Infinity;
    },
    get isFailing() {
      return drain.isFailing;
    },
    get settledCount() {
      return drain.settledCount;
    },
    get position() {
      return drain.position;
    },
  };
}
