import type { Db } from '../db/db.ts';
import { isPartitionMissing } from '../db/errors.ts';
import { ensurePartitions } from '../db/partitions.ts';

/** Does work that inserts events; when a partition is missing, which undoes the work, creates it and does it again. */
export async function withPartitions<T>(db: Db, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isPartitionMissing(error)) throw error;
    await ensurePartitions(db);
    return work();
  }
}
