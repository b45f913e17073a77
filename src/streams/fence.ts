import { plainArray } from '../db/arrayLiteral.ts';
import type { Query } from '../db/db.ts';

/** Who may append for a source: the one that has claimed it last. */
export interface Fence {
  /** The id of the source. */
  source: string;
  /** The epoch that its claim got. */
  epoch: number;
}

/** An append came from a follower whose source was claimed by another one, or is deleted; nothing of it was stored. */
export class Fenced extends Error {
  override name = 'Fenced';
}

/** A row of `selectEpochs`. */
export interface EpochRow {
  id: string;
  epoch: number;
}

/**
 * Selects the epochs of sources, which stay as they are until the transaction ends: whoever claims one of them waits for
 * that, and then reads what the transaction has stored.
 */
export function selectEpochs(fences: readonly Fence[]): Query {
  return {
    name: 'select-epochs',
    text: 'select id, epoch from sources where id = any($1::uuid[]) for share',
    values: [plainArray([...new Set(fences.map(({ source }) => source))])],
  };
}

/** Throws `Fenced` for a fence that does not hold. */
export function refuseFenced(fences: readonly Fence[], rows: readonly EpochRow[]): void {
  const epochs = new Map(rows.map(({ id, epoch }) => [id, epoch]));
  for (const { source, epoch } of fences) {
    const current = epochs.get(source);
    if (current === epoch) continue;
    throw new Fenced(
      current === undefined
        ? `The source ${source} is deleted`
        : `The source ${source} is followed under epoch ${current} by now, no longer under ${epoch}`,
    );
  }
}
