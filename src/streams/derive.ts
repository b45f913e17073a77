import { recordOf } from '../rules/ordering.ts';
import { DATA_BYTES, type EventType } from '../schema/stream.ts';
import { equalJson, jsonObject, parseJson } from './exactJson.ts';
import { mergeJson } from './mergeJson.ts';
import { RefusedEntry } from './refusedEntry.ts';

/** What identifies a record. */
export interface RecordKey {
  syncId: string;
  collectionId: string;
  upstreamId: string;
}

/** A change as it arrives: a time not given is undefined; `data` (JSON text) is null for a deletion without data. */
export interface RecordChange extends RecordKey {
  data: string | null;
  /** Whether `data` holds only some of the fields, which are put over the stored ones; not with `deleted`. */
  merge?: boolean;
  /** With `merge`: the id of the record whose stored fields are kept, when its id has changed. */
  movedFrom?: string | undefined;
  /** The pass in which it comes, which has to be one of its sync and collection. */
  passId?: string | undefined;
  deleted: boolean;
  upstreamCreatedAt: string | null | undefined;
  upstreamUpdatedAt: string | null | undefined;
  /** The trace in which it was made, as `readTraceparent` returns it. */
  traceparent?: string | null | undefined;
}

/** What the records stream stores of a record, or is about to store. */
export interface RecordState extends RecordKey {
  data: string;
  deleted: boolean;
  upstreamCreatedAt: string | null;
  upstreamUpdatedAt: string | null;
  /** The trace in which it became so; not read of what is stored. */
  traceparent?: string | null | undefined;
}

/** A version of a record that is about to be stored. */
export interface RecordVersion extends RecordState {
  versionId: string;
}

/** An event that is about to be stored; `data` and `changes` are JSON texts. */
export interface NewEvent extends RecordKey {
  eventId: string;
  event: EventType;
  data: string;
  changes: string | null;
  upstreamUpdatedAt: string | null;
  /** The trace in which it came, as `readTraceparent` returns it. */
  traceparent?: string | null | undefined;
}

/** What became of the changes of one request. */
export interface RecordCounts {
  created: number;
  updated: number;
  deleted: number;
  unchanged: number;
  /** The index in `records` of the last record that the request changed; -1 when it changed none. */
  last: number;
}

/** What a group of requests writes, and how each of them is answered. */
export interface Derived {
  /** The last version of each changed record, ordered by its last change. */
  records: RecordVersion[];
  /** One event for each change, in the order of arrival. */
  events: NewEvent[];
  /** One element for each request. */
  counts: RecordCounts[];
}

/**
 * Derives record versions and events from a group of requests, in the order of arrival. A later
 * change wins; an equal JSON value with an equal `deleted` is no change; a deleted record that comes
 * back is `created`; deleting an unknown record stores a tombstone; a deletion without data keeps the
 * record's data; a merge keeps the stored fields that it does not give, also those of a deleted record, or, with
 * `movedFrom`, those of that record. An event and a version are of the trace of the change that made them.
 * Throws `RefusedEntry` for a merge whose result is too large.
 */
export function derive(
  stored: RecordState[],
  requests: RecordChange[][],
  newId: () => string,
): Derived {
  const current = new Map(stored.map((record) => [recordOf(record), record]));
  const changed = new Map<string, RecordState>();
  const events: NewEvent[] = [];
  const touched: string[][] = [];
  const counts = requests.map((changes): RecordCounts => {
    const count = { created: 0, updated: 0, deleted: 0, unchanged: 0, last: -1 };
    const keys: string[] = [];
    for (const [index, change] of changes.entries()) {
      const key = recordOf(change);
      const before = current.get(key);
      const kept =
        change.movedFrom === undefined ? before : current.get(recordOf(originOf(change)));
      const next = apply(before, change, dataOf(kept, change, index));
      if (next === null) {
        count.unchanged++;
        continue;
      }
      count[next.event]++;
      keys.push(key);
      current.set(key, next.state);
      changed.delete(key); // so that it is added at the end
      changed.set(key, next.state);
      events.push(toEvent(next, newId()));
    }
    touched.push(keys);
    return count;
  });

  const places = new Map([...changed.keys()].map((key, index) => [key, index]));
  for (const [request, keys] of touched.entries()) {
    for (const key of keys) {
      counts[request]!.last = Math.max(counts[request]!.last, places.get(key)!);
    }
  }
  const records = [...changed.values()].map((state) => ({ ...state, versionId: newId() }));
  return { records, events, counts };
}

/** The record whose stored fields a merge keeps after a change of its id. */
export function originOf({ syncId, collectionId, upstreamId, movedFrom }: RecordChange): RecordKey {
  return { syncId, collectionId, upstreamId: movedFrom ?? upstreamId };
}

interface Applied {
  event: EventType;
  state: RecordState;
  changes: string | null;
}

/** The data of a record after its change at `index` of a request; a merge keeps fields of `kept`. */
function dataOf(
  kept: RecordState | undefined,
  { data, merge }: RecordChange,
  index: number,
): string {
  if (data === null) return kept?.data ?? 'null';
  if (merge !== true || kept === undefined) return data;
  const merged = mergeJson(kept.data, data);
  if (Buffer.byteLength(merged) > DATA_BYTES) {
    const detail = `would be larger than ${DATA_BYTES} bytes together with the stored fields`;
    throw new RefusedEntry(index, 'data', detail);
  }
  return merged;
}

function apply(
  before: RecordState | undefined,
  change: RecordChange,
  data: string,
): Applied | null {
  const state: RecordState = {
    syncId: change.syncId,
    collectionId: change.collectionId,
    upstreamId: change.upstreamId,
    data,
    deleted: change.deleted,
    upstreamCreatedAt: given(change.upstreamCreatedAt, before?.upstreamCreatedAt),
    upstreamUpdatedAt: given(change.upstreamUpdatedAt, before?.upstreamUpdatedAt),
    traceparent: change.traceparent,
  };
  if (before === undefined || before.deleted !== change.deleted) {
    return { event: change.deleted ? 'deleted' : 'created', state, changes: null };
  }
  if (before.data === data) return null;
  const [was, is] = [parseJson(before.data), parseJson(data)];
  if (equalJson(was, is)) return null;
  return change.deleted
    ? { event: 'deleted', state, changes: null }
    : { event: 'updated', state, changes: previousValues(was, is) };
}

function given<T>(value: T | undefined, before: T | undefined): T | null {
  return value === undefined ? (before ?? null) : value;
}

/** The previous values of changed top-level fields (null for new fields); null unless both are objects. */
function previousValues(was: unknown, is: unknown): string | null {
  const [before, after] = [jsonObject(was), jsonObject(is)];
  if (before === null || after === null) return null;
  const fields: string[] = [];
  for (const [name, value] of Object.entries(before)) {
    if (!Object.hasOwn(after, name) || !equalJson(value, after[name])) {
      fields.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
    }
  }
  for (const name of Object.keys(after)) {
    if (!Object.hasOwn(before, name)) fields.push(`${JSON.stringify(name)}:null`);
  }
  return `{${fields.join(',')}}`;
}

function toEvent({ event, state, changes }: Applied, eventId: string): NewEvent {
  return {
    eventId,
    event,
    syncId: state.syncId,
    collectionId: state.collectionId,
    upstreamId: state.upstreamId,
    data: state.data,
    changes,
    upstreamUpdatedAt: state.upstreamUpdatedAt,
    traceparent: state.traceparent,
  };
}
