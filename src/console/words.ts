/** `1 entry`, `1,204 entries`. */
export function amount(count: number, one: string, more = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : more}`;
}

/** `1 delivery`, `30 deliveries`: the amount of what has a regular plural, which is given. */
export function amountOf(count: number, plural: string): string {
  const one = plural.endsWith('ies') ? `${plural.slice(0, -3)}y` : plural.slice(0, -1);
  return amount(count, one, plural);
}

/** `1,204`. */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}

const LARGE = [
  [1_000_000_000, 'B'],
  [1_000_000, 'M'],
] as const;

/** A value of a chart, and on its axis, with its unit if it has one: `1,204 ms`, `2.5M`, `2B`; `–` for null. */
export function chartValue(value: number | null, unit: string): string {
  if (value === null) return '–';
  const [size, letter] = LARGE.find(([least]) => value >= least) ?? [1, ''];
  const text = `${number(value / size)}${letter}`;
  return unit === '' ? text : `${text} ${unit}`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** A duration in its two largest units: `3 h 12 min`. */
export function duration(seconds: number): string {
  return inUnits(seconds, 2);
}

/** A duration in its largest unit, where there is little room: `3 h`. */
export function roughly(seconds: number): string {
  return inUnits(seconds, 1);
}

function inUnits(seconds: number, most: number): string {
  if (seconds < 1) return seconds <= 0 ? '0 s' : '< 1 s';
  let left = Math.round(seconds);
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(left / size);
    if (count === 0 && parts.length === 0) continue;
    if (count > 0) parts.push(`${count} ${unit}`);
    left -= count * size;
    if (parts.length === most || count === 0) break;
  }
  return parts.join(' ');
}

/** `in 4 min`, `12 s ago`, `now`. */
export function relative(time: number, now: number): string {
  const seconds = (time - now) / 1_000;
  const size = Math.abs(seconds);
  if (size < 1) return 'now';
  const [unit, length] = UNITS.find(([, least]) => size >= least) ?? ['s', 1];
  const text = `${Math.floor(size / length)} ${unit}`;
  return seconds > 0 ? `in ${text}` : `${text} ago`;
}

/** `2026-11-22 14:02:07 UTC`. */
export function utc(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The same in the browser's zone. */
export function local(time: number): string {
  const date = new Date(time);
  const two = (part: number): string => String(part).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export type TimeForm = 'relative' | 'utc' | 'local';

/** The zone of a time that has no relative form, such as a place on an axis or a time that is typed. */
export type Zone = 'utc' | 'local';

/** A time in the form that the reader has chosen. */
export function printTime(form: TimeForm, time: number, now: number): string {
  if (form === 'relative') return relative(time, now);
  return form === 'utc' ? utc(time) : local(time);
}

/**
 * The minute of a time, without the date on the day of `now`: for sentences and axes, which have no relative
 * form, because they do not know the second.
 */
export function printMinute(form: TimeForm, time: number, now: number): string {
  const of = form === 'utc' ? utc : local;
  const text = of(time).replace(/:\d\d(?= UTC$|$)/u, '');
  return text.slice(0, 10) === of(now).slice(0, 10) ? text.slice(11) : text;
}

/** A filter's list in a few words: `everything`, `nothing`, `a, b and 12 more`. */
export function listed(values: readonly string[], shown = 2): string {
  if (values.length === 0) return 'nothing';
  if (values[0] === '*') return 'everything';
  const first = values.slice(0, shown).join(', ');
  return values.length <= shown ? first : `${first} and ${number(values.length - shown)} more`;
}
