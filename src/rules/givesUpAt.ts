import { lengthMs } from './lengths.ts';

/**
 * When a blocked consumer stops unless its endpoint recovers; null if that is not known. `retryWindow` is as
 * `/v1/info` has it, such as `24h`.
 */
export function givesUpAt(
  failingSince: string | null,
  retryWindow: string | undefined,
): string | null {
  const ms = lengthMs(retryWindow);
  if (failingSince === null || ms === null) return null;
  return new Date(Date.parse(failingSince) + ms).toISOString();
}
