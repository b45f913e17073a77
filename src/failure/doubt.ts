import type { Suspects } from './suspects.ts';

/**
 * Decides when suspects are taken as a failure of the endpoint. While there are too many of them, it is
 * in doubt: what is in flight ends, and then a single request decides.
 */
export interface Doubt<S> {
  /** Whether the endpoint is in doubt. */
  readonly exists: boolean;
  /** Whether a request may start; `alone`: no other one is open. */
  mayStart(alone: boolean): boolean;
  /** Notes that a request starts. */
  started(slot: S): void;
  /** Notes that a request has ended; `against`: it failed, and that speaks against the endpoint. */
  ended(slot: S, against: boolean): void;
  /** Whether the endpoint is taken to fail; `nothingElse`: nothing else is left to send. */
  isSettled(nothingElse: boolean): boolean;
  /** Ends it, as the endpoint is taken to fail. */
  end(): void;
}

/** Creates the doubt about one endpoint, which its suspects raise. */
export function createDoubt<S>(suspects: Pick<Suspects<S>, 'tooMany' | 'exhausted'>): Doubt<S> {
  let deciding: S | null = null;
  let decided = false; // against the endpoint

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
