import { refuseField } from '../db/refusal.ts';
import type { TableName } from './postgres/databaseFacts.ts';

const PART = String.raw`("(?:[^"]|"")+"|[^".]+)`;
const NAME = new RegExp(`^${PART}\\.${PART}$`, 'u');
/** Longer names are cut by Postgres, and so are never stored. */
const LONGEST_BYTES = 63;

/** The name of a table as the API has it: `schema.table`, where a part with a dot or a quote is quoted. */
export function nameOfTable({ schema, table }: TableName): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

/**
 * Reads names of tables, each exactly as it is written: nothing is turned to lower case. Throws a `Refusal` that points
 * at one that is not a name, or is given twice.
 */
export function readTableNames(names: readonly string[], pointer = '/tables'): TableName[] {
  const seen = new Set<string>();
  return names.map((name, index) => {
    const [, schema, table] = NAME.exec(name) ?? [];
    if (schema === undefined || table === undefined) {
      throw refuseField(`${pointer}/${index}`, 'must be schema.table, for example public.users');
    }
    const read = { schema: unquoted(schema), table: unquoted(table) };
    const isTooLong = Object.values(read).some((one) => Buffer.byteLength(one) > LONGEST_BYTES);
    if (isTooLong) {
      throw refuseField(
        `${pointer}/${index}`,
        `must not have a name of more than ${LONGEST_BYTES} bytes`,
      );
    }
    if (seen.has(nameOfTable(read))) throw refuseField(`${pointer}/${index}`, 'is given twice');
    seen.add(nameOfTable(read));
    return read;
  });
}

function quoted(part: string): string {
  return /[".]/u.test(part) ? `"${part.replaceAll('"', '""')}"` : part;
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
