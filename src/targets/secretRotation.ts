import { secretFor, type Seed } from '../db/seed.ts';
import type { Vault } from '../db/vault.ts';
import { newSigningSecret } from '../egress/signing.ts';
import {
  openSigningSecret,
  PREVIOUS_SECRET,
  SIGNING_SECRET,
  type SealedRow,
} from './targetSecrets.ts';

/** What a rotation stores, sealed. */
export interface RotatedSecrets {
  secret: string;
  /** The secret until now, where it is to sign, too. */
  previous: string | null;
  /** For how long it does, s. */
  previousSeconds: number | null;
}

/**
 * The signing secret derived from `seed`, and what is to be stored of it: the secret until now signs
 * as well for `expiresInS` seconds. Nothing is stored of a rotation that is
 * repeated, as it would end the secret that was to sign on.
 */
export function rotateSigningSecret(
  vault: Vault,
  row: SealedRow,
  { expiresInS, seed }: { expiresInS: number; seed: Seed },
): { secret: string; stored: RotatedSecrets | null } {
  const secret = newSigningSecret(secretFor('signing secret', seed));
  const inUse = openSigningSecret(row, vault);
  if (secret === inUse || secret === openReplaced(row, vault)) return { secret, stored: null };
  const sealed = vault.seal(secret, SIGNING_SECRET(row.id));
  if (expiresInS === 0)
    return { secret, stored: { secret: sealed, previous: null, previousSeconds: null } };
  const previous = vault.seal(inUse, PREVIOUS_SECRET(row.id));
  return { secret, stored: { secret: sealed, previous, previousSeconds: expiresInS } };
}

/** The secret that the newest rotation replaced, expired or not; null when none is kept. */
function openReplaced(row: SealedRow, vault: Vault): string | null {
  if (row.signing_secret_previous === null) return null;
  return vault.open(row.signing_secret_previous, PREVIOUS_SECRET(row.id));
}
