/** The waits before the quick retries of a suspect, ms. */
const QUICK_MS = [250, 500, 1_000];
/** The wait before the try that decides, after another record's request has succeeded, ms. */
const DECIDE_MS = 25;
/** So many suspects without a success of another record put the endpoint in doubt. */
const TOO_MANY = 5;
/** So many do if they got no answer, because each of them may have taken as long as the target's time-out. */
const TOO_MANY_UNANSWERED = 2;

/** An entry whose failure is not explained yet. Times are monotonic ms. */
interface Suspect<S> {
  slot: S;
  record: string;
  failures: number;
  /** Whether its last attempt got an answer. */
  answered: boolean;
  /** When its first failed attempt had started, be it that of a batch. */
  firstStartedAt: number;
  /** A successful request of another record that started after this time is evidence against the entry. */
  since: number;
  /** When such a success was noted; null: there is none. */
  provenAt: number | null;
  /** When it is tried again. Infinity: it waits for other requests to decide; -Infinity: it is being tried. */
  dueAt: number;
}

/** A failed attempt. Times are monotonic ms. */
export interface FailedTry {
  record: string;
  startedAt: number;
  /**
   * When the request of several entries had started with which it failed before it was tried by itself; absent: there
   * was none.
   */
  batchStartedAt?: number | undefined;
  endedAt: number;
  /** Whether there was an answer: an HTTP status, as opposed to a time-out or a lost connection. */
  answered: boolean;
  /** Whether a request of another record that started after this time has succeeded already. */
  contradictedSince: (time: number) => boolean;
}

/**
 * Tells a poisoned message from a failing endpoint. An entry that fails is a suspect. Once a request of another
 * record succeeds, one more failure proves that the message itself is at fault. That request has to have
 * started after the failure; after an attempt without an answer it is enough that it started after the attempt,
 * because the attempt lasted until the time-out. In that case, however, the message does not count as at fault
 * while other entries are suspects without such a success. The same evidence decides about an answered failure
 * whose quick retries are used up, because the others may all have been sent before it failed. For an entry that
 * failed in a batch before, its first attempt in these two cases is that of the batch, whose other entries have been
 * delivered since. Times are monotonic ms.
 */
export interface Suspects<S> {
  /**
   * Notes a failed attempt; `park` when the message is proven to be at fault, `wait` when it is to be tried
   * again.
   */
  failed(slot: S, attempt: FailedTry): 'park' | 'wait';
  /** Notes a success, which clears the entry if it is a suspect and is evidence about the others. */
  succeeded(slot: S, record: string, startedAt: number, now: number): void;
  /** Removes a suspect, because its entry is settled in another way. */
  forget(slot: S): void;
  /** Whether a suspect was handed out, and its next attempt has not ended. */
  isTried(slot: S): boolean;
  /** The suspects that are to be tried now; each is handed out once. */
  due(now: number): S[];
  readonly size: number;
  /** Whether there are so many that one more request, on its own, has to decide about the endpoint. */
  readonly tooMany: boolean;
  /** The same if there are more of which it is not known what is at fault, `unanswered` of them without an answer. */
  tooManyWith(more: number, unanswered: number): boolean;
  /** Whether a suspect is not tried again by itself and no request of another record has succeeded since. */
  readonly exhausted: boolean;
}

/** Creates an empty set of suspects. */
export function createSuspects<S>(): Suspects<S> {
  const suspects = new Map<S, Suspect<S>>();
  let unproven = 0;
  let unprovenUnanswered = 0;

  function failed(slot: S, attempt: FailedTry): 'park' | 'wait' {
    const { startedAt, endedAt, answered } = attempt;
    const known = suspects.get(slot);
    const suspect = known ?? added(slot, attempt);
    const began = known === undefined ? (attempt.batchStartedAt ?? startedAt) : startedAt;
    if (suspect.provenAt !== null && startedAt >= suspect.provenAt) {
      if (answered || unproven === 0) {
        suspects.delete(slot);
        return 'park';
      }
      suspect.since = startedAt; // the endpoint may have begun to fail since
      count(suspect, () => (suspect.provenAt = null));
    } else if (suspect.provenAt === null && !answered && attempt.contradictedSince(began)) {
      prove(suspect, endedAt);
    }
    count(suspect, () => (suspect.answered = answered));
    suspect.failures += 1;
    const wait = waitOf(suspect);
    if (wait === undefined && answered && isAlone(suspect, attempt)) {
      forget(slot);
      return 'park';
    }
    suspect.dueAt = wait === undefined ? Infinity : endedAt + wait;
    return 'wait';
  }

  function added(slot: S, attempt: FailedTry): Suspect<S> {
    const { record, answered, startedAt, endedAt } = attempt;
    const suspect: Suspect<S> = {
      slot,
      record,
      failures: 0,
      answered,
      firstStartedAt: attempt.batchStartedAt ?? startedAt,
      since: answered ? endedAt : startedAt,
      provenAt: null,
      dueAt: Infinity,
    };
    suspects.set(slot, suspect);
    tally(suspect, 1);
    return suspect;
  }

  /**
   * Whether all quick retries have failed while other requests that started after the first of them succeeded,
   * and no other entry is a suspect.
   */
  function isAlone({ provenAt, firstStartedAt }: Suspect<S>, attempt: FailedTry): boolean {
    return provenAt === null && unproven === 1 && attempt.contradictedSince(firstStartedAt);
  }

  function succeeded(slot: S, record: string, startedAt: number, now: number): void {
    if (suspects.size === 0) return;
    forget(slot);
    if (unproven === 0) return;
    for (const suspect of suspects.values()) {
      const speaks = suspect.record !== record && startedAt > suspect.since;
      if (suspect.provenAt !== null || !speaks) continue;
      prove(suspect, now);
      if (!isBeingTried(suspect)) suspect.dueAt = Math.min(suspect.dueAt, now + DECIDE_MS);
    }
  }

  function prove(suspect: Suspect<S>, now: number): void {
    count(suspect, () => (suspect.provenAt = now));
  }

  function forget(slot: S): void {
    const suspect = suspects.get(slot);
    if (suspect === undefined) return;
    suspects.delete(slot);
    tally(suspect, -1);
  }

  /** Changes a suspect and keeps the counts right. */
  function count(suspect: Suspect<S>, change: () => void): void {
    tally(suspect, -1);
    change();
    tally(suspect, 1);
  }

  function tally({ provenAt, answered }: Suspect<S>, by: 1 | -1): void {
    if (provenAt !== null) return;
    unproven += by;
    if (!answered) unprovenUnanswered += by;
  }

  function tooManyWith(more: number, unanswered: number): boolean {
    return unproven + more >= TOO_MANY || unprovenUnanswered + unanswered >= TOO_MANY_UNANSWERED;
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
    isTried: (slot) => suspects.get(slot)?.dueAt === -Infinity,
    due,
    get size() {
      return suspects.size;
    },
    get tooMany() {
      return tooManyWith(0, 0);
    },
    tooManyWith,
    get exhausted() {
      if (unproven === 0) return false;
      for (const one of suspects.values())
        if (one.provenAt === null && one.dueAt === Infinity) return true;
      return false;
    },
  };
}

/** How long a suspect waits for its next try, ms; undefined: until other requests have decided. */
function waitOf({ provenAt, answered, failures }: Suspect<unknown>): number | undefined {
  if (provenAt !== null) return DECIDE_MS;
  return answered ? QUICK_MS[failures - 1] : undefined;
}

function isBeingTried(suspect: { dueAt: number }): boolean {
  return suspect.dueAt === -Infinity;
}
