import { createHash } from 'node:crypto';

import { toNewEvent, toRecordChange } from '../api/entries.ts';
import type { StreamName } from '../schema/stream.ts';
import { jsonObject, parseJson } from '../streams/exactJson.ts';
import type { SourceLine } from './importLines.ts';

/** How lines become entries. They are stored in the checkpoint. */
export interface ImportRules {
  stream: StreamName;
  sync: string | null;
  collection: string | null;
  /** If given, a line is only the data of an entry, and this field of it is the record's id. */
  key: string | null;
  event: string | null;
}

/** A line of NDJSON for the API, or why the line was rejected. */
export type Imported = { text: string } | { reason: string };

/**
 * Turns lines into entries that the API accepts, without rounding numbers. An event without an id gets
 * one from the file, the line's number and its text, so that the same line sent again is a duplicate.
 */
export function createLineReader(
  rules: ImportRules,
  fileHash: string,
): (line: SourceLine) => Imported {
  const check = rules.stream === 'records' ? toRecordChange : toNewEvent;

  return (line) => {
    if (line.fault !== null) return { reason: line.fault };
    let value: unknown;
    let isRepeating: boolean;
    try {
      value = parseJson(line.text);
      isRepeating = repeatsName(line.text, value);
    } catch (error) {
      return { reason: error instanceof RangeError ? 'is nested too deeply' : 'is not JSON' };
    }
    const fields = jsonObject(value);
    if (fields === null) return { reason: 'must be a JSON object' };
    if (isRepeating) {
      return { reason: 'repeats a name within an object, so that one of its values would be lost' };
    }
    const entry = rules.key === null ? { ...fields } : wrapped(fields, rules.key);
    if ('reason' in entry) return entry as { reason: string };
    if (rules.sync !== null) entry['sync_id'] ??= rules.sync;
    if (rules.collection !== null) entry['collection_id'] ??= rules.collection;
    if (rules.stream === 'events') {
      entry['event'] ??= rules.event ?? 'created';
      entry['event_id'] ??= eventId(fileHash, line);
    }
    const read = check(entry, '');
    if ('faults' in read) {
      const [first] = read.faults;
      return { reason: `${first?.pointer ?? ''} ${first?.detail ?? 'is invalid'}`.trim() };
    }
    return { text: JSON.stringify(entry) };
  };
}

function wrapped(
  data: Record<string, unknown>,
  key: string,
): Record<string, unknown> | { reason: string } {
  const id = Object.hasOwn(data, key) ? data[key] : undefined;
  if (id === undefined || id === null || id === '') return { reason: `has no ${key}` };
  if (typeof id === 'object' && jsonObject(id) !== null) return { reason: `${key} is an object` };
  if (Array.isArray(id)) return { reason: `${key} is an array` };
  return { upstream_id: typeof id === 'string' ? id : JSON.stringify(id), data };
}

function eventId(fileHash: string, { number, text }: SourceLine): string {
  const hash = createHash('sha256').update(`${fileHash}\n${number}\n${text}`).digest('base64url');
  return `imp_${hash.slice(0, 32)}`;
}

/** Whether an object in a JSON text has a name twice, of which parsing keeps only the last. */
function repeatsName(text: string, value: unknown): boolean {
  const withoutStrings = text.replaceAll(/"(?:[^"\\]|\\.)*"/gu, '');
  return withoutStrings.split(':').length - 1 !== namesIn(value);
}

function namesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + namesIn(one), 0);
  const fields = jsonObject(value);
  if (fields === null) return 0;
  const values = Object.values(fields);
  return values.reduce((sum: number, one) => sum + namesIn(one), values.length);
}
