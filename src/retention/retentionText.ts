import type { Lost } from '../alerts/alertItem.ts';
import { amount, inWords } from '../rules/words.ts';

/**
 * Parts of the retention. Whoever has an event waiting that is older than the first is warned; that
 * is over when none is older than the second, so that one who just keeps up is not warned for ever.
 */
export const WARN_AT = 0.8;
export const OVER_AT = 0.7;

export interface Aging {
  /** Events that wait, at most where `upTo` is set. */
  waiting: number;
  upTo?: boolean;
  /** Age of the oldest of them, and how old events get before they are dropped, ms. */
  ageMs: number;
  keptMs: number;
}

/** Why a consumer is about to lose events. */
export function agingText({ waiting, upTo = false, ageMs, keptMs }: Aging): string {
  const which =
    waiting === 1
      ? 'the event that waits'
      : `the oldest of ${upTo ? 'up to ' : ''}${amount(waiting, 'waiting event')}`;
  return `${which} is ${inWords(ageMs)} old; events are dropped after ${inWords(keptMs)}`;
}

/** What a consumer has lost. */
export function lostText({ count, first, last }: Lost, keptMs: number): string {
  const one = count === 1;
  const where = one ? `position ${first}` : `positions ${first} to ${last}`;
  return `${amount(count, 'event')} (${where}) ${one ? 'was' : 'were'} older than ${inWords(keptMs)} and dropped before ${one ? 'it was' : 'they were'} sent`;
}
