import { useNavigate } from '@tanstack/react-router';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import {
  useEffect,
  useRef,
  useState,
  type CSSProperties,
  type MouseEvent,
  type ReactNode,
} from 'react';

import { useKeys } from '../keys.ts';
import { useNarrow } from '../narrow.ts';
import type { List } from '../queries.ts';
import { amountOf } from '../words.ts';
import { Button } from './button.tsx';
import { Failed, Loading, Notice } from './notice.tsx';

export interface Column<T> {
  id: string;
  title: string;
  /** A track of a CSS grid: `8rem`, `minmax(10rem, 2fr)`; `1fr` unless given. */
  width?: string;
  align?: 'right';
  /** Whether the column is left out on a narrow screen. */
  isExtra?: boolean;
  cell: (row: T) => ReactNode;
}

export interface DataTableProps<T> {
  /** What the rows are, a regular plural: `consumers`. */
  what: string;
  columns: Column<T>[];
  list: List<T>;
  rowKey: (row: T) => string;
  /** The address that a row leads to; its first cell should hold the link. */
  rowHref?: (row: T) => string;
  /** Opens a row, where it does not lead to a page. */
  onOpen?: (row: T) => void;
  /** Whether filters are set; if not, an empty table means that there is nothing at all. */
  isFiltered?: boolean;
  onClearFilters?: () => void;
  empty: { title: string; text: ReactNode; action?: ReactNode };
}

const ROW = 40;

/**
 * A table of any length. Only the rows in sight are drawn, and further pages are read on the way down.
 * `j` and `k` move, Enter opens. It says so when it is reading, has failed, is empty or matches nothing.
 */
export function DataTable<T>(props: DataTableProps<T>) {
  const { list, what, isFiltered = false } = props;
  if (list.error !== null && list.rows.length === 0) {
    return <Failed error={list.error} again={list.again} />;
  }
  if (list.isLoading) return <Loading what={what} />;
  if (list.rows.length > 0) return <Rows {...props} />;
  if (list.hasMore) {
    return (
      <Notice
        title={`No ${what} match so far`}
        text="The newest were searched. Older ones are searched in steps."
      >
        <Button busy={list.isLoadingMore} onClick={list.more}>
          Search older ones
        </Button>
      </Notice>
    );
  }
  if (isFiltered) {
    return (
      <Notice title={`No ${what} match`} text="Change the search or the filters to see more.">
        {props.onClearFilters && (
          <Button
            onClick={() => {
              props.onClearFilters?.();
              // This button is gone then.
              document.getElementById('main')?.focus({ preventScroll: true });
            }}
          >
            Clear filters
          </Button>
        )}
      </Notice>
    );
  }
  return (
    <Notice title={props.empty.title} text={props.empty.text}>
      {props.empty.action}
    </Notice>
  );
}

function Rows<T>({ what, columns, list, rowKey, rowHref, onOpen }: DataTableProps<T>) {
  const isNarrow = useNarrow();
  const navigate = useNavigate();
  const body = useRef<HTMLDivElement>(null);
  const { rows, hasMore } = list;
  const shown = columns.filter((column) => !isNarrow || column.isExtra !== true);
  const grid = {
    gridTemplateColumns: shown.map(({ width }) => width ?? 'minmax(0,1fr)').join(' '),
  };
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW,
    overscan: 12,
    scrollMargin: body.current?.offsetTop ?? 0,
    getItemKey: (index) => rowKey(rows[index] as T),
  });
  const items = virtual.getVirtualItems();
  useMoreNearEnd(list, items.at(-1)?.index ?? 0);
  const open = (row: T): void => {
    if (onOpen !== undefined) onOpen(row);
    else if (rowHref !== undefined) void navigate({ href: rowHref(row) });
  };
  const active = useActiveRow(rows, rowKey, open, (index) =>
    virtual.scrollToIndex(index, { align: 'auto' }),
  );

  return (
    <div>
      <div
        role="table"
        aria-label={what}
        aria-rowcount={hasMore ? -1 : rows.length + 1}
        className="overflow-hidden rounded-lg border border-line bg-panel"
      >
        <HeadRow columns={shown} grid={grid} />
        <div
          role="rowgroup"
          ref={body}
          className="relative"
          style={{ height: virtual.getTotalSize() }}
        >
          {items.map(({ key, index, start }) => (
            <Row
              key={key}
              row={rows[index] as T}
              index={index}
              columns={shown}
              style={{
                ...grid,
                transform: `translateY(${start - virtual.options.scrollMargin}px)`,
              }}
              isActive={index === active}
              measure={virtual.measureElement}
              onOpen={rowHref || onOpen ? open : undefined}
            />
          ))}
        </div>
      </div>
      <Foot what={what} list={list} />
    </div>
  );
}

