import type { OverviewPoint } from '../../schema/overview.ts';

/** The share of the attempts that failed, in percent with one decimal; null where there were none. */
export function failureRate({
  delivered,
  failed,
}: Pick<OverviewPoint, 'delivered' | 'failed'>): number | null {
  const all = (delivered ?? 0) + (failed ?? 0);
  return all === 0 ? null : Math.round((1_000 * (failed ?? 0)) / all) / 10;
}

/** The failure rates of a series, without that of the last step: it is not over, and may have a few attempts alone. */
export function failureRates(
  series: readonly Pick<OverviewPoint, 'delivered' | 'failed'>[],
): (number | null)[] {
  return series.map((point, index) => (index < series.length - 1 ? failureRate(point) : null));
}
