import { sizeInWords } from '../rules/words.ts';
import type { Source, SourceProblem, SourceTable, SourceTest } from '../schema/source.ts';
import { span } from './consumerView.ts';
import type { Output } from './output.ts';
import type { Column } from './table.ts';

/** The columns of a list of sources. */
export const SOURCES: readonly Column<Source>[] = [
  { title: 'NAME', of: (one) => one.name },
  { title: 'STATUS', of: (one) => one.status },
  { title: 'BEHIND', of: ({ lag }) => (lag === null ? null : behind(lag)), right: true },
  { title: 'TABLES', of: (one) => one.tables.length, right: true },
  { title: 'PROBLEMS', of: (one) => one.problems, right: true },
  { title: 'ID', of: (one) => one.id },
  { title: 'REASON', of: (one) => one.status_reason ?? one.interruption?.detail ?? '' },
];

/** The columns of a list of rows that could not be turned into records. */
export const PROBLEMS: readonly Column<SourceProblem>[] = [
  { title: 'TABLE', of: (one) => one.table },
  { title: 'COUNT', of: (one) => one.count, right: true },
  { title: 'LAST', of: (one) => one.last_at },
  { title: 'LSN', of: (one) => one.last_lsn },
  { title: 'RECORD', of: (one) => one.upstream_id },
  { title: 'REASON', of: (one) => one.reason },
];

/** Prints a source, each of its tables on a line, and the command that makes it go on if it does not. */
export function showSource(out: Output, one: Source): void {
  const { interruption, lag, expect_within: within } = one;
  out.thing(one, [
    ['Name', one.name],
    ['Status', one.status_reason === null ? one.status : `${one.status}: ${one.status_reason}`],
    ['Interrupted', interruption && `since ${interruption.since}: ${interruption.detail}`],
    ['Behind', lag === null ? null : `${behind(lag)}${limitOf(lag)}`],
    ['Stored up to', one.last_lsn],
    ['Last change', one.last_change_at],
    ['Expected within', within === null ? null : span(within)],
    ['Problems', one.problems],
    ['ID', one.id],
    ['URL', one.url],
    ['Trusts', one.ca === null ? 'public certificate authorities' : 'its own CA certificates'],
    ['Sync', one.sync_id],
    ['Slot', one.slot],
    ['Publication', one.publication],
    ...one.tables.map((table) => [table.table, tableText(table)] as const),
    ['Created', one.created_at],
    ['Updated', one.updated_at],
  ]);
  if (out.isJson) return;
  if (one.status === 'failed') out.note(`Once it is mended: millrace sources resume ${one.id}`);
  for (const { table, state } of one.tables) {
    if (state !== 'asking') continue;
    out.note(`To go on: millrace sources snapshot ${one.id} --table '${table}' --confirm`);
  }
}

function tableText({ state, detail, rows, changes }: SourceTable): string {
  const counts = `${rows} rows read, ${changes} changes`;
  return detail === null ? `${state}, ${counts}` : `${state}, ${counts}: ${detail}`;
}

/** Prints what a test of a database has found: what is in the way, with what to do, and its tables. */
export function showTest(out: Output, tested: SourceTest): void {
  if (out.isJson) {
    out.json(tested);
    return;
  }
  out.thing(tested, [
    ['Outcome', tested.outcome],
    ['Detail', tested.detail],
    ['Postgres', tested.version],
  ]);
  for (const { problem, advice } of tested.findings) out.line(`${problem} ${advice}`);
  for (const { table, estimated_rows: rows, key, findings } of tested.tables) {
    const [first] = findings;
    const size = rows === null ? '' : `, about ${rows} rows`;
    const text =
      first === undefined ? `key ${key.join(', ')}${size}` : `can't be followed: ${first.problem}`;
    out.line(`${table}: ${text}`);
  }
}

function behind({ bytes, seconds }: NonNullable<Source['lag']>): string {
  return `${sizeInWords(bytes)}, ${span(seconds)}`;
}

function limitOf({ limit_bytes: limit }: NonNullable<Source['lag']>): string {
  return limit === null ? '' : `; its slot is lost beyond ${sizeInWords(limit)}`;
}
