/**
 * Writes an RFC 3339 time in the form that Postgres and `Date` read: in upper case, with a leap second as the second
 * after it, and with an offset of 16 hours or more, which Postgres refuses, turned to UTC. Other texts stay as they
 * are, and so do leap seconds where there can be none: those are only at the end of a month, UTC.
 */
export function toCommonForm(text: string): string {
  const [, minute = '', second = '', fraction = '', offset = ''] = FORM.exec(text) ?? [];
  if (minute === '') return text;
  const upper = text.toUpperCase();
  const isLeap = second === '60';
  const isFar = /^[+-](?:1[6-9]|2)/u.test(offset);
  if (!isLeap && !isFar) return upper;
  const at = Date.parse(`${minute}:${isLeap ? '59' : second}${offset}`.toUpperCase());
  if (Number.isNaN(at) || (isLeap && !endsMonth(at))) return upper;
  const whole = new Date(isLeap ? at + 1_000 : at).toISOString().slice(0, 19);
  return `${whole}${fraction}Z`;
}

const FORM = /^(\d{4}-\d\d-\d\dt\d\d:\d\d):(\d\d)(\.\d+)?(z|[+-]\d\d:\d\d)$/iu;

/** Whether the second that begins `at` (unix ms) is the last one of a month, UTC. */
function endsMonth(at: number): boolean {
  return new Date(at + 1_000).toISOString().slice(8, 19) === '01T00:00:00';
}
