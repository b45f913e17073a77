import type { Vault } from '../db/vault.ts';
import { CannotStart } from '../rules/startFault.ts';
import { Credentials } from '../schema/target.ts';
import { parsed, unseal } from './unseal.ts';

/** The sealed part of a row of `targets`. */
export interface SealedRow {
  id: string;
  credentials: string;
  signing_secret: string;
  signing_secret_previous: string | null;
  previous_expires_at: string | null;
}

/** The place (table, column and id) that each secret is sealed to; it opens nowhere else. */
export const CREDENTIALS = (id: string): string => `targets:credentials:${id}`;
export const SIGNING_SECRET = (id: string): string => `targets:signing_secret:${id}`;
export const PREVIOUS_SECRET = (id: string): string => `targets:signing_secret_previous:${id}`;

const SAVE = 'save the credentials again, or add back the key that sealed them';
const ROTATE = 'rotate the signing secret, or add back the key that sealed it';

/** Unseals a target's credentials; throws `CannotStart` when they can't be read. */
export function openCredentials(row: SealedRow, vault: Vault): Credentials {
  const place = CREDENTIALS(row.id);
  const text = unseal(vault, row.credentials, place, (why) => {
    const detail = `The stored value of the target's credentials ${why}: ${SAVE}`;
    return new CannotStart('credentials_unreadable', detail);
  });
  const read = Credentials.safeParse(parsed(text));
  if (read.success) return read.data;
  // The cause is left out, as it would quote secrets.
  const detail = `The stored value of the target's credentials has a form that this version does not know: ${SAVE}`;
  throw new CannotStart('credentials_unreadable', detail);
}

/** Unseals a target's current signing secret; throws `CannotStart` when it can't be read. */
export function openSigningSecret(row: SealedRow, vault: Vault): string {
  return openSecret(vault, row.signing_secret, SIGNING_SECRET(row.id), 'signing secret');
}

/** The previous signing secret while it still signs by Postgres' clock, until `until` (unix ms); null afterwards. */
export function openPrevious(
  row: SealedRow & { previous_signs?: boolean },
  vault: Vault,
): { secret: string; until: number } | null {
  const { previous_expires_at: expiresAt, previous_signs: signs = false } = row;
  if (expiresAt === null || !signs) return null;
  const secret = openReplaced(row, vault);
  return secret === null ? null : { secret, until: Date.parse(expiresAt) };
}

/** The secret that the newest rotation replaced, expired or not; null when none is kept. */
export function openReplaced(row: SealedRow, vault: Vault): string | null {
  const { signing_secret_previous: sealed } = row;
  if (sealed === null) return null;
  return openSecret(vault, sealed, PREVIOUS_SECRET(row.id), 'previous signing secret');
}

function openSecret(vault: Vault, sealed: string, place: string, name: string): string {
  const unreadable = (why: string): CannotStart =>
    new CannotStart(
      'signing_secret_unreadable',
      `The stored value of the target's ${name} ${why}: ${ROTATE}`,
    );
  const secret = unseal(vault, sealed, place, unreadable);
  // A byte takes at least two characters of base64.
  if (!/^(?:whsec_)?[\w+/-]{2,}=*$/u.test(secret))
    throw unreadable('is not whsec_ followed by base64');
  return secret;
}
