import type { Consumer } from '../../schema/consumer.ts';
import type { Attempt } from '../api.ts';

/** The quick retries of an entry that is not parked follow its failure within this time, ms. */
const QUICK_MS = 10_000;

/**
 * When the attempt that follows this one is planned; null when none is any more: a later one was made, the
 * entry waits for nothing, or nothing is sent. `newest` is the newest attempt known at each position.
 */
export function planOf(
  attempt: Attempt,
  consumer: Pick<Consumer, 'status' | 'next_attempt_at' | 'parked'>,
  newest: ReadonlyMap<number, Attempt>,
  now: number,
): string | null {
  const { next_attempt_at: at, position, id } = attempt;
  const { status, parked } = consumer;
  if (at === null || newest.get(position)?.id !== id) return null;
  const due = Date.parse(at);
  const next = consumer.next_attempt_at === null ? null : Date.parse(consumer.next_attempt_at);
  if (due <= now) return null;
  if (status === 'blocked') return next === due ? at : null; // only its oldest entry is tried
  if (status !== 'active') return null;
  if (parked === 0) return due <= now + QUICK_MS ? at : null;
  return next === null || due >= next ? at : null;
}

/** The newest of the attempts at each position. */
export function newestOf(attempts: readonly Attempt[]): Map<number, Attempt> {
  const newest = new Map<number, Attempt>();
  for (const one of attempts) {
    const known = newest.get(one.position);
    if (known === undefined || isLater(one, known)) newest.set(one.position, one);
  }
  return newest;
}

function isLater(one: Attempt, other: Attempt): boolean {
  const order = Date.parse(one.started_at) - Date.parse(other.started_at);
  return order === 0 ? one.attempt > other.attempt : order > 0;
}
