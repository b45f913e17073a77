import { isId } from '../db/ids.ts';
import { isStoredTime } from '../db/keyset.ts';

/** By what consumers are ranked: how many entries wait for them, or how many attempts have failed lately. */
export type Rank = 'lag' | 'failed';

/** A place in a list of consumers by rank. */
export interface RankedPlace {
  by: Rank;
  /** The time of the figures by which the list is sorted, RFC 3339: later pages go by the same. */
  asOf: string;
  rank: number;
  id: string;
}

/** The opaque text of a place, which `readRankedPlace` reads. */
export function textOfRankedPlace({ by, asOf, rank, id }: RankedPlace): string {
  return Buffer.from(`${by} ${asOf} ${rank} ${id}`).toString('base64url');
}

/** Reads what `textOfRankedPlace` wrote for a list by this rank; null for any other text. */
export function readRankedPlace(text: string, by: Rank): RankedPlace | null {
  const parts = Buffer.from(text, 'base64url').toString('utf8').split(' ');
  const [of, asOf = '', rank = '', id = ''] = parts;
  if (parts.length !== 4 || of !== by || !isId(id) || !/^\d{1,15}$/u.test(rank)) return null;
  return isStoredTime(asOf) ? { by, asOf, rank: Number(rank), id } : null;
}
