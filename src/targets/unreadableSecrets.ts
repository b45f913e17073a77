import type { Vault } from '../db/vault.ts';
import { CannotStart } from '../rules/startFault.ts';
import { openHeaders, type HeadersRow } from './secretHeaders.ts';
import {
  openCredentials,
  openPrevious,
  openSigningSecret,
  type SealedRow,
} from './targetSecrets.ts';

/** Sentences on what of a target's secrets can't be read, and what to do; empty when everything can. */
export function unreadableSecrets(
  row: SealedRow & HeadersRow & { previous_signs?: boolean },
  vault: Vault,
): string[] {
  const notes: string[] = [];
  for (const open of [openCredentials, openHeaders, openSigningSecret, openPrevious]) {
    try {
      open(row, vault);
    } catch (error) {
      if (!(error instanceof CannotStart)) throw error;
      notes.push(error.message);
    }
  }
  return notes;
}
