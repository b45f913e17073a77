/** A trace id and a span id, which are not zero, and flags (W3C Trace Context §3.2). */
const FIELDS = '(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}';

/** A valid `traceparent`: of version 00, or of a later one, which may have more fields. */
export const TRACEPARENT = new RegExp(
  `^(?:00-${FIELDS}|(?!00|ff)[0-9a-f]{2}-${FIELDS}(?:-.*)?)$`,
  'u',
);

/** The flags of version 00 that have a meaning: sampled, and random. */
const FLAGS = 0b11;
/** Of the flags of a later version only `sampled` is known. */
const SAMPLED = 0b01;

/**
 * Reads a `traceparent` and returns it as version 00 writes it, without flags that have no meaning; null when it is
 * invalid. Of a later version, what version 00 knows is read.
 */
export function readTraceparent(text: string): string | null {
  if (!TRACEPARENT.test(text)) return null;
  const flags = Number.parseInt(text.slice(53, 55), 16);
  const known = flags & (text.startsWith('00-') ? FLAGS : SAMPLED);
  return `00-${text.slice(3, 52)}-0${known}`;
}
