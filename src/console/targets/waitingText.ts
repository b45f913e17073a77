import { waitingInAll } from '../../rules/waitingWords.ts';
import type { Consumer } from '../../schema/consumer.ts';
import { amount, listed } from '../words.ts';

/** What of consumers their waiting entries depend on. */
export type Waiter = Pick<Consumer, 'name' | 'status' | 'stream' | 'lag' | 'parked'>;

/**
 * How many entries wait for the consumers of a target, of each if they are few, in the order of their names; and
 * that nothing is lost, as long as that is sure. `keptMs`: how long events are kept; null while that is not known.
 */
export function waitingText(consumers: readonly Waiter[], keptMs: number | null): string {
  const named = consumers.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const behind = named.filter(({ lag }) => lag.entries > 0);
  const parked = consumers.reduce((sum, one) => sum + one.parked, 0);
  if (behind.length === 0 && parked === 0) return 'Nothing waits.';
  const said: string[] = [];
  if (behind.length > 0) {
    const lags = behind.map(({ lag }) => lag);
    said.push(`${waitingInAll(lags, 'entry waits', 'entries wait')}.`);
  }
  if (parked > 0) {
    said.push(
      `${amount(parked, 'parked entry is', 'parked entries are')} retried beside the others.`,
    );
  }
  const isHeld = consumers.some(({ status }) => status !== 'active');
  if (isHeld && behind.every((one) => isKept(one, keptMs))) said.push('Nothing is lost.');
  return said.join(' ');
}

/** Whether everything that waits for it is surely in its stream. Records are kept without limit. */
function isKept({ stream, lag }: Waiter, keptMs: number | null): boolean {
  return stream === 'records' || (keptMs !== null && lag.seconds * 1_000 < keptMs);
}

/**
 * Which address a test webhook tries, where consumers send to others; null where none does. Queries are left out,
 * because they often contain keys.
 */
export function testedText(
  url: string,
  consumers: readonly Pick<Consumer, 'path'>[],
): string | null {
  const paths = new Set(consumers.map(({ path }) => path.replace(/\?.*$/su, '')));
  const others = [...paths].filter((path) => path !== '').toSorted();
  if (others.length === 0) return null;
  const whose = paths.has('') ? 'some of its consumers send' : 'its consumers send';
  return `A test is sent to ${url} itself; ${whose} to ${listed(others, 3)} below it.`;
}
