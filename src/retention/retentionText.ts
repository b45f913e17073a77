import type { Lost } from '../alerts/alertItem.ts';
import { amount, inWords } from '../rules/words.ts';
import type { Waiting } from '../streams/waiting.ts';

/** The share of the retention at which a consumer is warned: when an event that is older waits for it. */
export const WARN_AT = 0.8;
/**
 * The share of the retention at which a warning is over: when no event that is older waits. It is smaller, so
 * that a consumer that just keeps up is not warned again and again.
 */
export const OVER_AT = 0.7;

/** The age of the events that wait for a consumer. */
export interface Aging {
  waiting: Pick<Waiting, 'entries' | 'exact'>;
  /** The age of the oldest of them, and the age at which events are dropped, ms. */
  ageMs: number;
  keptMs: number;
}

/** The reason why a consumer is about to lose events, for people. */
export function agingText({ waiting, ageMs, keptMs }: Aging): string {
  const { entries, exact } = waiting;
  const which =
    entries === 1
      ? 'the waiting event'
      : `the oldest of ${exact ? '' : 'up to '}${amount(entries, 'waiting event')}`;
  return `${which} is ${inWords(ageMs)} old; events are dropped after ${inWords(keptMs)}`;
}

/** What a consumer has lost, for people; `atMost`: its condition might have excluded some of that. */
export function lostText({ count, first, last }: Lost, keptMs: number, atMost: boolean): string {
  const one = count === 1;
  const where = one ? `position ${first}` : `positions ${first} to ${last}`;
  return `${atMost ? 'up to ' : ''}${amount(count, 'event')} (${where}) ${one ? 'was' : 'were'} older than ${inWords(keptMs)} and dropped before ${one ? 'it was' : 'they were'} sent`;
}
