/** A Postgres array literal of texts; null stays null. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'null' : `"${value.replace(/["\\]/gu, String.raw`\$&`)}"`)).join(',')}}`;
}

/** A Postgres array literal of numbers, booleans or UUIDs, which need no quotes. */
export function plainArray(values: readonly (number | boolean | string)[]): string {
  return `{${values.join(',')}}`;
}

/** Of `text` in pg_type. */
const TEXT_OID = 25;
const HEADER_BYTES = 20;

/**
 * A parameter of the type text[], in the binary form of Postgres' `array_recv`: long texts need not be searched for what
 * has to be quoted. Null stays null. Only where the statement says that its type is text[].
 */
export function textParameter(values: readonly (string | null)[]): Buffer {
  let size = HEADER_BYTES;
  for (const value of values) size += 4 + (value === null ? 0 : Buffer.byteLength(value));
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeInt32BE(values.length === 0 ? 0 : 1, 0); // dimensions
  bytes.writeInt32BE(values.includes(null) ? 1 : 0, 4);
  bytes.writeInt32BE(TEXT_OID, 8);
  if (values.length === 0) return bytes.subarray(0, 12);
  bytes.writeInt32BE(values.length, 12);
  bytes.writeInt32BE(1, 16); // the index of the first one
  let at = HEADER_BYTES;
  for (const value of values) {
    const length = value === null ? -1 : bytes.write(value, at + 4);
    bytes.writeInt32BE(length, at);
    at += 4 + Math.max(0, length);
  }
  return bytes;
}
