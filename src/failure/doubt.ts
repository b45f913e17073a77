import type { Suspects } from './suspects.ts';

/**
 * Decides when suspects count as a failure of the endpoint. While there are too many of them, the endpoint is
 * in doubt: requests in flight are completed, and then a single request decides.
 */
export interface Doubt<S> {
  /** Whether the endpoint is in doubt. */
  readonly exists: boolean;
  /** Whether a request may start; `alone`: no other one is open. */
  mayStart(alone: boolean): boolean;
  /** Notes that a request starts. */
  started(slot: S): void;
  /** Notes that a request has ended; `against`: it failed, and that is evidence against the endpoint. */
  ended(slot: S, against: boolean): void;
  /** Whether the endpoint counts as failing; `nothingElse`: nothing else is left to send. */
  isSettled(nothingElse: boolean): boolean;
  /** Ends the doubt, because the endpoint counts as failing. */
  end(): void;
}

/** Creates the doubt about one endpoint, which suspects raise. */
export function createDoubt<S>(suspects: Pick<Suspects<S>, 'tooMany' | 'exhausted'>): Doubt<S> {
  let deciding: S | null = null;
  let decided = false; // failures that are evidence against the endpoint

  return {
    get exists() {
      return suspects.tooMany;
    },
    mayStart: (alone) => !suspects.tooMany || (alone && !decided),
    started: (slot) => {
      if (suspects.tooMany) deciding = slot;
    },
    ended: (slot, against) => {
      if (slot !== deciding) return;
      deciding = null;
      decided ||= against;
    },
    end: () => {
      deciding = null;
      decided = false;
    },
    isSettled: (nothingElse) => {
      if (suspects.tooMany) return decided || nothingElse;
      decided = false;
      return suspects.exhausted && nothingElse;
    },
  };
}
