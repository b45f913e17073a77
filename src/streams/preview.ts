import { z } from 'zod';

import { compile } from '../rules/filter.ts';
import {
  CollectionList,
  EventTypeList,
  StreamEvent,
  StreamName,
  StreamRecord,
  SyncList,
} from '../schema/consumer.ts';
import type { Pages } from './pages.ts';

const all = (): string[] => ['*'];

/** A filter that is not saved, and how many of the newest entries it is tried on. */
export const PreviewInput = z
  .strictObject({
    stream: StreamName,
    syncs: SyncList.default(all),
    collections: CollectionList.default(all),
    event_types: EventTypeList.default(all),
    last: z.int().min(1).max(10_000).default(1_000).meta({ description: 'Newest entries' }),
  })
  .refine((input) => input.stream === 'events' || input.event_types[0] === '*', {
    path: ['event_types'],
    message: 'must be ["*"] on the records stream',
  })
  .meta({ id: 'PreviewInput' });
export type PreviewInput = z.infer<typeof PreviewInput>;

export const Preview = z
  .object({
    scanned: z.int().meta({ description: 'Entries looked at: `last`, or all that there are' }),
    matched: z.int(),
    sample: z
      .array(z.union([StreamEvent, StreamRecord]))
      .meta({ description: 'The newest that match, at most 10' }),
  })
  .meta({ id: 'Preview' });
export type Preview = z.infer<typeof Preview>;

/** The newest matches by their positions, newest first. */
export interface Matches {
  scanned: number;
  matched: number;
  newest: number[];
}

const SAMPLE = 10;

/** Tries a filter on the newest entries of its stream. */
export async function preview(pages: Pages, input: PreviewInput): Promise<Matches> {
  const { stream, last, ...filter } = input;
  const keys = await pages.newestKeys(stream, last);
  const matching = keys.filter(compile(filter));
  const newest = matching.slice(0, SAMPLE).map(({ position }) => position);
  return { scanned: keys.length, matched: matching.length, newest };
}
