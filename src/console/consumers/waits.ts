import { upTo } from '../../rules/waitingWords.ts';
import type { Consumer } from '../../schema/consumer.ts';
import { amount, number } from '../words.ts';

type Counted = Pick<Consumer['lag'], 'entries' | 'exact'>;

/** `31`, or `up to 806` where not all that follow were looked at. */
export function waitingNumber({ entries, exact }: Counted): string {
  return `${upTo(exact)}${number(entries)}`;
}

/** `1 entry is waiting`, `up to 806 entries are waiting`, or other words after the number. */
export function waits(
  { entries, exact }: Counted,
  one = 'entry is waiting',
  more = 'entries are waiting',
): string {
  return `${upTo(exact)}${amount(entries, one, more)}`;
}
