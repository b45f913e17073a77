import type { ColumnType, ColumnTypes } from './columnType.ts';
import type { Relation } from './pgoutput.ts';

/** What is needed to read the rows of a table. */
export interface TableShape {
  collection: string;
  columns: ShapeColumn[];
  /** Places of the key's columns, in the order of the table. */
  key: number[];
  /** Why no row of the table can be told from another; null when they can. */
  problem: string | null;
}

export interface ShapeColumn {
  name: string;
  /** The name as JSON, with its colon. */
  label: string;
  type: ColumnType;
}

/** The collection of a table's records. */
export function collectionOf(schema: string, table: string): string {
  return `postgres:${schema}.${table}`;
}

/**
 * How to read rows after a Relation message. `key` names the columns by which the source knows the table's records; a
 * table whose old rows no longer have them gets a `problem` in words, because its records would not be found again.
 */
export function tableShape(
  relation: Relation,
  types: ColumnTypes,
  key: readonly string[],
): TableShape {
  const columns = relation.columns.map(({ name, typeId }) => ({
    name,
    label: `${JSON.stringify(name)}:`,
    type: types.of(typeId),
  }));
  const places = columns.flatMap(({ name }, place) => (key.includes(name) ? [place] : []));
  return {
    collection: collectionOf(relation.schema, relation.table),
    columns,
    key: places,
    problem: keyProblem(relation, key),
  };
}

function keyProblem(relation: Relation, key: readonly string[]): string | null {
  const name = `${relation.schema}.${relation.table}`;
  const known = relation.columns.map((column) => column.name);
  const gone = key.filter((column) => !known.includes(column));
  if (key.length === 0) {
    return `${name} has no key, so that its rows can't be told apart. Give it a primary key.`;
  }
  if (gone.length > 0) {
    return `${name} no longer has ${listed(gone)}, by which its records are known. Remove the table from the source and add it again.`;
  }
  if (relation.identity === 'nothing') {
    return `${name} has the replica identity NOTHING, so that its log does not say which rows are updated or deleted. Run: alter table ${name} replica identity default`;
  }
  const identity = relation.columns.filter(({ isKey }) => isKey).map((column) => column.name);
  if (relation.identity === 'full' || sameNames(identity, key)) return null;
  if (identity.length === 0) {
    return `${name} has lost its primary key (${listed(key)}), so that its log does not say which rows are updated or deleted. Give it a primary key again.`;
  }
  return `The key of ${name} was ${listed(key)} and is now ${listed(identity)}. Remove the table from the source and add it again.`;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}

function listed(names: readonly string[]): string {
  return names.join(', ');
}
