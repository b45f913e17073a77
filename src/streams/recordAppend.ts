import type { Pipe, Query } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import type { RecordsAppended } from '../schema/stream.ts';
import { insertEvents, lockLine, selectRecords, upsertRecords } from './appendSql.ts';
import { surely, type Doubt } from './certainty.ts';
import { derive, type Derived, type RecordChange, type RecordState } from './derive.ts';
import { findEvents } from './eventAppend.ts';

/**
 * Commits the changes of all requests together, with the events derived from them, and answers each
 * request; one call at a time.
 */
export type RecordAppend = (requests: RecordChange[][]) => Promise<RecordsAppended[]>;

/** What a commit writes that is in progress, or was when the connection broke. */
interface Committing {
  /** The last position of the records stream before the commit. */
  base: number;
  derived: Derived;
}

/** Creates the append of records: reads stored ones under the stream's lock, derives events, and writes both. */
export function createRecordAppend({ pipe, doubt }: { pipe: Pipe; doubt: Doubt }): RecordAppend {
  return async (requests) => {
    let committing: Committing | null = null; // looked up if the connection breaks

    async function write(): Promise<RecordsAppended[]> {
      committing = null;
      const first = [lockLine('records'), selectRecords(requests.flat())];
      await pipe.exchange(first, ([line, stored]) => {
        const derived = derive(stored!.rows.map(toState), requests, newId);
        committing = { base: line!.rows[0].last_position, derived };
        return writesOf(derived);
      });
      return toAnswers(committing!);
    }

    async function find(): Promise<RecordsAppended[] | null> {
      if (committing === null) return null;
      return (await isCommitted(pipe, committing)) ? toAnswers(committing) : null;
    }

    await pipe.ready();
    return surely(write, find, doubt);
  };
}

function writesOf({ records, events }: Derived): Query[] {
  return records.length === 0 ? [] : [upsertRecords(records), insertEvents(events)];
}

/** A commit stores the ids of the derived events, which are new with each try. */
async function isCommitted(pipe: Pipe, { derived }: Committing): Promise<boolean> {
  const first = derived.events[0];
  return first !== undefined && (await findEvents(pipe, [first.eventId])).has(first.eventId);
}

function toAnswers({ base, derived: { records, counts } }: Committing): RecordsAppended[] {
  return counts.map(({ created, updated, deleted, unchanged, last }) => ({
    accepted: created + updated + deleted + unchanged,
    created,
    updated,
    deleted,
    unchanged,
    position: base + (last < 0 ? records.length : last + 1),
  }));
}

function toState(row: Record<string, unknown>): RecordState {
  return {
    syncId: row['sync_id'] as string,
    collectionId: row['collection_id'] as string,
    upstreamId: row['upstream_id'] as string,
    data: row['data'] as string,
    deleted: row['deleted'] as boolean,
    upstreamCreatedAt: row['upstream_created_at'] as string | null,
    upstreamUpdatedAt: row['upstream_updated_at'] as string | null,
  };
}
