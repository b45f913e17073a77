import type { z } from 'zod';

import { newId } from '../db/ids.ts';
import { CheckpointInput } from '../schema/checkpoint.ts';
import { DATA_BYTES, EventInput, RecordInput } from '../schema/stream.ts';
import { readTraceparent } from '../schema/traceparent.ts';
import type { NewEvent, RecordChange } from '../streams/derive.ts';
import { isDeeperThan, jsonObject } from '../streams/exactJson.ts';
import type { FieldError } from './errors.ts';
import { fieldErrors, invalid } from './validation.ts';

/** Values are compared and printed by recursion, so their depth is bounded. */
const DEPTH = 500;
/** The search for faults in a request stops after this many. */
const FAULTS = 20;

/** The row of an entry, or what is wrong with it. */
export type ReadEntry<Row> = { row: Row } | { faults: FieldError[] };
/** Turns a parsed entry into a row; pointers in its faults begin with `base`. */
export type ToRow<Row> = (entry: unknown, base: string) => ReadEntry<Row>;

/**
 * Reads the rows of `{ [list]: […] }`, which may have a field `beside` as well. Throws a 422 `ApiError` that points
 * at up to 20 faults.
 */
export function readList<Row>(
  body: unknown,
  list: string,
  toRow: ToRow<Row>,
  beside: string | null = null,
): Row[] {
  const fields = jsonObject(body);
  if (fields === null) throw invalid('json', [{ pointer: '', detail: 'must be an object' }]);
  const faults: FieldError[] = Object.keys(fields)
    .filter((key) => key !== list && key !== beside)
    .flatMap((key) =>
      fieldErrors([{ code: 'unrecognized_keys', keys: [key], path: [], message: '' }]),
    );
  const entries = Object.hasOwn(fields, list) ? fields[list] : undefined;
  if (!Array.isArray(entries)) {
    faults.push({
      pointer: `/${list}`,
      detail: entries === undefined ? 'is required' : 'must be an array',
    });
    throw invalid('json', faults);
  }
  const rows: Row[] = [];
  for (const [index, entry] of entries.entries()) {
    const read = toRow(entry, `/${list}/${index}`);
    if ('row' in read) rows.push(read.row);
    else faults.push(...read.faults);
    if (faults.length >= FAULTS) break;
  }
  if (faults.length > 0) throw invalid('json', faults.slice(0, FAULTS));
  return rows;
}

/** Reads the checkpoint of a request that `readList` has read; undefined when it has none. Throws a 422 likewise. */
export function readCheckpoint(body: unknown): CheckpointInput | undefined {
  const fields = jsonObject(body) ?? {};
  if (!Object.hasOwn(fields, 'checkpoint')) return undefined;
  const checked = check(CheckpointInput, fields['checkpoint'], '/checkpoint');
  if ('faults' in checked) throw invalid('json', checked.faults);
  return checked.value;
}

/** Reads a record change. `data` is printed from the parsed value, not from the output of the schema. */
export const toRecordChange: ToRow<RecordChange> = (entry, base) => {
  const checked = check(RecordInput, entry, base);
  if ('faults' in checked) return checked;
  const { value, source } = checked;
  const data = textOf(source, 'data', base);
  if (data !== null && typeof data !== 'string') return data;
  const merge = value.merge ?? false;
  if (merge && data?.startsWith('{') !== true) {
    const detail = 'must be a JSON object when merge is true';
    return { faults: [{ pointer: `${base}/data`, detail }] };
  }
  return {
    row: {
      syncId: value.sync_id,
      collectionId: value.collection_id,
      upstreamId: value.upstream_id,
      data,
      merge,
      passId: value.pass_id?.toLowerCase(),
      deleted: value.deleted ?? false,
      upstreamCreatedAt: value.upstream_created_at,
      upstreamUpdatedAt: value.upstream_updated_at,
      traceparent: traceOf(value),
    },
  };
};

/** Reads an event, and gives it an id if it has none, before anything is sent to Postgres. */
export const toNewEvent: ToRow<NewEvent> = (entry, base) => {
  const checked = check(EventInput, entry, base);
  if ('faults' in checked) return checked;
  const { value, source } = checked;
  const data = textOf(source, 'data', base);
  if (data !== null && typeof data !== 'string') return data;
  const changes = value.changes ? textOf(source, 'changes', base) : null;
  if (changes !== null && typeof changes !== 'string') return changes;
  return {
    row: {
      eventId: value.event_id ?? newId(),
      event: value.event,
      syncId: value.sync_id,
      collectionId: value.collection_id,
      upstreamId: value.upstream_id,
      data: data ?? 'null',
      changes,
      upstreamUpdatedAt: value.upstream_updated_at ?? null,
      traceparent: traceOf(value),
    },
  };
};

/** The trace that an entry names, null where it wants none, and undefined where it says nothing. */
function traceOf({ traceparent }: { traceparent?: string | null | undefined }) {
  return typeof traceparent === 'string' ? readTraceparent(traceparent) : traceparent;
}

function check<T>(
  schema: z.ZodType<T>,
  entry: unknown,
  base: string,
): { value: T; source: Record<string, unknown> } | { faults: FieldError[] } {
  const parsed = schema.safeParse(entry);
  return parsed.success
    ? { value: parsed.data, source: entry as Record<string, unknown> }
    : { faults: fieldErrors(parsed.error.issues, base) };
}

/** The JSON text of a field; null when the entry does not have it. */
function textOf(
  source: Record<string, unknown>,
  name: string,
  base: string,
): string | null | { faults: FieldError[] } {
  if (source[name] === undefined) return null;
  const text = print(source[name]);
  const fault = (detail: string): { faults: FieldError[] } => ({
    faults: [{ pointer: `${base}/${name}`, detail }],
  });
  if (text === null || isDeeperThan(text, DEPTH))
    return fault(`is nested deeper than ${DEPTH} levels`);
  if (Buffer.byteLength(text) > DATA_BYTES) return fault(`is larger than ${DATA_BYTES} bytes`);
  return text;
}

function print(value: unknown): string | null {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return null; // it is nested deeper than the stack allows
    throw error;
  }
}
