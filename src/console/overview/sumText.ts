import type { OverviewPoint } from '../../schema/overview.ts';
import { RANGE_WORDS, type Range } from '../ranges.ts';
import { number } from '../words.ts';
import { failureRate } from './failureRate.ts';

/**
 * What a series of attempts adds up to, in a sentence: `In the last hour: 90 delivered, 1 failed (1.1 %).`
 * `further`: what is said after it, where anything was tried.
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
