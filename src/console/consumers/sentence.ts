import type { Consumer } from '../../schema/consumer.ts';
import { amount, duration } from '../words.ts';

/** A consumer's state in one sentence; what needs an action comes from its health. */
export function sentenceOf(consumer: Consumer): string {
  const { status, lag, health, status_reason } = consumer;
  const waiting =
    lag.entries === 0
      ? 'nothing waits'
      : `${amount(lag.entries, 'entry waits', 'entries wait')}, the oldest for ${duration(lag.seconds)}`;
  if (status === 'blocked' || status === 'stopped')
    return health.notes[0] ?? status_reason ?? status;
  if (status === 'paused') {
    const why = status_reason ?? 'paused';
    return `${why.charAt(0).toUpperCase()}${why.slice(1)}: ${waiting}, and nothing is lost.`;
  }
  if (lag.entries === 0) return 'Caught up: all that matches has been sent.';
  return `Sending: ${waiting}.`;
}

/** The further notes of its health. */
export function furtherNotes({ status, health }: Consumer): string[] {
  return status === 'blocked' || status === 'stopped' ? health.notes.slice(1) : health.notes;
}
