import type { ReactNode } from 'react';

import type { ParkedEntry } from '../../schema/deadLetter.ts';
import type { Column } from '../ui/dataTable.tsx';
import { number } from '../words.ts';
import { FailureText } from './failureText.tsx';

/** What lists of parked entries and of dead letters show of each. */
type Apart = Pick<
  ParkedEntry,
  'upstream_id' | 'event' | 'collection_id' | 'attempts' | 'last_failure'
>;

/** The column of entries: `recordOf`, which opens something, then what happened to the record, and its collection. */
export function entryColumn<E extends Apart>(recordOf: (entry: E) => ReactNode): Column<E> {
  return {
    id: 'record',
    title: 'Entry',
    width: 'minmax(0,3fr)',
    cell: (entry) => (
      <>
        {recordOf(entry)}
        <EntryKind event={entry.event} collection={entry.collection_id} />
      </>
    ),
  };
}

/** What happened to a record, and its collection: the second line of an entry in any list. */
export function EntryKind(props: { event: string | null; collection: string | null }) {
  return (
    <span className="foreign line-clamp-2 text-xs text-soft sm:line-clamp-1">
      {props.event ?? 'record'} · {props.collection}
    </span>
  );
}

/** What an entry last failed by. */
export const LAST_FAILURE: Column<Apart> = {
  id: 'failure',
  title: 'Last failure',
  width: 'minmax(0,3fr)',
  cell: ({ last_failure: failure }) =>
    failure === null ? (
      <span className="text-soft">not tried yet</span>
    ) : (
      <FailureText failure={failure} />
    ),
};

/** How often it was tried. */
export const ATTEMPTS: Column<Apart> = {
  id: 'attempts',
  title: 'Attempts',
  width: '5rem',
  align: 'right',
  isExtra: true,
  cell: ({ attempts }) => number(attempts),
};
