import type { Vault } from '../db/vault.ts';

/** The place (table, column and id) that the URL of a source is sealed to; it opens nowhere else. */
export const SOURCE_URL = (id: string): string => `sources:url:${id}`;

/** The URL of a source with its password; null when none of the encryption keys opens it. */
export function openUrl(row: { id: string; url: string }, vault: Vault): string | null {
  try {
    return vault.open(row.url, SOURCE_URL(row.id));
  } catch {
    return null; // the vault's reason is the same for every secret: a key that is not there, or another row
  }
}