/** Reads the next page once the last row in sight is near the end of what has been read. */
function useMoreNearEnd<T>({ rows, hasMore, isLoadingMore, error, more }: List<T>, last: number) {
  const isNearEnd = hasMore && !isLoadingMore && error === null && last >= rows.length - 20;
  useEffect(() => {
    if (isNearEnd) more();
  }, [isNearEnd, more]);
}

/**
 * The row that `j` and `k` have come to, which Enter opens; -1 before the first move, or once it is not listed any more. It
 * stays the same one when others come above it.
 */
function useActiveRow<T>(
  rows: T[],
  rowKey: (row: T) => string,
  open: (row: T) => void,
  scrollTo: (index: number) => void,
): number {
  const [key, setKey] = useState<string | null>(null);
  const active = key === null ? -1 : rows.findIndex((row) => rowKey(row) === key);
  const move = (by: number): void => {
    const next = Math.min(rows.length - 1, Math.max(0, active + by));
    const row = rows[next];
    if (row === undefined) return;
    setKey(rowKey(row));
    scrollTo(next);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    Enter: (event) => {
      const row = rows[active];
      if (isControl(event.target)) (event.target as HTMLElement).click();
      else if (row !== undefined) open(row);
    },
  });
  return active;
}

function HeadRow<T>({ columns, grid }: { columns: Column<T>[]; grid: CSSProperties }) {
  return (
    <div role="rowgroup">
      <div
        role="row"
        aria-rowindex={1}
        style={grid}
        className="grid gap-x-3 sm:gap-x-5 border-b border-line bg-sunk px-3 py-1.5 text-xs font-semibold text-soft"
      >
        {columns.map(({ id, title, align }) => (
          <span role="columnheader" key={id} className={align === 'right' ? 'text-right' : ''}>
            {title}
          </span>
        ))}
      </div>
    </div>
  );
}

interface RowProps<T> {
  row: T;
  index: number;
  columns: Column<T>[];
  style: CSSProperties;
  isActive: boolean;
  /** Tells the virtualizer how tall the row has become. */
  measure: (element: HTMLElement | null) => void;
  /** Undefined where rows open nothing. */
  onOpen: ((row: T) => void) | undefined;
}

function Row<T>({ row, index, columns, style, isActive, measure, onOpen }: RowProps<T>) {
  const onClick = (event: MouseEvent): void => {
    if (isControl(event.target) || getSelection()?.isCollapsed === false) return;
    onOpen?.(row);
  };
  return (
    <div
      role="row"
      ref={measure}
      data-index={index}
      aria-rowindex={index + 2}
      aria-current={isActive}
      onClick={onClick}
      style={style}
      className={`absolute top-0 left-0 grid min-h-10 w-full items-center gap-x-3 sm:gap-x-5 border-b border-line px-3 py-1 ${onOpen ? 'cursor-pointer hover:bg-sunk' : ''} ${isActive ? 'bg-accent-soft' : ''}`}
    >
      {columns.map(({ id, align, cell }) => (
        <div
          role="cell"
          key={id}
          className={`min-w-0 ${align === 'right' ? 'text-right tabular-nums' : ''}`}
        >
          {cell(row)}
        </div>
      ))}
    </div>
  );
}

function Foot<T>({ what, list }: { what: string; list: List<T> }) {
  const { rows, hasMore } = list;
  return (
    <footer className="flex min-h-9 items-center gap-3 px-1 pt-2 text-soft">
      <span>
        {amountOf(rows.length, what)} shown
        {hasMore ? ', more below' : ''}
      </span>
      {hasMore && (
        <Button kind="quiet" busy={list.isLoadingMore} onClick={list.more}>
          Load more
        </Button>
      )}
      {list.error !== null && (
        <span role="alert">Refreshing failed: the data shown may be out of date.</span>
      )}
    </footer>
  );
}

function isControl(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('a,button,input,select,summary') !== null;
}
