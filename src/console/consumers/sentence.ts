import { pausedText } from '../../rules/who.ts';
import type { Consumer } from '../../schema/consumer.ts';
import { amount, duration } from '../words.ts';
import { waits } from './waits.ts';

/** A consumer's state in one sentence; what requires an action comes from its health. */
export function sentenceOf(consumer: Consumer): string {
  const { status, lag, health, status_reason } = consumer;
  const waiting =
    lag.entries === 0
      ? 'nothing is waiting'
      : `${waits(lag)}, the oldest for ${duration(lag.seconds)}`;
  if (needsAct(consumer)) return health.notes[0] ?? status_reason ?? status;
  if (status === 'paused') {
    const why = pausedText(status_reason ?? 'paused');
    return `${why.charAt(0).toUpperCase()}${why.slice(1)}: ${waiting}, and nothing is lost.`;
  }
  if (lag.entries === 0) return caughtUp(consumer);
  return `Sending: ${waiting}.`;
}

/** Says what was not sent as well: the position is beyond parked entries and dead letters. */
function caughtUp({ parked, dead_letters }: Consumer): string {
  const apart = [
    parked === 0 ? null : amount(parked, 'parked entry', 'parked entries'),
    dead_letters === 0 ? null : amount(dead_letters, 'dead letter'),
  ].filter((part) => part !== null);
  return apart.length === 0
    ? 'Caught up: every matching entry has been sent.'
    : `Caught up: every matching entry has been sent, except ${apart.join(' and ')}.`;
}

/** The further notes of its health. */
export function furtherNotes(consumer: Consumer): string[] {
  const { notes } = consumer.health;
  return needsAct(consumer) ? notes.slice(1) : notes;
}

/** Whether the first note of its health says more than its status does. */
function needsAct({ status, cannot_start }: Consumer): boolean {
  return status === 'blocked' || status === 'stopped' || cannot_start !== null;
}
