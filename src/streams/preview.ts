import { compile } from '../rules/filter.ts';
import type { PreviewInput } from '../schema/preview.ts';
import type { Pages } from './pages.ts';

/** How many entries match a filter, and the positions of the newest matches, newest first. */
export interface Matches {
  scanned: number;
  matched: number;
  newest: number[];
}

const SAMPLE = 10;

/** Tries a filter on the newest `last` entries of its stream. */
export async function preview(pages: Pages, input: PreviewInput): Promise<Matches> {
  const { stream, last, body: _body, ...filter } = input;
  const keys = await pages.newestKeys(stream, last);
  const matching = keys.filter(compile(filter));
  const newest = matching.slice(0, SAMPLE).map(({ position }) => position);
  return { scanned: keys.length, matched: matching.length, newest };
}
