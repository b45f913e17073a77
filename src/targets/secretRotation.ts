import type { Sql } from '../db/db.ts';
import { secretFor, type Seed } from '../db/seed.ts';
import type { Vault } from '../db/vault.ts';
import { newSigningSecret } from '../egress/signing.ts';
import {
  openSigningSecret,
  PREVIOUS_SECRET,
  SIGNING_SECRET,
  type SealedRow,
} from './targetSecrets.ts';

/**
 * Gives a target the signing secret derived from `seed`; the current one signs as well for
 * `expiresInS` seconds. Repeating it with the same seed has no effect. The caller holds the row lock.
 */
export async function rotateSigningSecret(
  tx: Sql,
  vault: Vault,
  row: SealedRow,
  { expiresInS, seed }: { expiresInS: number; seed: Seed },
): Promise<string> {
  const secret = newSigningSecret(secretFor('signing secret', seed));
  const inUse = openSigningSecret(row, vault);
  if (secret === inUse || secret === openReplaced(row, vault)) return secret;
  const until = expiresInS === 0 ? null : new Date(Date.now() + expiresInS * 1_000).toISOString();
  const previous = until === null ? null : vault.seal(inUse, PREVIOUS_SECRET(row.id));
  await tx.query({
    text: `
      update targets
         set signing_secret = $2, signing_secret_previous = $3, previous_expires_at = $4,
             version = version + 1, updated_at = now()
       where id = $1`,
    values: [row.id, vault.seal(secret, SIGNING_SECRET(row.id)), previous, until],
  });
  return secret;
}

/** The secret that the newest rotation replaced, expired or not; null when none is kept. */
function openReplaced(row: SealedRow, vault: Vault): string | null {
  if (row.signing_secret_previous === null) return null;
  return vault.open(row.signing_secret_previous, PREVIOUS_SECRET(row.id));
}
