import { useState, type ReactNode } from 'react';

import type { Attempt } from '../api.ts';
import { useNarrow } from '../narrow.ts';
import type { List } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { DataTable, type Column, type DataTableProps } from '../ui/dataTable.tsx';
import { Hint } from '../ui/notice.tsx';

/** On a phone so many are shown first, followed by the rest of the page. */
const FEW = 8;

/**
 * A list of deliveries, newest first, of which the address may name one that is open; if that one is not among
 * those read so far, the list says so. On a phone a few are shown first.
 */
export function DeliveryTable<A extends Attempt>(props: {
  columns: Column<A>[];
  list: List<A>;
  /** The id of the attempt whose drawer is open. */
  opened: string | undefined;
  onOpen: (id: string) => void;
  isFiltered: boolean;
  onClearFilters: () => void;
  empty: DataTableProps<A>['empty'];
  /** The drawer of the one that is open. */
  children: (attempt: A) => ReactNode;
}) {
  const { columns, list, opened, onOpen, children, ...rest } = props;
  const { rows, hasMore, isLoading, error } = list;
  const [isAll, setAll] = useState(false);
  const isShort = useNarrow() && !isAll && (rows.length > FEW || hasMore);
  const chosen = rows.find(({ id }) => id === opened);
  return (
    <>
      {opened !== undefined && chosen === undefined && !isLoading && error === null && (
        <Hint tone="warn">
          The delivery of this address is not among those read so far: read further below, or it is
          no longer kept.
        </Hint>
      )}
      <DataTable
        {...rest}
        what="deliveries"
        columns={columns}
        list={isShort ? { ...list, rows: rows.slice(0, FEW), hasMore: false } : list}
        rowKey={({ id }) => id}
        onOpen={({ id }) => onOpen(id)}
      />
      {isShort && <Button onClick={() => setAll(true)}>Show older deliveries</Button>}
      {chosen !== undefined && children(chosen)}
    </>
  );
}
