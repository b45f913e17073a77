import { readFile } from 'node:fs/promises';
import { buffer as readAll } from 'node:stream/consumers';

import { InvalidArgumentError, Option } from 'commander';

import { isCursor } from '../streams/cursor.ts';
import { parseJson } from '../streams/exactJson.ts';
import { type CliError, usage } from './exit.ts';

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(\d{1,6})([smhd])$/u;
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/u;

/** Parses an option that may be given several times. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Parses an option that takes a whole number. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/u.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** Parses the option `--limit` of a list. */
export const limit = wholeNumber(1, 1_000);

/** What a flag or argument takes that names a place in a stream. */
const PLACES =
  'beginning, end, a time such as 2026-11-23T10:00:00Z, how long ago such as 90s, 1h or 2d, or a cursor that Millrace has printed';

/** A place in a stream as a person names it; `agoMs` before now, by the API's clock. */
export type Place = 'beginning' | 'end' | { time: string } | { cursor: string } | { agoMs: number };

/**
 * Reads `beginning`, `end`, a time, `1h` before now, or a cursor. Throws a `CliError` that begins with `name`, the
 * flag or argument, for any other text.
 */
export function placeOf(name: string, text: string): Place {
  if (text === 'beginning' || text === 'end') return text;
  if (isTime(text)) return { time: text };
  const agoMs = durationOf(text);
  if (agoMs !== null) return { agoMs };
  if (isCursor(text)) return { cursor: text };
  throw usage(`${name} takes ${PLACES}; not ${JSON.stringify(text)}`);
}

/** The ms of a duration such as `90s` or `1h`; null for any other text. */
export function durationOf(text: string): number | null {
  const [, count, unit] = DURATION.exec(text) ?? [];
  return count === undefined ? null : Number(count) * UNITS[unit as keyof typeof UNITS];
}

function isTime(text: string): boolean {
  return TIME.test(text) && !Number.isNaN(Date.parse(text));
}

/** Parses an option that takes a time, or `1h` before now, which the API counts from its own clock. */
export function moment(text: string): string {
  if (isTime(text) || durationOf(text) !== null) return text;
  throw new InvalidArgumentError(
    'It must be a time such as 2026-11-23T10:00:00Z, or how long ago such as 90s, 1h or 2d.',
  );
}

/** Parses an option that takes a time. */
export function time(text: string): string {
  if (isTime(text)) return text;
  throw new InvalidArgumentError('It must be a time such as 2027-01-31T00:00:00Z.');
}

/** Parses an option that takes a duration such as `90s` or `1h`, into seconds. */
export function seconds(text: string): number {
  const ms = durationOf(text);
  if (ms === null)
    throw new InvalidArgumentError('It must be a duration such as 90s, 30m, 24h or 7d.');
  return ms / 1_000;
}

/** The option `--stream events|records`. */
export function streamOption(): Option {
  return new Option('--stream <stream>', 'events or records').choices(['events', 'records']);
}

/** The option `--event created|updated|deleted`, once. */
export function eventOption(does: string): Option {
  return new Option('--event <event>', does).choices(EVENTS);
}

/** The kinds of events. */
export const EVENTS = ['created', 'updated', 'deleted'] as const;

/** Parses an option that takes one of `words` and may be given several times. */
export function collectOf<T extends string>(
  words: readonly T[],
): (value: string, before: T[] | undefined) => T[] {
  return (value, before) => {
    const word = words.find((one) => one === value);
    if (word === undefined) {
      throw new InvalidArgumentError(`It must be one of ${words.join(', ')}, not "${value}".`);
    }
    return [...(before ?? []), word];
  };
}

/** Parses an option that takes `name=value` and may be given several times. */
export function collectPair(
  value: string,
  before: Record<string, string> | undefined,
): Record<string, string> {
  const at = value.search(/[=:]/u);
  if (at <= 0) throw new InvalidArgumentError('It must be name=value or "Name: value".');
  return { ...before, [value.slice(0, at).trim()]: value.slice(at + 1).trim() };
}

/** Reads a file, or stdin for `-`. Rejects with a `CliError` when it can't be read. */
export async function readBytes(path: string): Promise<Buffer> {
  if (path === '-') return readAll(process.stdin);
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

const FAULTS: Record<string, string> = {
  ENOENT: 'it does not exist',
  EACCES: 'you may not read it',
  EISDIR: 'it is a folder',
};

/** The error for a file that can't be read. */
export function unreadable(path: string, error: unknown): CliError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return usage(`${path} can't be read: ${FAULTS[code] ?? (code || message)}`);
}

/** Decodes UTF-8, with or without a byte order mark. Throws a `CliError` that names the file for other bytes. */
export function textOf(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw usage(`${path === '-' ? 'stdin' : path} is not UTF-8; convert it first`);
  }
}

/** Reads the JSON of an option: the text itself, `@FILE`, or `-` for stdin. Numbers are not rounded. */
export async function readJson(name: string, given: string): Promise<unknown> {
  const path = given === '-' ? '-' : given.startsWith('@') ? given.slice(1) : null;
  const text = path === null ? given : textOf(path, await readBytes(path));
  try {
    return parseJson(text);
  } catch {
    throw usage(`${name} takes JSON, @FILE or - for stdin; ${path ?? 'this'} is not JSON`);
  }
}

/** Drops the fields that were not given. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as never;
}

/**
 * Throws a `CliError` that names the flags that are missing, unless `--input` may give what they say. `names` are
 * those of the options, without dashes.
 */
export function needFlags(
  flags: object & { input?: string | undefined },
  names: readonly string[],
): void {
  if (flags.input !== undefined) return;
  const missing = names.filter((name) => !(name in flags));
  if (missing.length === 0) return;
  const list = missing.map(
    (name) => `--${name.replaceAll(/[A-Z]/gu, (one) => `-${one.toLowerCase()}`)}`,
  );
  throw usage(`${list.join(', ')} ${missing.length === 1 ? 'is' : 'are'} required (or --input)`);
}

/** Throws a `CliError` when no flag says what to change. A `--no-…` that was not given is true, and says nothing. */
export function needChange(flags: object): void {
  if (Object.values(flags).some((value) => value !== true)) return;
  throw usage('Nothing to change: --help lists the flags');
}

/** Merges the JSON object of a file with the fields that flags give; flags win. */
export async function withInput(
  input: string | undefined,
  fields: object,
): Promise<Record<string, unknown>> {
  if (input === undefined) return given(fields) as Record<string, unknown>;
  const base = await readJson('--input', input === '-' ? '-' : `@${input}`);
  if (typeof base !== 'object' || base === null || Array.isArray(base)) {
    throw usage('--input takes a JSON object');
  }
  return { ...base, ...given(fields) };
}

/** Formats examples for the beginning of a help text. */
export function examples(...lines: [command: string, does: string][]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  const text = lines.map(([command, does]) => `  ${command.padEnd(width)}  ${does}`.trimEnd());
  return `Examples:\n${text.join('\n')}\n`;
}
