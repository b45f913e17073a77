/** How long before the end of a client certificate people are warned, ms. */
export const WARN_BEFORE_MS = 14 * 86_400_000;

/** Whether a client certificate is `over`, ends `soon`, or neither (null), at the time `now` (unix ms). */
export function certificateEnd(validUntil: string, now: number): 'over' | 'soon' | null {
  const leftMs = Date.parse(validUntil) - now;
  if (leftMs <= 0) return 'over';
  return leftMs <= WARN_BEFORE_MS ? 'soon' : null;
}
