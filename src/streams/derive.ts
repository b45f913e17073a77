import { recordOf } from '../rules/ordering.ts';
import type { EventType } from '../schema/stream.ts';
import { equalJson, jsonObject, parseJson } from './exactJson.ts';

export interface RecordKey {
  syncId: string;
  collectionId: string;
  upstreamId: string;
}

/** What arrives: times undefined where not given, `data` (JSON text) null where a deletion gives none. */
export interface RecordChange extends RecordKey {
  data: string | null;
  deleted: boolean;
  upstreamCreatedAt: string | null | undefined;
  upstreamUpdatedAt: string | null | undefined;
}

/** What the records stream holds of a record, or will. */
export interface RecordState extends RecordKey {
  data: string;
  deleted: boolean;
  upstreamCreatedAt: string | null;
  upstreamUpdatedAt: string | null;
}

export interface RecordVersion extends RecordState {
  versionId: string;
}

export interface NewEvent extends RecordKey {
  eventId: string;
  event: EventType;
  data: string;
  changes: string | null;
  upstreamUpdatedAt: string | null;
}

export interface RecordCounts {
  created: number;
  updated: number;
  deleted: number;
  unchanged: number;
  /** Index of its last changed record in `records`; -1 when nothing changed. */
  last: number;
}

export interface Derived {
  /** The last version of each changed record, in the order of their last changes. */
  records: RecordVersion[];
  /** One a change, in the order of arrival. */
  events: NewEvent[];
  /** One a request. */
  counts: RecordCounts[];
}

/**
 * What a group of requests, in order of arrival, makes of the stored records. Later wins; an equal
 * JSON value with an equal `deleted` is no change; a record that comes back is `created`; deleting
 * what is unknown makes a tombstone; a deletion without data keeps the data.
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
    for (const change of changes) {
      const key = recordOf(change);
      const before = current.get(key);
      const next = apply(before, change);
      if (next === null) {
        count.unchanged++;
        continue;
      }
      count[next.event]++;
      keys.push(key);
      current.set(key, next.state);
      changed.delete(key); // back in at the end
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

interface Applied {
  event: EventType;
  state: RecordState;
  changes: string | null;
}

function apply(before: RecordState | undefined, change: RecordChange): Applied | null {
  const data = change.data ?? before?.data ?? 'null';
  const state: RecordState = {
    syncId: change.syncId,
    collectionId: change.collectionId,
    upstreamId: change.upstreamId,
    data,
    deleted: change.deleted,
    upstreamCreatedAt: given(change.upstreamCreatedAt, before?.upstreamCreatedAt),
    upstreamUpdatedAt: given(change.upstreamUpdatedAt, before?.upstreamUpdatedAt),
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

/** Previous values of the top-level fields that changed, null for new ones; null unless both are objects. */
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
  };
}
