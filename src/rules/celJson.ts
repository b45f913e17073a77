import { BodyFault } from './bodyFault.ts';

/** The largest text, in bytes. */
const MOST_BYTES = 1_048_576;
const TOO_LARGE = 'the result of the expression is larger than 1 MiB';
/** The years that RFC 3339 can write. */
const YEARS = { first: -62_167_219_200_000, end: 253_402_300_800_000 };

/**
 * The JSON text of a value that an expression has: integers are exact, times are RFC 3339, durations such as `90s`.
 * Throws a `BodyFault` for a value that JSON has no form for, and for a text of more than 1 MiB; as values may share
 * parts, it stops as soon as there is too much.
 */
export function celJson(value: unknown): string {
  const text = textOf(value, { left: MOST_BYTES });
  if (text.length > MOST_BYTES / 3 && Buffer.byteLength(text) > MOST_BYTES)
    throw new BodyFault(TOO_LARGE);
  return text;
}

/** How many more characters there may be. */
interface Room {
  left: number;
}

function textOf(value: unknown, room: Room): string {
  if (Array.isArray(value)) return listOf(value, room);
  if (typeof value === 'object' && value !== null) return ofObject(value, room);
  return taken(scalarOf(value), room);
}

function scalarOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'bigint':
      return value.toString();
    case 'number':
      if (Number.isFinite(value)) return JSON.stringify(value);
      throw new BodyFault(`the result of the expression has ${value}, which JSON can't write`);
    default:
      if (value === null) return 'null';
      throw unwritable();
  }
}

function listOf(values: readonly unknown[], room: Room): string {
  take(values.length + 1, room);
  return `[${values.map((one) => textOf(one, room)).join(',')}]`;
}

function ofObject(value: object, room: Room): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return fieldsOf(value, room);
  if (isUnsigned(value)) return taken(value.value.toString(), room);
  if (isDuration(value)) return taken(JSON.stringify(durationOf(value)), room);
  if (value instanceof Date) return taken(JSON.stringify(timeOf(value)), room);
  throw unwritable();
}

function fieldsOf(fields: object, room: Room): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const key = taken(JSON.stringify(name), room);
    take(2, room);
    parts.push(`${key}:${textOf(value, room)}`);
  }
  take(1, room);
  return `{${parts.join(',')}}`;
}

/** The library does not export its classes of unsigned integers and durations. */
function isUnsigned(value: object): value is { value: bigint } {
  return 'value' in value && typeof value.value === 'bigint';
}

function isDuration(value: object): value is { seconds: bigint; nanos: number } {
  return 'seconds' in value && typeof value.seconds === 'bigint' && 'nanos' in value;
}

function durationOf({ seconds, nanos }: { seconds: bigint; nanos: number }): string {
  const all = seconds * BILLION + BigInt(nanos);
  const [sign, size] = all < 0n ? ['-', -all] : ['', all];
  const fraction = String(size % BILLION)
    .padStart(9, '0')
    .replace(/0+$/u, '');
  return `${sign}${size / BILLION}${fraction === '' ? '' : `.${fraction}`}s`;
}

const BILLION = 1_000_000_000n;

function timeOf(date: Date): string {
  const at = date.getTime();
  if (at >= YEARS.first && at < YEARS.end) return date.toISOString();
  throw new BodyFault('the result of the expression has a time beyond the years 0000 to 9999');
}

function taken(text: string, room: Room): string {
  take(text.length, room);
  return text;
}

function take(characters: number, room: Room): void {
  room.left -= characters;
  if (room.left < 0) throw new BodyFault(TOO_LARGE);
}

function unwritable(): BodyFault {
  return new BodyFault(
    'the result of the expression has a value that JSON has no form for, such as bytes, a type, or an optional value without orValue',
  );
}
