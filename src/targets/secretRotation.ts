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
  const inUse = orUnreadable(() => openSigningSecret(row, vault));
  if (secret === inUse || secret === orUnreadable(() => openReplaced(row, vault)))
    return { secret, stored: null };
  const sealed = vault.seal(secret, SIGNING_SECRET(row.id));
  // A secret that can't be read could not sign as well: this ends it.
  if (expiresInS === 0 || inUse === null)
    return { secret, stored: { secret: sealed, previous: null, previousSeconds: null } };
  const previous = vault.seal(inUse, PREVIOUS_SECRET(row.id));
  return { secret, stored: { secret: sealed, previous, previousSeconds: expiresInS } };
}
