/** A Postgres array literal of texts; null stays null. */
export function textArray(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? 'null' : `"${value.replace(/["\\]/gu, String.raw`\$&`)}"`)).join(',')}}`;
}
