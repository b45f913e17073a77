import type { Vault } from '../db/vault.ts';
import { CannotStart } from '../rules/startFault.ts';

/**
 * Opens a text that is sealed to a place; when it does not open, throws the error that `unreadable` makes from
 * the reason.
 */
export function unseal(
  vault: Vault,
  sealed: string,
  place: string,
  unreadable: (why: string) => CannotStart,
): string {
  try {
    return vault.open(sealed, place);
  } catch (error) {
    // The vault's sentences begin with the place, and hold no part of the secret.
    const why = error instanceof Error ? error.message : 'does not open';
    throw unreadable(why.startsWith(`${place} `) ? why.slice(place.length + 1) : 'does not open');
  }
}

/** The value of a JSON text; undefined when it is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the error would quote the text
  }
}

/** The value that `open` reads; null when the stored value can't be read. */
export function orUnreadable<T>(open: () => T): T | null {
  try {
    return open();
  } catch (error) {
    if (error instanceof CannotStart) return null;
    throw error;
  }
}
