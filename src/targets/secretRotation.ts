import { secretFor, type Seed } from '../db/seed.ts';
import type { Vault } from '../db/vault.ts';
import { newSigningSecret } from '../egress/signing.ts';
import {
  openReplaced,
  openSigningSecret,
  PREVIOUS_SECRET,
  SIGNING_SECRET,
  type SealedRow,
} from './targetSecrets.ts';
import { orUnreadable } from './unseal.ts';

/** The sealed values that a rotation stores. */
export interface RotatedSecrets {
  secret: string;
  /** The previous secret, if it is to sign as well. */
  previous: string | null;
  /** How long it signs, s. */
  previousSeconds: number | null;
}

/**
 * The signing secret derived from `seed`, and what is to be stored: the previous secret signs as well for
 * `expiresInS` seconds. Nothing is stored for a rotation that is repeated, because that would end the secret
 * that was to continue signing.
 */
export function rotateSigningSecret(
  vault: Vault,
  row: SealedRow,
  { expiresInS, seed }: { expiresInS: number; seed: Seed },
): { secret: string; stored: RotatedSecrets | null } {
  const secret = newSigningSecret(secretFor('signing secret', seed));
  const inUse = orUnreadable(() => openSigningSecret(row, vault));
  if (secret === inUse || secret === orUnreadable(() => openReplaced(row, vault)))
    return { secret, stored: null };
  const sealed = vault.seal(secret, SIGNING_SECRET(row.id));
  // A secret that can't be read could not sign as well, so the rotation ends it.
  if (expiresInS === 0 || inUse === null)
    return { secret, stored: { secret: sealed, previous: null, previousSeconds: null } };
  const previous = vault.seal(inUse, PREVIOUS_SECRET(row.id));
  return { secret, stored: { secret: sealed, previous, previousSeconds: expiresInS } };
}
