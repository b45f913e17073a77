import type { OverviewPoint } from '../../schema/overview.ts';
import { RANGE_WORDS, type Range } from '../ranges.ts';
import { amount, number } from '../words.ts';
import { failureRate } from './failureRate.ts';

/**
 * The sum of a series of attempts, in a sentence: `In the last hour: 90 delivered, 1 failed (1.1 %).` `further`
 * is added if it is known and any attempt was made.
 */
export function sumText(
  points: readonly Pick<OverviewPoint, 'delivered' | 'failed'>[],
  range: Range,
  further?: string,
): string {
  const delivered = points.reduce((sum, point) => sum + (point.delivered ?? 0), 0);
  const failed = points.reduce((sum, point) => sum + (point.failed ?? 0), 0);
  const rate = failureRate({ delivered, failed });
  const span = RANGE_WORDS[range];
  if (rate === null) return `No attempts in the last ${span}.`;
  const said = `In the last ${span}: ${number(delivered)} delivered, ${number(failed)} failed (${rate} %)`;
  return further === undefined ? `${said}.` : `${said}, ${further}.`;
}

/** The number of events that were appended, or undefined where no step of the series knows it. */
export function appendedText(
  points: readonly Pick<OverviewPoint, 'appended'>[],
): string | undefined {
  if (points.every(({ appended }) => appended === null)) return undefined;
  const appended = points.reduce((sum, point) => sum + (point.appended ?? 0), 0);
  return `${amount(appended, 'event')} appended`;
}
