import type { CheckpointInput } from '../schema/checkpoint.ts';
import type { Checkpoints } from '../streams/checkpoints.ts';
import { checkpointsOf } from './checkpointNames.ts';
import type { Place } from './postgres/groupCutter.ts';
import { formatLsn, parseLsn } from './postgres/lsn.ts';
import {
  formatProgress,
  NO_PROGRESS,
  parseProgress,
  type TableProgress,
} from './postgres/tableProgress.ts';

/** A log that is followed, and how far it is stored. */
export interface LogProgress {
  /** Another one with every slot that is created: places of one log mean nothing in another. */
  id: string;
  place: Place;
}

/** How far a source is, as it is stored with what was appended. */
export interface SourceProgress {
  /** Null before there is a slot, and after it is lost. */
  log: LogProgress | null;
  /** By the names of tables in the API. */
  tables: Map<string, TableProgress>;
}

const LOG_KEY = 'log';
const TABLE_KEY = 'table:';
/** In place of a log. */
const NO_LOG = '';
/** More than a source can have, those that it no longer has among them. */
const MOST_KEYS = 10_000;

/** Reads how far a source is. */
export async function loadProgress(
  checkpoints: Pick<Checkpoints, 'list'>,
  id: string,
): Promise<SourceProgress> {
  const stored = await checkpoints.list(checkpointsOf(id), { limit: MOST_KEYS, after: '' });
  const tables = new Map<string, TableProgress>();
  let log: LogProgress | null = null;
  for (const { key, value } of stored) {
    if (key === LOG_KEY) log = parseLog(value);
    if (!key.startsWith(TABLE_KEY)) continue;
    const progress = parseProgress(value);
    if (progress !== null) tables.set(key.slice(TABLE_KEY.length), progress);
  }
  return { log, tables };
}

/** The checkpoint that says how far a log is stored; null: there is none to go on with. */
export function logCheckpoint(id: string, log: LogProgress | null): CheckpointInput {
  const value = log === null ? NO_LOG : formatLog(log);
  return { source: checkpointsOf(id), key: LOG_KEY, value };
}

/** The checkpoint that says how far a table of this name is read; null: it is not of the source any more. */
export function tableCheckpoint(
  id: string,
  name: string,
  progress: TableProgress | null,
): CheckpointInput {
  const value = progress === null ? NO_PROGRESS : formatProgress(progress);
  return { source: checkpointsOf(id), key: TABLE_KEY + name, value };
}

function formatLog({ id, place: { lsn, within } }: LogProgress): string {
  return JSON.stringify({
    id,
    lsn: formatLsn(lsn),
    within: within && { commit: formatLsn(within.commitLsn), rows: within.rows },
  });
}

function parseLog(text: string): LogProgress | null {
  if (text === NO_LOG) return null;
  const { id, lsn, within } = JSON.parse(text) as {
    id: string;
    lsn: string;
    within: { commit: string; rows: number } | null;
  };
  const place = {
    lsn: parseLsn(lsn),
    within: within && { commitLsn: parseLsn(within.commit), rows: within.rows },
  };
  return { id, place };
}
