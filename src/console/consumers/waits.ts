import type { Consumer } from '../../schema/consumer.ts';
import { amount, number } from '../words.ts';

type Lag = Consumer['lag'];

/** `31`, or `up to 806` if not all entries that follow were examined. */
export function waitingNumber({ entries, exact }: Lag): string {
  return `${upTo(exact)}${number(entries)}`;
}

/** `1 entry is waiting`, `up to 806 entries are waiting`, or other words after the number. */
export function waits(
  { entries, exact }: Lag,
  one = 'entry is waiting',
  more = 'entries are waiting',
): string {
  return `${upTo(exact)}${amount(entries, one, more)}`;
}

function upTo(exact: boolean): string {
  return exact ? '' : 'up to ';
}
