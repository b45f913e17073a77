import type { Db } from '../db/db.ts';
import type { Vault } from '../db/vault.ts';
import { isSecretHeader } from '../schema/secretHeader.ts';
import { openHeaders, sealHeaders, type HeadersRow } from './secretHeaders.ts';

const BATCH = 500;

/**
 * Seals the headers with credentials of targets that were saved before such headers were sealed; returns the
 * number of these targets. Requests stay the same, so no sender is notified. With `beside`, older workers may
 * be running, which would send without the sealed headers: nothing is done in the first 24 hours after the
 * migration, in which they are to be replaced.
 */
export async function sealClearHeaders(options: {
  db: Db;
  vault: Vault;
  beside: boolean;
}): Promise<number> {
  const { db, vault } = options;
  if (options.beside && !(await isUpgradeOver(db))) return 0;
  let sealed = 0;
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const { rows } = await db.query<HeadersRow>({
      text: 'select id, headers, secret_headers from targets where id > $1 order by id limit $2',
      values: [after, BATCH],
    });
    for (const { id, headers } of rows) {
      if (Object.keys(headers).some(isSecretHeader) && (await sealOne(db, vault, id))) sealed += 1;
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return sealed;
    after = last.id;
  }
}

function sealOne(db: Db, vault: Vault, id: string): Promise<boolean> {
  return db.transaction(async (tx) => {
    const { rows } = await tx.query<HeadersRow>({
      text: 'select id, headers, secret_headers from targets where id = $1 for update',
      values: [id],
    });
    const [row] = rows;
    if (row === undefined) return false;
    const { headers, secret_headers } = sealHeaders(id, openHeaders(row, vault), vault);
    await tx.query({
      text: 'update targets set headers = $2, secret_headers = $3 where id = $1',
      values: [id, JSON.stringify(headers), secret_headers],
    });
    return true;
  });
}

/** Whether the migration was applied more than 24 hours ago. */
async function isUpgradeOver(db: Db): Promise<boolean> {
  const { rows } = await db.query<{ over: boolean }>(`
    select exists (select from schema_migrations
                    where name like '%secret_headers%' and applied_at < now() - interval '24 hours') as over`);
  return rows[0]?.over === true;
}
