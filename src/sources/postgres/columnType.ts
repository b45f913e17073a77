/** How the text of a value becomes JSON. */
export type ColumnType =
  | { kind: 'bool' | 'number' | 'json' | 'timestamptz' | 'timestamp' | 'text' }
  | { kind: 'array'; element: ColumnType; delimiter: string };

/** What Postgres' catalog says of a type. */
export interface TypeRow {
  id: number;
  /** Of an array: the type of its elements, and what stands between them. */
  elementId: number | null;
  delimiter: string;
  /** Of a domain: the type that it is made of. */
  baseId: number | null;
}

/** The types of a database's columns, as far as they have been asked for. */
export interface ColumnTypes {
  /** Those that the catalog has to be asked for before they can be read. */
  missing(ids: Iterable<number>): number[];
  /** Adds what the catalog said. Ids that it no longer knows stay texts. */
  add(asked: readonly number[], rows: readonly TypeRow[]): void;
  /** Text for a type that is neither built in nor added. */
  of(id: number): ColumnType;
}

const TEXT: ColumnType = { kind: 'text' };
const BUILT_IN: [ids: number[], type: ColumnType][] = [
  [[16], { kind: 'bool' }],
  [[20, 21, 23, 700, 701, 1700], { kind: 'number' }], // int8, int2, int4, float4, float8, numeric
  [[114, 3802], { kind: 'json' }],
  [[1184], { kind: 'timestamptz' }],
  [[1114], { kind: 'timestamp' }],
  // bytea, "char", name, text, bpchar, varchar, date, time, interval, timetz, bit, varbit, uuid
  [[17, 18, 19, 25, 1042, 1043, 1082, 1083, 1186, 1266, 1560, 1562, 2950], TEXT],
];

/** The types that are known to begin with; arrays, domains, enums and all others have to be added. */
export function createColumnTypes(): ColumnTypes {
  const known = new Map(BUILT_IN.flatMap(([ids, type]) => ids.map((id) => [id, type] as const)));

  function add(asked: readonly number[], rows: readonly TypeRow[]): void {
    const byId = new Map(rows.map((row) => [row.id, row]));
    const resolve = (id: number): ColumnType => {
      const row = byId.get(id);
      const found = known.get(id);
      if (found !== undefined) return found;
      const type = row === undefined ? TEXT : typeOf(row, resolve);
      known.set(id, type);
      return type;
    };
    for (const id of [...asked, ...byId.keys()]) resolve(id);
  }

  return {
    missing: (ids) => [...new Set(ids)].filter((id) => !known.has(id)),
    add,
    of: (id) => known.get(id) ?? TEXT,
  };
}

function typeOf(row: TypeRow, resolve: (id: number) => ColumnType): ColumnType {
  if (row.baseId !== null) return resolve(row.baseId);
  if (row.elementId === null) return TEXT;
  return { kind: 'array', element: resolve(row.elementId), delimiter: row.delimiter };
}

/**
 * Asks the catalog for types by their ids, and for what they are made of. Arrays are types that print as such:
 * `int2vector` has elements as well, and another text.
 */
export const TYPES_SQL = `
  with recursive wanted as (
    select t.oid, t.typtype, t.typelem, t.typbasetype, t.typoutput
    from pg_catalog.pg_type t
    where t.oid = any($1::oid[])
    union
    select t.oid, t.typtype, t.typelem, t.typbasetype, t.typoutput
    from wanted w
    join pg_catalog.pg_type t on t.oid in (w.typelem, w.typbasetype)
  )
  select w.oid::int8::text as id,
         case when w.typtype = 'b' and w.typoutput = 'pg_catalog.array_out'::regproc then w.typelem::int8::text end as element_id,
         coalesce(e.typdelim, ',')::text as delimiter,
         case when w.typtype = 'd' then w.typbasetype::int8::text end as base_id
  from wanted w
  left join pg_catalog.pg_type e on e.oid = w.typelem`;

/** A row of `TYPES_SQL`. */
export interface TypesSqlRow {
  id: string;
  element_id: string | null;
  delimiter: string;
  base_id: string | null;
}

/** Turns a row of `TYPES_SQL` into what is known of the type. */
export function toTypeRow(row: TypesSqlRow): TypeRow {
  return {
    id: Number(row.id),
    elementId: row.element_id === null ? null : Number(row.element_id),
    delimiter: row.delimiter,
    baseId: row.base_id === null ? null : Number(row.base_id),
  };
}
