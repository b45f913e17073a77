import { textArray } from '../db/arrayLiteral.ts';
import { matchesNothing } from '../rules/filter.ts';
import type { StreamName } from '../schema/stream.ts';
import type { PageRequest } from './entry.ts';

type ScanRequest = Pick<PageRequest, 'stream' | 'filter' | 'provider' | 'limit' | 'scanRows'>;

/** The parts of a page's statement that find the matching rows. */
export interface Scan {
  /**
   * The name under which the statement is prepared, the same for the same text. Null where it has to
   * be planned with its values: how much of a sync lies ahead decides whether reading its branch of
   * the index pays.
   */
  name: string | null;
  /** A `with` clause, or an empty text. */
  cte: string;
  /** What to select from: it has at most `limit` matching rows, ascending. */
  source: string;
  /** An expression: the last scanned position if the page did not scan everything; otherwise null. */
  bound: string;
  /** The values from `$4` on; reading starts after position `$1` and ends with position `$2`. */
  values: unknown[];
}

/** Up to this many syncs are read by one branch of the index each; more are hashed over a scan by position. */
const BRANCHES = 32;
const EVERYTHING = ['*'];

/**
 * Builds the part of a page's statement that finds matching rows. Without a filter it is a range scan
 * by position. For a few syncs it is one ordered branch of the index on (sync, position) for each,
 * merged lazily, so that what does not match costs nothing. Otherwise it is a scan of at most
 * `scanRows` rows. Limits are numbers of rows, never ranges of positions, because positions have gaps.
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
  // Postgres reads a branch by the index if it has its own order and limit, and merges the branches.
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
 * A sub-select that Postgres hashes, so that its plan can be kept. `= any(…)` would be planned again
 * for each page, element by element (10 ms for 10,000 values). `is true` keeps Postgres from turning
 * it into a join, which would lose the order.
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

/** Keeps the text of each list, because a list of thousands of values is sent with each page. */
function arrayText(list: string[]): string {
  let text = arrayTexts.get(list);
  if (text === undefined) {
    text = textArray(list);
    arrayTexts.set(list, text);
  }
  return text;
}
