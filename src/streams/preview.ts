import { setImmediate } from 'node:timers/promises';

import { celEntry, CelFault } from '../rules/cel.ts';
import { compile } from '../rules/filter.ts';
import { compileWhere, type Where } from '../rules/where.ts';
import type { PreviewInput } from '../schema/preview.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from './entry.ts';
import type { Pages } from './pages.ts';

/** What a filter lets through of the newest entries. */
export interface Matches {
  /** How many entries were looked at. */
  scanned: number;
  /** How many of them pass the lists of the filter. */
  listed: number;
  /** On how many of those the condition was tried, newest first. */
  tried: number;
  matched: number;
  /** For how many the condition could not be evaluated. */
  failed: number;
  /** The newest that match, at most 10, newest first. */
  sample: Entry[];
  /** The newest that pass the lists and do not satisfy the condition, at most 10, and 3 for one reason; newest first. */
  others: { entry: Entry; why: string }[];
}

const SAMPLE = 10;
/** Of so many that are left out for the same reason the newest are shown, or they would hide the others. */
const SAME = 3;
/** So many entries are read at a time, and so much text of them. */
const AT_A_TIME = 200;
const BYTES = 4 * 1024 * 1024;
/** How long a condition is tried, and after how long other work gets a turn. */
const BUDGET_MS = 5_000;
const TURN_MS = 20;

/** Tries a filter on the newest `last` entries of its stream; a condition, as far as that is possible in 5 s. */
export async function preview(pages: Pages, input: PreviewInput): Promise<Matches> {
  const { stream, last, where, body: _body, ...lists } = input;
  const keys = await pages.newestKeys(stream, last);
  const listed = keys.filter(compile(lists)).map(({ position }) => position);
  const found = { scanned: keys.length, listed: listed.length };
  if (where !== null) return { ...found, ...(await tryCondition(pages, stream, listed, where)) };
  const sample: Entry[] = [];
  for (const position of listed.slice(0, SAMPLE)) {
    const entry = await pages.entryAt(stream, position);
    if (entry !== null) sample.push(entry); // a record that has changed meanwhile has left its position
  }
  const all = listed.length;
  return { ...found, tried: all, matched: all, failed: 0, sample, others: [] };
}

/** Tries a condition on the entries at these positions, in their order. */
async function tryCondition(
  pages: Pages,
  stream: StreamName,
  positions: readonly number[],
  text: string,
): Promise<Omit<Matches, 'scanned' | 'listed'>> {
  const where = compileWhere(text, stream);
  const result: Omit<Matches, 'scanned' | 'listed'> = {
    tried: 0,
    matched: 0,
    failed: 0,
    sample: [],
    others: [],
  };
  const until = performance.now() + BUDGET_MS;
  let turnEnds = performance.now() + TURN_MS;
  for (let next = 0; next < positions.length && performance.now() < until;) {
    const asked = positions.slice(next, next + AT_A_TIME);
    const { entries, read } = await pages.entriesAt(stream, asked, BYTES);
    next += read;
    for (const entry of entries) {
      if (performance.now() >= until) break;
      result.tried += 1;
      note(result, entry, tryOn(where, entry, stream));
      if (performance.now() < turnEnds) continue;
      await setImmediate();
      turnEnds = performance.now() + TURN_MS;
    }
  }
  return result;
}

function note(result: Omit<Matches, 'scanned' | 'listed'>, entry: Entry, tried: Tried): void {
  if (tried.why === null) {
    result.matched += 1;
    if (result.sample.length < SAMPLE) result.sample.push(entry);
    return;
  }
  if (tried.isFault) result.failed += 1;
  if (result.others.length >= SAMPLE) return;
  const same = result.others.filter(({ why }) => why === tried.why).length;
  if (same < SAME) result.others.push({ entry, why: tried.why });
}

/** Why an entry does not satisfy a condition; null: it does. */
interface Tried {
  why: string | null;
  isFault: boolean;
}

function tryOn(where: Where, entry: Entry, stream: StreamName): Tried {
  try {
    const holds = where.holds(celEntry(entry.body, stream));
    return { why: holds ? null : 'The condition is false.', isFault: false };
  } catch (error) {
    if (!(error instanceof CelFault)) throw error;
    return { why: error.message, isFault: true };
  }
}
