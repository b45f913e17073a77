import { failureWords } from '../rules/failurePhrase.ts';
import type { Attempt } from '../schema/attempt.ts';
import type { Consumer } from '../schema/consumer.ts';
import { waitingOf } from './consumerView.ts';

/** The outcome of `retry` or `resume`, in one sentence. */
export interface Verdict {
  ok: boolean;
  text: string;
}

/** What is known about a consumer after it was given `retry` or `resume`. */
export interface Seen {
  /** The consumer before the command, and as the command answered it. */
  before: Consumer;
  answered: Consumer;
  now: Consumer;
  /** The attempts since the command, newest first. */
  attempts: readonly Attempt[];
  /** Whether attempts may still be in progress: some have ended since the last check. */
  isBusy: boolean;
}

/** Judges the outcome of `retry` or `resume`; null while it is not known yet. */
export function comeOf(seen: Seen): Verdict | null {
  const { before, answered, now, attempts } = seen;
  if (now.status === 'stopped') return { ok: false, text: `It has stopped: ${reasonOf(now)}` };
  if (now.status === 'paused') return { ok: false, text: 'It was paused in the meantime' };
  if (now.cannot_start !== null) {
    const isOfNow = now.cannot_start.next_try_at !== answered.cannot_start?.next_try_at;
    return isOfNow ? { ok: false, text: `It can't send: ${now.cannot_start.detail}` } : null;
  }
  const failed = attempts.find(({ outcome }) => outcome === 'failed');
  if (now.status === 'blocked') {
    if (failed === undefined) return null;
    const next =
      now.next_attempt_at === null ? '' : `; the next attempt is at ${now.next_attempt_at}`;
    return { ok: false, text: `Tried: ${failureOf(failed)}${next}` };
  }
  if (attempts.length === 0) {
    if (now.lag.entries > 0 || (now.parked > 0 && before.parked > 0)) return null;
    return { ok: true, text: 'Nothing is waiting' };
  }
  if (seen.isBusy) return null;
  return tried(now, attempts, failed);
}

/**
 * Judges a consumer that `resume` found active or blocked, so that it changed nothing; null for one that sends
 * nothing by now.
 */
export function standing(now: Consumer): Verdict | null {
  const { status, cannot_start: fault, last_failure: failure, next_attempt_at: next } = now;
  if (status !== 'active' && status !== 'blocked') return null;
  if (fault !== null) {
    return { ok: false, text: `There was nothing to resume. It can't send: ${fault.detail}` };
  }
  if (status === 'active') {
    const waits = waitsOf(now);
    const left = waits.length === 0 ? 'nothing is waiting' : waits.join(', ');
    return { ok: true, text: `It is active already; ${left}` };
  }
  const why = failure === null ? 'Its endpoint fails' : failureWords(failure);
  const when = next === null ? '' : `; the next attempt is at ${next}`;
  return {
    ok: false,
    text: `There was nothing to resume: it is blocked, and retries. ${why}${when}`,
  };
}

/** Says what is known when the time is over. */
export function notKnown({ attempts, now }: Seen, seconds: number): Verdict {
  const failed = attempts.find(({ outcome }) => outcome === 'failed');
  if (attempts.length > 0) return tried(now, attempts, failed);
  return { ok: false, text: `Nothing was tried within ${seconds} s` };
}

function tried(now: Consumer, attempts: readonly Attempt[], failed: Attempt | undefined): Verdict {
  const delivered = attempts.filter(({ outcome }) => outcome === 'delivered').length;
  const waits = waitsOf(now);
  const left = waits.length === 0 ? '' : `; ${waits.join(', ')}`;
  if (failed === undefined) return { ok: true, text: `Tried: ${delivered} delivered${left}` };
  const failures = attempts.length - delivered;
  return {
    ok: false,
    text: `Tried: ${delivered} delivered, ${failures} failed (${failureOf(failed)})${left}`,
  };
}

function waitsOf({ lag, parked }: Consumer): string[] {
  return [
    ...(lag.entries === 0 ? [] : [`${waitingOf(lag)} still waiting`]),
    ...(parked === 0 ? [] : [`${parked} parked`]),
  ];
}

function failureOf({ status, error_code: code }: Attempt): string {
  return status === null ? (code ?? 'failed') : `HTTP ${status}`;
}

function reasonOf({ status_reason: reason }: Consumer): string {
  return reason ?? 'it gave up';
}
