import type { ConsumerBatch } from '../../schema/batch.ts';
import { faultsIn, wholeFault, type Faults } from '../faults.ts';

/** The limits of batches as they are typed. */
export interface BatchDraft {
  entries: string;
  kilobytes: string;
  wait: string;
}

const KB = 1_024;
const LIMITS = {
  entries: { least: 2, most: 1_000 },
  kilobytes: { least: 1, most: 8_192 },
  wait: { least: 0, most: 10_000 },
};

/** The limits with which batches begin. */
export const FIRST_BATCH: BatchDraft = { entries: '100', kilobytes: '1024', wait: '200' };

/** Stored limits as they are typed; null: no batches. */
export function batchDraft(batch: ConsumerBatch | null): BatchDraft | null {
  if (batch === null) return null;
  return {
    entries: String(batch.max_entries),
    kilobytes: String(batch.max_bytes / KB),
    wait: String(batch.max_wait_ms),
  };
}

/** The limits for the API, which checks them. */
export function batchInput(draft: BatchDraft | null): ConsumerBatch | null {
  if (draft === null) return null;
  return {
    max_entries: Number(draft.entries),
    max_bytes: Number(draft.kilobytes) * KB,
    max_wait_ms: Number(draft.wait),
  };
}

/** What has to be mended before batches can be saved. */
export function batchFaults(draft: BatchDraft | null): Faults {
  if (draft === null) return {};
  return faultsIn({
    '/batch/max_entries': wholeFault('The number of entries', draft.entries, LIMITS.entries),
    '/batch/max_bytes': sizeFault(draft.kilobytes),
    '/batch/max_wait_ms': wholeFault('The wait in milliseconds', draft.wait, LIMITS.wait),
  });
}

/** A stored size may be no whole number of kilobytes, but it is always one of bytes. */
function sizeFault(typed: string): string | null {
  const { least, most } = LIMITS.kilobytes;
  const value = typed.trim() === '' ? Number.NaN : Number(typed);
  if (Number.isInteger(value * KB) && value >= least && value <= most) return null;
  return wholeFault('The size in KB', '', LIMITS.kilobytes);
}
