import type { Query } from '../db/db.ts';
import { recordOf } from '../rules/ordering.ts';
import type { Pass } from '../schema/pass.ts';
import type { Derived, RecordChange, RecordState } from './derive.ts';
import { insertSeen } from './passSql.ts';
import { RefusedEntry } from './refusedEntry.ts';

/** What an append needs to know of the passes that its changes name. */
export type PassOfAppend = Pick<Pass, 'id' | 'sync_id' | 'collection_id' | 'status'>;

/** A stored record with its position. */
export type StoredRecord = RecordState & { position: number };

/** The passes that changes name, once each. */
export function passIdsOf(requests: readonly RecordChange[][]): string[] {
  const ids = new Set<string>();
  for (const changes of requests) {
    for (const { passId } of changes) if (passId !== undefined) ids.add(passId);
  }
  return [...ids];
}

/** Throws `RefusedEntry` for a change whose pass is not known, or is one of another sync or collection. */
export function refuseStrays(
  requests: readonly RecordChange[][],
  passes: ReadonlyMap<string, PassOfAppend>,
): void {
  for (const changes of requests) {
    for (const [index, { passId, syncId, collectionId }] of changes.entries()) {
      if (passId === undefined) continue;
      const pass = passes.get(passId);
      if (pass === undefined) throw new RefusedEntry(index, 'pass_id', 'is not the id of a pass');
      if (pass.sync_id !== syncId || pass.collection_id !== collectionId) {
        const detail = `is a pass of the collection ${pass.collection_id} of the sync ${pass.sync_id}`;
        throw new RefusedEntry(index, 'pass_id', detail);
      }
    }
  }
}

/**
 * The notes of what came in passes and was equal. What an append writes needs no note, because it gets a position
 * above the end that the stream had when the pass began; nor does a pass that has ended.
 */
export function notesOfSeen(
  requests: readonly RecordChange[][],
  stored: readonly StoredRecord[],
  { records }: Derived,
  passes: ReadonlyMap<string, PassOfAppend>,
): Query[] {
  const written = new Set(records.map(recordOf));
  const positions = new Map(stored.map((record) => [recordOf(record), record.position]));
  const seen = new Map<string, Set<number>>();
  for (const change of requests.flat()) {
    if (change.passId === undefined || change.deleted || !isOpen(passes.get(change.passId)))
      continue;
    const key = recordOf(change);
    const position = positions.get(key);
    if (position === undefined || written.has(key)) continue;
    const ofPass = seen.get(change.passId) ?? new Set();
    seen.set(change.passId, ofPass.add(position));
  }
  return [...seen].map(([passId, ofPass]) => insertSeen(passId, [...ofPass]));
}

function isOpen(pass: PassOfAppend | undefined): boolean {
  return pass?.status === 'running' || pass?.status === 'deleting';
}
