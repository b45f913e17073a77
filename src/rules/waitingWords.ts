import { amount } from './words.ts';

/** What waits for one consumer: an upper bound unless `exact`. */
export interface Waits {
  entries: number;
  exact: boolean;
}

/** For so many consumers each number is given beside the sum. */
const FEW = 5;

/**
 * What waits for several consumers together, with the number of each if they are few: `105 entries: 45, 15 and
 * 45`. It says "up to" where a number is an upper bound. Other words for the entries can be given.
 */
export function waitingInAll(waits: readonly Waits[], one = 'entry', more = 'entries'): string {
  const sum = waits.reduce((all, { entries }) => all + entries, 0);
  const isExact = waits.every(({ exact }) => exact);
  const all = `${upTo(isExact)}${amount(sum, one, more)}`;
  if (sum === 0 || waits.length < 2 || waits.length > FEW) return all;
  const each = waits.map(
    ({ entries, exact }) => `${upTo(exact)}${entries.toLocaleString('en-US')}`,
  );
  return `${all}: ${each.slice(0, -1).join(', ')} and ${each.at(-1)}`;
}

/** What stands before a number, or a length of time, that is an upper bound unless it is exact. */
export function upTo(exact: boolean): string {
  return exact ? '' : 'up to ';
}
