import type { Pipe, Query } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import type { CheckpointInput } from '../schema/checkpoint.ts';
import type { RecordsAppended } from '../schema/stream.ts';
import {
  insertEvents,
  lockLine,
  selectRecords,
  selectRecordsWithPositions,
  toRecordState,
  upsertRecords,
} from './appendSql.ts';
import { surely, type Doubt } from './certainty.ts';
import { upsertCheckpoints } from './checkpoints.ts';
import { derive, originOf, type Derived, type RecordChange, type RecordKey } from './derive.ts';
import { findEvents } from './eventAppend.ts';
import { refuseFenced, selectEpochs, type Fence } from './fence.ts';
import {
  notesOfSeen,
  passIdsOf,
  refuseStrays,
  type PassOfAppend,
  type StoredRecord,
} from './passMarks.ts';
import { selectPassesOf } from './passSql.ts';

/** What is stored in the transaction of an append beside its changes. */
export interface Places {
  /** What holds once the changes are stored. */
  checkpoints: readonly CheckpointInput[];
  /** Nothing is stored unless it holds. */
  fence?: Fence | undefined;
}

/** Changes that are appended together. */
export interface RecordRequest extends Partial<Places> {
  changes: RecordChange[];
}

/**
 * Commits the changes of all requests together, with the events derived from them, and answers each
 * request; one call at a time.
 */
export type RecordAppend = (requests: RecordRequest[]) => Promise<RecordsAppended[]>;

/** What a commit writes that is in progress, or was when the connection broke. */
interface Committing {
  /** The last position of the records stream before the commit. */
  base: number;
  derived: Derived;
}

/** Creates the append of records: reads stored ones under the stream's lock, derives events, and writes both. */
export function createRecordAppend({ pipe, doubt }: { pipe: Pipe; doubt: Doubt }): RecordAppend {
  return async (all) => {
    const requests = all.map(({ changes }) => changes);
    const checkpoints = all.flatMap((one) => one.checkpoints ?? []);
    const fences = all.flatMap(({ fence }) => fence ?? []);
    const keys = keysOf(requests.flat());
    let committing: Committing | null = null; // looked up if the connection breaks

    const passIds = passIdsOf(requests);

    async function write(): Promise<RecordsAppended[]> {
      committing = null;
      const hasPasses = passIds.length > 0;
      const first = [
        lockLine('records'),
        hasPasses ? selectRecordsWithPositions(keys) : selectRecords(keys),
        ...(hasPasses ? [selectPassesOf(passIds)] : []),
        ...(fences.length === 0 ? [] : [selectEpochs(fences)]),
      ];
      await pipe.exchange(first, ([line, stored, ...more]) => {
        const passes = hasPasses ? more.shift() : undefined;
        refuseFenced(fences, more[0]?.rows ?? []);
        const derived = derive(stored!.rows.map(toRecordState), requests, newId);
        committing = { base: line!.rows[0].last_position, derived };
        const notes =
          passes === undefined ? [] : seenOf(requests, stored!.rows, derived, passes.rows);
        const places = checkpoints.length === 0 ? [] : [upsertCheckpoints(checkpoints)];
        return [...writesOf(derived), ...notes, ...places];
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

/** Every record that the changes need to know. */
function keysOf(changes: readonly RecordChange[]): RecordKey[] {
  const origins = changes.filter(({ movedFrom }) => movedFrom !== undefined);
  return [...changes, ...origins.map(originOf)];
}

function writesOf({ records, events }: Derived): Query[] {
  return records.length === 0 ? [] : [upsertRecords(records), insertEvents(events)];
}

/** The notes of what the requests' passes have seen. Throws `RefusedEntry` for a change that belongs to no such pass. */
function seenOf(
  requests: RecordChange[][],
  stored: Record<string, unknown>[],
  derived: Derived,
  found: PassOfAppend[],
): Query[] {
  const passes = new Map(found.map((pass) => [pass.id, pass]));
  refuseStrays(requests, passes);
  const records = stored.map((row): StoredRecord => {
    return { ...toRecordState(row), position: row['position'] as number };
  });
  return notesOfSeen(requests, records, derived, passes);
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
