import type { OverviewPoint } from '../../schema/overview.ts';
import { RANGE_WORDS, type Range } from '../ranges.ts';
import { amount, number } from '../words.ts';
import { failureRate } from './failureRate.ts';

type Points = readonly Pick<OverviewPoint, 'delivered' | 'failed'>[];

/** The sum of a series of attempts, in a sentence: `In the last hour: 90 delivered, 1 failed (1.1 %).` */
export function sumText(points: Points, range: Range): string {
  const sums = sumsOf(points);
  const span = RANGE_WORDS[range];
  return sums === null ? `No attempts in the last ${span}.` : `In the last ${span}: ${sums}.`;
}

/** The sums of a series of attempts: `90 delivered, 1 failed (1.1 %)`; null without an attempt. */
export function sumsOf(points: Points): string | null {
  const delivered = points.reduce((sum, point) => sum + (point.delivered ?? 0), 0);
  const failed = points.reduce((sum, point) => sum + (point.failed ?? 0), 0);
  const rate = failureRate({ delivered, failed });
  if (rate === null) return null;
  return `${number(delivered)} delivered, ${number(failed)} failed (${rate} %)`;
}

/** The number of events that were appended, or undefined where no step of the series knows it. */
export function appendedText(
  points: readonly Pick<OverviewPoint, 'appended'>[],
): string | undefined {
  if (points.every(({ appended }) => appended === null)) return undefined;
  const appended = points.reduce((sum, point) => sum + (point.appended ?? 0), 0);
  return `${amount(appended, 'event')} appended`;
}
