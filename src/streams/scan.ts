import { textArray } from '../db/arrayLiteral.ts';
import { matchesNothing } from '../rules/filter.ts';
import type { StreamName } from '../schema/stream.ts';
import type { PageRequest } from './entry.ts';

type ScanRequest = Pick<PageRequest, 'stream' | 'filter' | 'provider' | 'limit' | 'scanRows'>;

export interface Scan {
  /**
   * The same for the same text, to be prepared. Null where a plan must be made with the values:
   * how much of a sync lies ahead decides whether its branch is worth reading by the index.
   */
  name: string | null;
  /** A `with` clause, or nothing. */
  cte: string;
  /** What to select from: at most `limit` matching rows, ascending. */
  source: string;
  /** The last position that was looked at, where less than everything was; else null. */
  bound: string;
  /** From `$4`; `$1` is the position after which, `$2` the one up to which to read. */
  values: unknown[];
}

/** As many syncs are read by one index branch each; more are hashed over a scan by position. */
const BRANCHES = 32;
const EVERYTHING = ['*'];

/**
 * The part of a page's statement that finds matching rows. Everything: a range scan by position.
 * A few syncs: one ordered branch of the index on (sync, position) each, merged lazily, so that
 * what does not match costs nothing. Otherwise a scan of at most `scanRows` rows. Limits are rows,
 * never ranges of positions, since positions have gaps.
 */
export function scanFor(request: ScanRequest, columns: string): Scan {
  const { stream, limit, scanRows, filter } = request;
  const values: unknown[] = [];
  const param = (value: unknown): string => `$${values.push(value) + 3}`;
  const few = filter.syncs[0] !== '*' && filter.syncs.length <= BRANCHES;
  const lists: [column: string, list: string[]][] = [
    ['sync_id', few ? EVERYTHING : filter.syncs],
    ['collection_id', filter.collections],
    ['event', stream === 'events' ? filter.event_types : EVERYTHING],
  ];
  if (matchesNothing(filter)) return nothing(stream, columns);

  const syncs = few ? filter.syncs.map(param) : null;
  // A branch that is sorted and cut by itself is read by its index, and the branches are merged.
  const rows = (what: string, most: number): string =>
    syncs === null
      ? `select ${what} from ${stream} where ${RANGE} order by position limit ${most}`
      : `select ${what} from (${syncs
          .map(
            (sync) =>
              `(select ${what} from ${stream} where sync_id = ${sync} and ${RANGE} order by position limit ${most})`,
          )
          .join(' union all ')}) merged order by position limit ${most}`;
  const narrowed = lists.filter(([, list]) => list[0] !== '*');
  const conditions = narrowed.map(([column, list]) => inList(column, param(arrayText(list))));
  if (request.provider !== undefined) {
    conditions.push(`starts_with(collection_id, ${param(`${request.provider}:`)})`);
  }
  const name = (...rest: (string | number)[]): string | null =>
    few ? null : ['page', stream, columns.length, limit, ...rest].join('-');
  if (conditions.length === 0) {
    return {
      name: name(),
      cte: '',
      source: `(${rows(columns, limit)})`,
      bound: 'null::bigint',
      values,
    };
  }
  const matched = [
    ...narrowed.map(([column]) => column),
    ...(request.provider === undefined ? [] : ['provider']),
  ];
  return {
    name: name(scanRows, ...matched),
    cte: `with page as materialized (
            select ${columns}
              from (${rows(withMatched(columns, stream), scanRows)}) looked
             where ${conditions.join(' and ')} order by position limit ${limit}
          )`,
    source: 'page',
    bound: `case when (select count(*) from page) < ${limit} then (
              select position from (${rows('position', scanRows)}) looked order by position offset ${scanRows - 1} limit 1
            ) end`,
    values,
  };
}

const RANGE = 'position > $1 and position <= $2';

function nothing(stream: StreamName, columns: string): Scan {
  return {
    name: null,
    cte: '',
    source: `(select ${columns} from ${stream} where ${RANGE} and false)`,
    bound: 'null::bigint',
    values: [],
  };
}

/**
 * A sub-select that Postgres hashes, with a plan that can be kept. `= any(…)` would be planned anew
 * with each page, element by element (10 ms for 10,000 values); `is true` keeps it from becoming
 * a join, which would lose the order.
 */
function inList(column: string, list: string): string {
  return `(${column} in (select unnest(${list}::text[]))) is true`;
}

function withMatched(columns: string, stream: StreamName): string {
  const matched = [
    'position',
    'sync_id',
    'collection_id',
    ...(stream === 'events' ? ['event'] : []),
  ];
  return [...new Set([...matched, ...columns.split(', ')])].join(', ');
}

const arrayTexts = new WeakMap<string[], string>();

/** Kept with its list, since thousands of values are sent with each page. */
function arrayText(list: string[]): string {
  let text = arrayTexts.get(list);
  if (text === undefined) {
    text = textArray(list);
    arrayTexts.set(list, text);
  }
  return text;
}
