import type { Db } from './db.ts';
import type { Vault } from './vault.ts';

/** A column whose texts are sealed, each to `table:column:id`. */
interface Sealed {
  table: string;
  column: string;
}

/** The columns that hold sealed texts; each of their tables has a column `id`. */
export const SEALED: readonly Sealed[] = [
  { table: 'sources', column: 'url' },
  { table: 'targets', column: 'credentials' },
  { table: 'targets', column: 'secret_headers' },
  { table: 'targets', column: 'signing_secret' },
  { table: 'targets', column: 'signing_secret_previous' },
  { table: 'targets', column: 'client_certificate' },
];

/** The result of re-sealing one column. */
export interface Resealed {
  column: string;
  resealed: number;
  /** The places of the texts that no key opens; these texts stay as they are. */
  unopened: string[];
}

/**
 * Seals under the active key everything that another key has sealed, one batch in each transaction.
 * Running it again continues where it ended, and changes nothing when everything is done. The secrets
 * stay the same, so nobody is notified. All processes have to know the active key beforehand.
 */
export async function reseal(options: {
  db: Db;
  vault: Vault;
  /** Rows in one transaction; 500 unless given. */
  batch?: number;
}): Promise<Resealed[]> {
  const { db, vault, batch = 500 } = options;
  const all: Resealed[] = [];
  for (const { table, column } of SEALED) {
    const counted: Resealed = { column: `${table}.${column}`, resealed: 0, unopened: [] };
    const skipped: string[] = [];
    for (;;) {
      const done = await resealSome({ db, vault, batch, table, column, skipped });
      counted.resealed += done.resealed;
      skipped.push(...done.unopened);
      if (done.seen < batch) break;
    }
    counted.unopened = skipped.map((id) => `${table}:${column}:${id}`);
    all.push(counted);
  }
  return all;
}

function resealSome(options: {
  db: Db;
  vault: Vault;
  batch: number;
  table: string;
  column: string;
  skipped: string[];
}): Promise<{ seen: number; resealed: number; unopened: string[] }> {
  const { db, vault, batch, table, column, skipped } = options;
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<{ id: string; sealed: string }>({
      text: `
        select id::text as id, ${column} as sealed from ${table}
         where ${column} is not null and split_part(${column}, '.', 2) <> $1
           and id <> all ($2)
         order by id limit $3 for update`,
      values: [vault.activeKey, skipped, batch],
    });
    const ids: string[] = [];
    const sealed: string[] = [];
    const unopened: string[] = [];
    for (const row of rows) {
      const aad = `${table}:${column}:${row.id}`;
      try {
        sealed.push(vault.seal(vault.open(row.sealed, aad), aad));
        ids.push(row.id);
      } catch {
        unopened.push(row.id); // reported to the caller
      }
    }
    await tx.query({
      text: `
        update ${table} t set ${column} = one.sealed
          from unnest($1::uuid[], $2::text[]) one (id, sealed)
         where t.id = one.id`,
      values: [ids, sealed],
    });
    return { seen: rows.length, resealed: ids.length, unopened };
  });
}
