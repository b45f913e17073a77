import { hasScope } from '../rules/hasScope.ts';
import type { Scope } from '../schema/apiKey.ts';

const VERBS: [verb: string, by: Scope[]][] = [
  ['append to the streams', ['ingest']],
  ['read', ['read', 'manage']],
  ['change', ['manage']],
];

/**
 * The reason, as a sentence, why a session with these scopes may not do something that needs a scope; null if
 * it may.
 */
export function refusalOf(scopes: readonly Scope[], needed: Scope): string | null {
  if (hasScope(scopes, needed)) return null;
  const verbs = VERBS.filter(([, by]) => by.some((scope) => scopes.includes(scope)));
  const able = verbs.map(([verb]) => verb).join(' and ');
  return `This key can only ${able}: it lacks the scope ${needed}.`;
}
