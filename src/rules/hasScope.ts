import type { Scope } from '../schema/apiKey.ts';

/** Whether a caller's scopes include the one that is needed. */
export function hasScope(scopes: readonly Scope[], needed: Scope): boolean {
  return scopes.includes(needed) || (needed === 'read' && scopes.includes('manage'));
}
