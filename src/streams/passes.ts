import type { Db, Query, Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import { withLongStatements } from '../db/longStatements.ts';
import { Refusal } from '../db/refusal.ts';
import type { Pass, PassCompleted } from '../schema/pass.ts';
import { insertEvents, lockLine, toRecordState, upsertRecords } from './appendSql.ts';
import { derive, type RecordChange, type RecordKey } from './derive.ts';
import { refuseFenced, selectEpochs, type EpochRow, type Fence } from './fence.ts';
import * as sql from './passSql.ts';
import type { PassRow, Survey } from './passSql.ts';
import { withPartitions } from './withPartitions.ts';

/** A new pass. */
export interface NewPass {
  id: string;
  syncId: string;
  collectionId: string;
  /** Nothing is done unless it holds. */
  fence?: Fence;
}

/** Full passes: what did not come in one when it is completed becomes deleted. */
export interface Passes {
  /**
   * Begins a pass, and ends any other one of its collection that is not completed; one that exists with this id is
   * returned as it is. Rejects with `Fenced` when the fence does not hold.
   */
  begin(pass: NewPass): Promise<Pass>;
  /** Returns a pass; null when there is none with this id. */
  get(id: string): Promise<Pass | null>;
  /**
   * Deletes the records of the pass's collection that were neither sent in it nor written since it began, and
   * answers with the counts, repeatedly with the same; null when there is no such pass. It deletes in parts: when
   * it is called again after a crash, it goes on. Throws a 409 `Refusal`: `pass_superseded`, or `too_many_deletes`
   * when more than a fifth of the records would be deleted and `confirm` is false.
   */
  complete(id: string, confirm: boolean): Promise<PassCompleted | null>;
}

/** How much is deleted at a time. */
export interface PassLimits {
  /** The positions that one survey of the collection finds. */
  surveyed: number;
  /** The records of one transaction, during which appends wait. */
  part: number;
  /** A bound on their data, in bytes. */
  partBytes: number;
}

const LIMITS: PassLimits = { surveyed: 100_000, part: 2_000, partBytes: 4 * 1024 * 1024 };
/** A pass may delete one of so many records without being asked. */
const FRACTION = 5;

export interface PassesOptions {
  db: Db;
  /** Called with the number of records that have just been deleted together. */
  onDeleted?: (count: number) => void;
  limits?: PassLimits;
}

/** Creates the store of passes. Every change of one is made under the lock under which records are appended. */
export function createPasses({
  db,
  onDeleted = () => undefined,
  limits = LIMITS,
}: PassesOptions): Passes {
  function begin({ id, syncId, collectionId, fence }: NewPass): Promise<Pass> {
    return db.transaction(async (tx) => {
      const { rows } = await tx.query<{ last_position: number }>(lockLine('records'));
      if (fence !== undefined) await checkFence(tx, fence);
      const known = await find(tx, id);
      if (known !== null) return toPass(known);
      await tx.query(sql.supersedePasses(syncId, collectionId));
      const after = rows[0]!.last_position;
      const made = await tx.query<Pass>(sql.insertPass(id, syncId, collectionId, after));
      return made.rows[0]!;
    });
  }

  async function complete(id: string, confirm: boolean): Promise<PassCompleted | null> {
    for (;;) {
      const pass = await find(db, id);
      if (pass === null) return null;
      if (pass.status === 'superseded') throw superseded(pass);
      if (pass.seen !== null) return { deleted: pass.deleted, seen: pass.seen };
      await carryOn(pass, confirm);
    }
  }

  /** Deletes what a survey finds; if that was all, the pass is completed. */
  async function carryOn(pass: PassRow, confirm: boolean): Promise<void> {
    const { live, unseen, positions, mark } = await survey(pass);
    // What may be deleted never grows while a pass runs, so one that has begun is not asked about again.
    if (pass.status === 'running' && unseen * FRACTION > live && !confirm) {
      // If it has ended meanwhile, what it had seen was forgotten before the survey.
      if ((await find(db, pass.id))?.status !== 'running') return;
      throw tooMany(pass, unseen, live);
    }
    if (unseen > 0 && pass.status === 'running') await underLock(sql.beginDeleting(pass.id));
    const deleted = await deleteAll(pass.id, positions, mark);
    if (deleted === unseen) await underLock(sql.endPass(pass.id, live - unseen));
  }

  function survey(pass: PassRow): Promise<Survey> {
    return db.transaction(async (tx) => {
      // Nothing is known beforehand of how many were seen; a nested loop would take the product of both.
      await tx.query('set local enable_nestloop = off');
      const long = await withLongStatements(tx);
      const { rows } = await long.query<Survey & Record<string, unknown>>(
        sql.surveyPass(pass, limits.surveyed),
      );
      return rows[0]!;
    });
  }

  async function deleteAll(id: string, positions: number[], mark: number): Promise<number> {
    let deleted = 0;
    for (let start = 0; start < positions.length;) {
      const part = positions.slice(start, start + limits.part);
      const done = await withPartitions(db, () => deletePart(id, part, mark));
      if (done === null) return deleted;
      deleted += done.deleted;
      onDeleted(done.deleted);
      start += done.upTo === null ? part.length : part.lastIndexOf(done.upTo) + 1;
    }
    return deleted;
  }

  /**
   * Deletes what of a part is still unseen, up to the position `upTo` if that is not all of it; null when the pass
   * may not delete any more. It is the path of every other deletion, with the data that was kept.
   */
  function deletePart(
    id: string,
    part: number[],
    mark: number,
  ): Promise<{ deleted: number; upTo: number | null } | null> {
    return db.transaction(async (tx) => {
      await tx.query(lockLine('records'));
      if ((await find(tx, id))?.status !== 'deleting') return null;
      const { rows } = await tx.query<{ position: number; total: number }>(
        sql.selectUnseen(id, part, mark, limits.partBytes),
      );
      const last = rows.at(-1);
      if (last === undefined) return { deleted: 0, upTo: null };
      const stored = rows.map(toRecordState);
      const { records, events } = derive(stored, [stored.map(toDeletion)], newId);
      await tx.query(upsertRecords(records));
      await tx.query(insertEvents(events));
      await tx.query(sql.addDeleted(id, records.length));
      return { deleted: records.length, upTo: rows.length < last.total ? last.position : null };
    });
  }

  async function underLock(query: Query): Promise<void> {
    await db.transaction(async (tx) => {
      await tx.query(lockLine('records'));
      await tx.query(query);
    });
  }

  return {
    begin,
    get: async (id) => {
      const pass = await find(db, id);
      return pass === null ? null : toPass(pass);
    },
    complete,
  };
}

/** A deletion that keeps everything else. */
function toDeletion({ syncId, collectionId, upstreamId }: RecordKey): RecordChange {
  return {
    syncId,
    collectionId,
    upstreamId,
    data: null,
    deleted: true,
    upstreamCreatedAt: undefined,
    upstreamUpdatedAt: undefined,
  };
}

async function find(on: Sql, id: string): Promise<PassRow | null> {
  const { rows } = await on.query<PassRow>(sql.selectPass(id));
  return rows[0] ?? null;
}

async function checkFence(tx: Sql, fence: Fence): Promise<void> {
  const { rows } = await tx.query<EpochRow & Record<string, unknown>>(selectEpochs([fence]));
  refuseFenced([fence], rows);
}

function toPass({ after_position: _, ...pass }: PassRow): Pass {
  return pass;
}

function superseded({ id, sync_id, collection_id }: Pass): Refusal {
  const detail = `A later pass of the collection ${collection_id} of the sync ${sync_id} has begun, so pass ${id} deletes nothing any more`;
  return new Refusal({ status: 409, code: 'pass_superseded', detail });
}

function tooMany({ id }: Pass, count: number, records: number): Refusal {
  const detail = `Pass ${id} would delete ${count} of ${records} records, which is more than a fifth; complete it with "confirm": true if that is right`;
  return new Refusal({ status: 409, code: 'too_many_deletes', detail, extra: { count, records } });
}
