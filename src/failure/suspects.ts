/** Waits before the quick retries of an entry whose failure may be its own or its endpoint's. */
const QUICK_MS = [250, 500, 1_000];
/** After another record's success one more try decides. */
const DECIDE_MS = 25;
/** As many that nothing speaks against are a failure of the endpoint. */
const TOO_MANY = 5;

/** One entry whose failure is not explained yet. Monotonic ms. */
interface Suspect<S> {
  slot: S;
  record: string;
  failures: number;
  /** End of its first failed attempt. */
  since: number;
  /** When another record's request that started after that succeeded. */
  provenAt: number | null;
  /** Infinity: it waits for what others say; also while it is being tried. */
  dueAt: number;
}

/**
 * Tells a poisoned message from a failing endpoint: a failure is a suspect until another record's
 * request that started after it succeeds; failing once more after that proves it the message's own.
 */
export interface Suspects<S> {
  /** A failed attempt; `park` when it is proven to be the message's own fault, else it is tried again. */
  failed(slot: S, record: string, startedAt: number, now: number): 'park' | 'wait';
  /** A success; that of a suspect clears it. */
  succeeded(slot: S, record: string, startedAt: number, now: number): void;
  forget(slot: S): void;
  /** Those to be tried now; each is handed out once. */
  due(now: number): S[];
  readonly size: number;
  /** Nothing new may start: what is in flight decides whether it is the endpoint. */
  readonly tooMany: boolean;
  /** One has used up its quick retries and nothing has cleared it. */
  readonly exhausted: boolean;
}

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
