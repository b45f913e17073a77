/** A Postgres array literal of texts; null stays null. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'null' : `"${value.replace(/["\\]/gu, String.raw`\$&`)}"`)).join(',')}}`;
}

/** A Postgres array literal of numbers, booleans or UUIDs, which need no quotes. */
export function plainArray(values: readonly (number | boolean | string)[]): string {
  return `{${values.join(',')}}`;
}
