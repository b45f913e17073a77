import type { Vault } from '../db/vault.ts';
import type { Credentials } from '../schema/target.ts';

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

/** Unseals a target's credentials. */
export function openCredentials(row: SealedRow, vault: Vault): Credentials {
  return JSON.parse(vault.open(row.credentials, CREDENTIALS(row.id))) as Credentials;
}

/** Unseals a target's current signing secret. */
export function openSigningSecret(row: SealedRow, vault: Vault): string {
  return vault.open(row.signing_secret, SIGNING_SECRET(row.id));
}

/** The previous signing secret while it still signs by Postgres' clock, until `until` (unix ms); null afterwards. */
export function openPrevious(
  row: SealedRow & { previous_signs: boolean },
  vault: Vault,
): { secret: string; until: number } | null {
  const { signing_secret_previous: sealed, previous_expires_at: expiresAt } = row;
  if (sealed === null || expiresAt === null || !row.previous_signs) return null;
  return { secret: vault.open(sealed, PREVIOUS_SECRET(row.id)), until: Date.parse(expiresAt) };
}
