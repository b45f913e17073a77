/** The waits before the quick retries of a suspect, ms. */
const QUICK_MS = [250, 500, 1_000];
/** The wait before the try that decides, after another record's request has succeeded, ms. */
const DECIDE_MS = 25;
/** So many suspects without a success of another record are taken as a failure of the endpoint. */
const TOO_MANY = 5;

/** An entry whose failure is not explained yet. Times are monotonic ms. */
interface Suspect<S> {
  slot: S;
  record: string;
  failures: number;
  /** When its first failed attempt ended. */
  since: number;
  /** When a request of another record succeeded that had started after `since`; null: none has. */
  provenAt: number | null;
  /** When it is tried again. Infinity: it waits for other requests to decide; -Infinity: it is being tried. */
  dueAt: number;
}

/**
 * Tells a poisoned message from a failing endpoint. An entry that fails is a suspect. Once a request
 * of another record that started after the failure succeeds, one more failure proves that the message
 * itself is at fault. Times are monotonic ms.
 */
export interface Suspects<S> {
  /** Notes a failed attempt; `park` when the message is proven to be at fault, `wait` when it is tried again. */
  failed(slot: S, record: string, startedAt: number, now: number): 'park' | 'wait';
  /** Notes a success, which clears the entry if it is a suspect and is evidence about the others. */
  succeeded(slot: S, record: string, startedAt: number, now: number): void;
  /** Removes a suspect, as its entry is settled otherwise. */
  forget(slot: S): void;
  /** The suspects that are to be tried now; each is handed out once. */
  due(now: number): S[];
  readonly size: number;
  /** Whether there are so many that nothing new may start; what is in flight decides about the endpoint. */
  readonly tooMany: boolean;
  /** Whether a suspect has used up its quick retries and no request of another record has succeeded since. */
  readonly exhausted: boolean;
}

/** Creates an empty set of suspects. */
export function createSuspects<S>(): Suspects<S> {
  const suspects = new Map<S, Suspect<S>>();
  let unproven = 0;

  function failed(slot: S, record: string, startedAt: number, now: number): 'park' | 'wait' {
    let suspect = suspects.get(slot);
    if (suspect === undefined) {
      suspect = { slot, record, failures: 0, since: now, provenAt: null, dueAt: Infinity };
      suspects.set(slot, suspect);
      unproven += 1;
    }
    if (suspect.provenAt !== null && startedAt >= suspect.provenAt) {
      suspects.delete(slot);
      return 'park';
    }
    suspect.failures += 1;
    const wait = suspect.provenAt === null ? QUICK_MS[suspect.failures - 1] : DECIDE_MS;
    suspect.dueAt = wait === undefined ? Infinity : now + wait;
    return 'wait';
  }

  function succeeded(slot: S, record: string, startedAt: number, now: number): void {
    if (suspects.size === 0) return;
    forget(slot);
    if (unproven === 0) return;
    for (const suspect of suspects.values()) {
      const speaks = suspect.record !== record && startedAt > suspect.since;
      if (suspect.provenAt !== null || !speaks) continue;
      suspect.provenAt = now;
      unproven -= 1;
      if (!isBeingTried(suspect)) suspect.dueAt = Math.min(suspect.dueAt, now + DECIDE_MS);
    }
  }

  function forget(slot: S): void {
    const suspect = suspects.get(slot);
    if (suspect === undefined) return;
    suspects.delete(slot);
    if (suspect.provenAt === null) unproven -= 1;
  }

  function due(now: number): S[] {
    const found: S[] = [];
    for (const suspect of suspects.values()) {
      if (suspect.dueAt > now || isBeingTried(suspect)) continue;
      suspect.dueAt = -Infinity; // being tried
      found.push(suspect.slot);
    }
    return found;
  }

  return {
    failed,
    succeeded,
    forget,
    due,
    get size() {
      return suspects.size;
    },
    get tooMany() {
      return unproven >= TOO_MANY;
    },
    get exhausted() {
      if (unproven === 0) return false;
      for (const one of suspects.values())
        if (one.provenAt === null && one.dueAt === Infinity) return true;
      return false;
    },
  };
}

function isBeingTried(suspect: { dueAt: number }): boolean {
  return suspect.dueAt === -Infinity;
}
